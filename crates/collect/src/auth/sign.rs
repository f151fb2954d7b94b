//! Keys and what is signed with them: JWK, PEM and key files in, compact JWT out.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use model::time::{Duration, Timestamp};
use serde_json::Value as Json;

/// How long an assertion is valid; vendors allow from ten minutes up to an hour and take our clock for it.
const LIFE: Duration = Duration::minutes(9);
/// Dated back a little, since clocks differ.
const BACK: Duration = Duration::minutes(1);
/// What a key is asked for as.
const WANTED: &str = "it must be an RSA key as JWK, or a whole PEM block";

/// A private key with its id, if it has one.
pub(super) struct Key {
    key: EncodingKey,
    id: Option<String>,
}

/// A service account's key file.
pub(super) struct KeyFile {
    pub(super) key: Key,
    /// The account.
    pub(super) email: String,
    /// The key itself, for the scrubber.
    pub(super) pem: String,
}

impl Key {
    /// Reads a JWK, or PEM with an optional line `kid: ...` above it.
    ///
    /// # Errors
    /// What is wrong with it, without a word of the key.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with('{') {
            let jwk: Json =
                serde_json::from_str(text).map_err(|_| format!("The private key is no JWK; {WANTED}"))?;
            return Self::from_jwk(&jwk);
        }
        // Keys pasted from JSON or environment files have their line ends written out.
        let text = text.replace("\\n", "\n");
        let id = text
            .lines()
            .take_while(|line| !line.starts_with("-----"))
            .find_map(|line| line.trim().strip_prefix("kid:"))
            .map(|id| id.trim().to_owned());
        let pem = text.find("-----BEGIN").map(|at| &text[at..]).unwrap_or_default();
        let key = EncodingKey::from_rsa_pem(pem.as_bytes())
            .map_err(|_| format!("The private key cannot be read; {WANTED}"))?;
        Ok(Self { key, id: id.filter(|id| !id.is_empty()) })
    }

    fn from_jwk(jwk: &Json) -> Result<Self, String> {
        // A set with a single key is what some consoles copy.
        let jwk = match jwk.get("keys").and_then(Json::as_array).map(Vec::as_slice) {
            Some([only]) => only,
            Some(_) => return Err("The JWK set does not hold exactly one key; give one".to_owned()),
            None => jwk,
        };
        if jwk.get("kty").and_then(Json::as_str) != Some("RSA") {
            return Err(format!("The JWK is not of an RSA key (`kty`); {WANTED}"));
        }
        // RFC 8017 appendix A.1.2: version 0, then these in this order.
        let mut body = der(0x02, &[0]);
        for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
            let part = jwk.get(name).and_then(Json::as_str).unwrap_or_default();
            let bytes = URL_SAFE_NO_PAD
                .decode(part.trim_end_matches('='))
                .ok()
                .filter(|bytes| !bytes.is_empty())
                .ok_or_else(|| {
                    format!("The JWK lacks `{name}`; give the whole private key, not the public one")
                })?;
            body.extend(integer(&bytes));
        }
        let key = der(0x30, &body);
        aws_lc_rs::rsa::KeyPair::from_der(&key).map_err(|_| "The parts of the JWK do not fit".to_owned())?;
        let id = jwk.get("kid").and_then(Json::as_str).map(str::to_owned);
        Ok(Self { key: EncodingKey::from_rsa_der(&key), id })
    }

    /// An assertion with these claims beside its times. `thumbprint`: of the certificate that the key belongs to.
    ///
    /// # Errors
    /// Nothing can be signed with the key.
    pub(super) fn sign(
        &self,
        claims: &[(&str, &str)],
        now: Timestamp,
        thumbprint: Option<String>,
    ) -> Result<String, String> {
        let mut header = Header::new(if thumbprint.is_some() { Algorithm::PS256 } else { Algorithm::RS256 });
        header.kid.clone_from(&self.id);
        header.x5t_s256 = thumbprint;
        let mut all = serde_json::json!({
            "iat": (now - BACK).0 / 1000,
            "nbf": (now - BACK).0 / 1000,
            "exp": (now + LIFE).0 / 1000,
        });
        for (name, value) in claims {
            all[*name] = Json::from(*value);
        }
        jsonwebtoken::encode(&header, &all, &self.key)
            .map_err(|_| "Nothing can be signed with the private key".to_owned())
    }
}

impl KeyFile {
    /// Reads a key file. Addresses in it are not looked at: where tokens are sold, the manifest says.
    ///
    /// # Errors
    /// What is wrong with it, without a word of the key.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let json: Json = serde_json::from_str(text.trim()).map_err(|_| {
            "The key file is not JSON; give the whole file as the vendor's console saved it".to_owned()
        })?;
        let part = |name: &str| {
            json.get(name)
                .and_then(Json::as_str)
                .filter(|text| !text.trim().is_empty())
                .map(str::to_owned)
                .ok_or_else(|| {
                    format!("The key file has no `{name}`; give the key file of a service account")
                })
        };
        let (pem, email) = (part("private_key")?, part("client_email")?);
        let mut key = Key::read(&pem)?;
        key.id = part("private_key_id").ok().or(key.id);
        Ok(Self { key, email, pem })
    }
}

/// What is needed of a certificate.
pub(super) struct Certificate {
    /// SHA-256 of its DER, base64url (`x5t#S256`, RFC 7515 section 4.1.8).
    pub(super) thumbprint: String,
    /// When it ends, if that can be read.
    pub(super) expires_at: Option<Timestamp>,
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        // A certificate is no secret and may be shown again; a key beside it must not be taken for one.
        if text.contains("PRIVATE KEY") {
            return Err("There is a private key in the certificate's field; give it in its own".to_owned());
        }
        let text = text.replace("\\n", "\n");
        let body = text
            .split_once("-----BEGIN CERTIFICATE-----")
            .and_then(|(_, rest)| rest.split_once("-----END CERTIFICATE-----"))
            .map(|(body, _)| body.split_whitespace().collect::<String>());
        let der = body
            .and_then(|body| STANDARD.decode(body).ok())
            .filter(|der| !der.is_empty())
            .ok_or_else(|| "The certificate cannot be read; it must be a whole PEM block".to_owned())?;
        Ok(Self { thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, &der)), expires_at: not_after(&der) })
    }
}

/// The claims of a JWT, unverified: they are only read for what they tell. `None`: it is none.
pub(super) fn claims(token: &str) -> Option<Json> {
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let bytes = URL_SAFE_NO_PAD.decode(payload).or_else(|_| URL_SAFE.decode(payload)).ok()?;
    serde_json::from_slice(&bytes).ok().filter(Json::is_object)
}

/// A DER value.
fn der(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = body.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
        out.push(0x80 | bytes.len() as u8);
        out.extend(bytes);
    }
    out.extend(body);
    out
}

/// A DER integer of these bytes: shortest form, never negative.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> = bytes.iter().copied().skip_while(|b| *b == 0).collect();
    if body.first().is_none_or(|b| *b >= 0x80) {
        body.insert(0, 0);
    }
    der(0x02, &body)
}

/// Takes one DER value off: its tag, its body and the rest.
fn take(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 || rest.len() < count {
            return None;
        }
        let length = rest[..count].iter().fold(0usize, |n, b| (n << 8) | usize::from(*b));
        (length, &rest[count..])
    };
    (rest.len() >= length).then(|| (tag, &rest[..length], &rest[length..]))
}

/// The end of a certificate's validity (RFC 5280 section 4.1.2.5).
fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate, _) = take(der)?;
    let (_, mut rest, _) = take(certificate)?;
    // An explicit version may stand first; then serial number, signature algorithm and issuer.
    if rest.first() == Some(&0xa0) {
        rest = take(rest)?.2;
    }
    for _ in 0..3 {
        rest = take(rest)?.2;
    }
    let (_, validity, _) = take(rest)?;
    let (_, _, end) = take(validity)?;
    let (tag, text, _) = take(end)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let full = match tag {
        // UTCTime: 50 and later is the last century.
        0x17 => format!("{}{text}", if text.get(..2)? >= "50" { "19" } else { "20" }),
        0x18 => text.to_owned(),
        _ => return None,
    };
    let at = |from: usize, to: usize| full.get(from..to);
    Timestamp::parse(&format!(
        "{}-{}-{}T{}:{}:{}Z",
        at(0, 4)?,
        at(4, 6)?,
        at(6, 8)?,
        at(8, 10)?,
        at(10, 12)?,
        at(12, 14)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificates_end_and_thumbprint_are_read() {
        let certificate = Certificate::read(include_str!("../../tests/tls/ca.pem")).unwrap();
        // As `openssl x509 -noout -enddate -fingerprint -sha256` tells.
        assert_eq!(certificate.expires_at, Timestamp::parse(CA_ENDS));
        assert_eq!(certificate.thumbprint, CA_THUMBPRINT);
        let expired = Certificate::read(include_str!("../../tests/tls/expired.pem")).unwrap();
        assert!(expired.expires_at.is_some_and(|at| at < Timestamp(1_760_000_000_000)));
        assert!(Certificate::read("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----").is_err());
        assert!(Certificate::read("").is_err());
        let both = format!("{}-----BEGIN PRIVATE KEY-----", include_str!("../../tests/tls/ca.pem"));
        assert!(Certificate::read(&both).is_err());
    }

    const CA_ENDS: &str = "2120-01-01T00:00:00Z";
    const CA_THUMBPRINT: &str = "wCK8CZUxMn3TfvTcM9MvLNBi-cRxbSCGQEmIwhmGc_c";

    #[test]
    fn claims_are_those_of_three_parts() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"roles":["a"]}"#);
        assert_eq!(claims(&format!("x.{payload}.y")), Some(serde_json::json!({ "roles": ["a"] })));
        for text in ["opaque", "a.b.c", "a..c", &format!("x.{payload}"), &format!("a.{payload}.b.c")] {
            assert_eq!(claims(text), None, "{text}");
        }
    }

    #[test]
    fn der_survives_any_bytes() {
        for text in ["", "\u{30}", "\u{30}\u{7f}a", "0\u{4}\u{2}\u{2}\u{1}\u{1}"] {
            assert_eq!(not_after(text.as_bytes()), None);
        }
        assert_eq!(integer(&[0, 0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0x7f]), [2, 1, 0x7f]);
        assert_eq!(der(4, &[0; 200])[..3], [4, 0x81, 200]);
        assert_eq!(der(4, &[0; 300])[..4], [4, 0x82, 1, 44]);
    }

    #[test]
    fn what_is_no_key_is_said_without_telling_it() {
        for (text, words) in [
            ("sEcReT", "PEM"),
            ("{\"kty\":\"RSA\",\"n\":\"sEcReTxx\"}", "lacks `e`"),
            ("{\"kty\":\"EC\",\"d\":\"sEcReT\"}", "`kty`"),
            ("{sEcReT", "no JWK"),
            ("{\"keys\":[]}", "exactly one"),
        ] {
            let told = Key::read(text).err().unwrap();
            assert!(told.contains(words) && !told.contains("sEcReT"), "{told}");
        }
        let told = |text| KeyFile::read(text).err().unwrap();
        assert!(told("sEcReT").contains("not JSON"));
        assert!(told("{\"private_key\":\"sEcReT\"}").contains("client_email"));
        assert!(!told("{\"private_key\":\"sEcReT\",\"client_email\":\"a@b\"}").contains("sEcReT"));
    }
}

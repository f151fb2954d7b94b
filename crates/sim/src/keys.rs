//! Keys of simulated credentials, and certificates for them.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use model::time::Timestamp;

/// A fresh RSA key.
pub struct Pair {
    pair: KeyPair,
}

impl Pair {
    /// Makes one.
    ///
    /// # Errors
    /// When the cryptographic library cannot.
    pub fn generate() -> Result<Self, Unspecified> {
        Ok(Self { pair: KeyPair::generate(KeySize::Rsa2048)? })
    }

    /// The public key as a vendor keeps it (PKCS#1 DER).
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        self.pair.public_key().as_ref().to_vec()
    }

    /// The private key, to be entered as a credential.
    ///
    /// # Errors
    /// When the cryptographic library cannot write it.
    pub fn private_pem(&self) -> Result<String, Unspecified> {
        let private: Pkcs8V1Der<'_> = self.pair.as_der()?;
        Ok(pem("PRIVATE KEY", private.as_ref()))
    }

    /// A certificate of the key for itself (RFC 5280), as `openssl req -x509` makes one.
    ///
    /// # Errors
    /// When the cryptographic library cannot sign it.
    pub fn certificate(&self, name: &str, from: Timestamp, until: Timestamp) -> Result<String, Unspecified> {
        const SHA256_WITH_RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
        const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
        const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
        let algorithm = |id: &[u8]| tag(0x30, &[tag(0x06, id), tag(0x05, &[])].concat());
        let named = tag(0x30, &[tag(0x06, &COMMON_NAME), tag(0x0c, name.as_bytes())].concat());
        let named = tag(0x30, &tag(0x31, &named));
        // UTCTime, as RFC 5280 wants it until 2049.
        let instant =
            |at: Timestamp| tag(0x17, at.to_jiff().strftime("%y%m%d%H%M%SZ").to_string().as_bytes());
        let bits = |bytes: &[u8]| tag(0x03, &[&[0][..], bytes].concat());
        let body = tag(
            0x30,
            &[
                tag(0xa0, &tag(0x02, &[2])),
                tag(0x02, &[1]),
                algorithm(&SHA256_WITH_RSA),
                named.clone(),
                tag(0x30, &[instant(from), instant(until)].concat()),
                named,
                tag(0x30, &[algorithm(&RSA), bits(&self.public())].concat()),
            ]
            .concat(),
        );
        let mut signature = vec![0; self.pair.public_modulus_len()];
        #[expect(
            clippy::disallowed_methods,
            reason = "the padding of PKCS#1 v1.5 is fixed: nothing is drawn from it"
        )]
        let random = aws_lc_rs::rand::SystemRandom::new();
        self.pair.sign(&aws_lc_rs::signature::RSA_PKCS1_SHA256, &random, &body, &mut signature)?;
        let whole = tag(0x30, &[body, algorithm(&SHA256_WITH_RSA), bits(&signature)].concat());
        Ok(pem("CERTIFICATE", &whole))
    }
}

/// A value with its tag and length (X.690 section 8.1).
fn tag(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut whole = vec![tag];
    match value.len() {
        short @ 0..0x80 => whole.push(u8::try_from(short).unwrap_or(0)),
        long => {
            let bytes: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
            whole.push(0x80 | u8::try_from(bytes.len()).unwrap_or(0));
            whole.extend(bytes);
        }
    }
    whole.extend_from_slice(value);
    whole
}

/// Text armour of 64 columns.
fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|c| std::str::from_utf8(c).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

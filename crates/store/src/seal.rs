//! Sealing: AES-256-GCM with a data key per secret, itself sealed by the master key. What is authenticated with it
//! binds a secret to where it belongs, so that a copied or moved row does not open.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use model::entropy::Entropy;
use model::id::{AppId, InstanceId};
use secrecy::{ExposeSecret as _, SecretSlice};
use zeroize::Zeroizing;

use crate::error::StoreError;

/// Bytes of a key.
const KEY_LEN: usize = 32;
/// Bytes AES-GCM adds.
const TAG_LEN: usize = 16;
/// First byte of everything sealed; another number is another format.
const FORMAT: u8 = 1;

/// The master key. Comes from a file, the environment or a key service: the program's business. Never printed.
#[derive(Clone)]
pub struct SealingKey(Arc<SecretSlice<u8>>);

impl SealingKey {
    /// From 32 random bytes.
    ///
    /// # Errors
    /// A sentence, when it is not 32 bytes long.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, String> {
        if bytes.len() == KEY_LEN {
            Ok(Self(Arc::new(SecretSlice::from(bytes))))
        } else {
            let len = bytes.len();
            drop(Zeroizing::new(bytes));
            Err(format!("the sealing key must be {KEY_LEN} bytes, this one has {len}"))
        }
    }

    /// From 64 hexadecimal digits, white space around them ignored.
    ///
    /// # Errors
    /// A sentence, when it is anything else. It does not repeat the text.
    pub fn from_hex(text: &str) -> Result<Self, String> {
        let text = text.trim().as_bytes();
        if text.len() != KEY_LEN * 2 {
            return Err(format!(
                "the sealing key must be {} hexadecimal digits, this one has {}",
                KEY_LEN * 2,
                text.len()
            ));
        }
        let mut bytes = Vec::with_capacity(KEY_LEN);
        for pair in text.chunks_exact(2) {
            let digit = |c: u8| (c as char).to_digit(16).and_then(|d| u8::try_from(d).ok());
            match (digit(pair[0]), digit(pair[1])) {
                (Some(high), Some(low)) => bytes.push(high << 4 | low),
                _ => return Err("the sealing key has characters that are not hexadecimal digits".to_owned()),
            }
        }
        Self::from_bytes(bytes)
    }

    /// A new key, as the hexadecimal digits that [`SealingKey::from_hex`] reads.
    #[must_use]
    pub fn generate_hex(entropy: &dyn Entropy) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0u8; KEY_LEN]);
        entropy.fill(bytes.as_mut_slice());
        let mut text = Zeroizing::new(String::with_capacity(KEY_LEN * 2));
        for b in bytes.iter() {
            for digit in [b >> 4, b & 0x0f] {
                text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        text
    }

    /// Seals bytes under a context. Opens only under the same key and context.
    ///
    /// # Errors
    /// When the cryptographic library refuses, which it does not for these lengths.
    pub fn seal(
        &self,
        context: &Context,
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, StoreError> {
        let mut data_key = Zeroizing::new([0u8; KEY_LEN]);
        entropy.fill(data_key.as_mut_slice());
        let mut out = Vec::with_capacity(1 + 2 * (NONCE_LEN + TAG_LEN) + KEY_LEN + plain.len());
        out.push(FORMAT);
        seal_into(&mut out, self.0.expose_secret(), context, data_key.as_slice(), entropy)?;
        seal_into(&mut out, data_key.as_slice(), context, plain, entropy)?;
        Ok(out)
    }

    /// Opens what [`SealingKey::seal`] made.
    ///
    /// # Errors
    /// [`StoreError::SealBroken`] when key, context or bytes differ.
    pub fn open(&self, context: &Context, sealed: &[u8]) -> Result<SecretSlice<u8>, StoreError> {
        let wrapped_len = NONCE_LEN + KEY_LEN + TAG_LEN;
        let rest = match sealed.split_first() {
            Some((&FORMAT, rest)) if rest.len() >= wrapped_len + NONCE_LEN + TAG_LEN => rest,
            _ => return Err(StoreError::SealBroken),
        };
        let (wrapped, body) = rest.split_at(wrapped_len);
        let data_key = open_from(self.0.expose_secret(), context, wrapped)?;
        let plain = open_from(&data_key, context, body)?;
        Ok(SecretSlice::from(plain.to_vec()))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(not shown)")
    }
}

/// What a sealed value is bound to. Each part is written with its length, so that no two contexts look alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context(Vec<u8>);

impl Context {
    /// Of one field of an instance's credential: instance, application, the origins that will receive it (host name
    /// to base address), the field's name and the credential's version.
    #[must_use]
    pub fn credential(
        instance: &InstanceId,
        app: &AppId,
        origins: &BTreeMap<String, String>,
        field: &str,
        version: i64,
    ) -> Self {
        let mut parts = vec!["credential", instance.as_str(), app.as_str(), field];
        let version = version.to_string();
        parts.push(&version);
        for (host, origin) in origins {
            parts.push(host);
            parts.push(origin);
        }
        Self::of(&parts)
    }

    /// Of anything else: a purpose and what it belongs to.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(bytes)
    }
}

fn key(bytes: &[u8]) -> Result<LessSafeKey, StoreError> {
    UnboundKey::new(&AES_256_GCM, bytes).map(LessSafeKey::new).map_err(|_| StoreError::SealBroken)
}

fn seal_into(
    out: &mut Vec<u8>,
    with: &[u8],
    context: &Context,
    plain: &[u8],
    entropy: &dyn Entropy,
) -> Result<(), StoreError> {
    let mut nonce = [0u8; NONCE_LEN];
    entropy.fill(&mut nonce);
    // Reserved up front: the buffer holds plain text until it is sealed in place and must not be left behind by a move.
    let mut body = Zeroizing::new(Vec::with_capacity(plain.len() + TAG_LEN));
    body.extend_from_slice(plain);
    key(with)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&context.0), &mut *body)
        .map_err(|_| StoreError::SealBroken)?;
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&body);
    Ok(())
}

fn open_from(with: &[u8], context: &Context, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(StoreError::SealBroken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| StoreError::SealBroken)?;
    let mut body = Zeroizing::new(body.to_vec());
    let len = key(with)?
        .open_in_place(nonce, Aad::from(&context.0), &mut body)
        .map_err(|_| StoreError::SealBroken)?
        .len();
    body.truncate(len);
    Ok(body)
}

//! Signatures of Standard Webhooks 1.0.0: HMAC-SHA256 over `{id}.{timestamp}.{body}`.

use std::fmt;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::domain::Secret;

/// What every secret begins with.
const PREFIX: &str = "whsec_";

/// Takes base64 with its padding and without: some tools leave it out.
const READER: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes of a key (Standard Webhooks, "Signature scheme").
const LEAST: usize = 24;
const MOST: usize = 64;

/// The key that a webhook's messages are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Zeroizing<Vec<u8>>);

/// Why a text is no signing secret. It goes after "this secret" and has nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSigningKey {
    /// It does not look like one.
    #[error("is not whsec_ and base64")]
    Form,
    /// It can be guessed, or is longer than receivers take.
    #[error("has {0} bytes; {LEAST} to {MOST} are taken")]
    Length(usize),
}

impl SigningKey {
    /// Reads `whsec_` and the key in base64.
    ///
    /// # Errors
    /// It is something else, too short or too long.
    pub fn parse(secret: &Secret) -> Result<Self, InvalidSigningKey> {
        let encoded = secret.expose().strip_prefix(PREFIX);
        let bytes = encoded.and_then(|encoded| READER.decode(encoded).ok());
        let bytes = Zeroizing::new(bytes.ok_or(InvalidSigningKey::Form)?);
        if (LEAST..=MOST).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(InvalidSigningKey::Length(bytes.len()))
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<signing key>")
    }
}

/// The field `webhook-signature`: one signature for each key, so that a receiver can change its secret at leisure.
/// `timestamp` is in whole seconds since 1970.
pub fn signatures(keys: &[SigningKey], id: &str, timestamp: i64, body: &str) -> String {
    let signed: Vec<String> = keys
        .iter()
        .map(|key| {
            let mac = Hmac::<Sha256>::new_from_slice(&key.0);
            let mut mac = mac.expect("HMAC takes keys of every length (RFC 2104 §2)");
            mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        })
        .collect();
    signed.join(" ")
}

#[cfg(test)]
mod tests;

//! Secrets that sign, checked once: nothing is ever verified with an empty or a guessable one.

use std::fmt;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::domain::Secret;

/// Shorter secrets can be guessed, and an empty one signs everybody's bodies.
const SHORTEST: usize = 16;

/// Standard Webhooks 1.0.0, "Secrets": between 24 and 64 bytes.
const STANDARD_LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret that is long enough to sign with.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<Vec<u8>>);

/// A secret that nothing may be verified with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakKey {
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// It can be guessed.
    #[error("is shorter than {SHORTEST} bytes")]
    Short,
    /// It is not Base64 of 24 to 64 bytes, with or without `whsec_` before it.
    #[error("is not `whsec_` and Base64 of 24 to 64 bytes")]
    NotStandard,
}

impl SigningKey {
    /// A secret that is used as the text it is: Stripe, Paddle, Lemon Squeezy. White space around it is none of it.
    ///
    /// # Errors
    /// It is empty or too short.
    pub fn text(secret: &Secret) -> Result<Self, WeakKey> {
        let text = trimmed(secret)?;
        if text.len() < SHORTEST {
            return Err(WeakKey::Short);
        }
        Ok(Self(Zeroizing::new(text.as_bytes().to_vec())))
    }

    /// A secret of Standard Webhooks: Base64 behind `whsec_`.
    ///
    /// # Errors
    /// It is empty, no Base64, or decodes to too few or too many bytes.
    pub fn standard(secret: &Secret) -> Result<Self, WeakKey> {
        let text = trimmed(secret)?;
        let encoded = text.strip_prefix("whsec_").unwrap_or(text);
        let bytes = STANDARD
            .decode(encoded)
            .or_else(|_| STANDARD_NO_PAD.decode(encoded))
            .map(Zeroizing::new)
            .map_err(|_| WeakKey::NotStandard)?;
        if !STANDARD_LENGTHS.contains(&bytes.len()) {
            return Err(WeakKey::NotStandard);
        }
        Ok(Self(bytes))
    }

    /// This key's HMAC-SHA256 over all `parts`.
    pub(super) fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

fn trimmed(secret: &Secret) -> Result<&str, WeakKey> {
    match secret.expose().trim() {
        "" => Err(WeakKey::Empty),
        text => Ok(text),
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<signing key>")
    }
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SigningKey {}

//! API keys that we make: `fg_<8 public>_<43 secret><6 checksum>`.
//!
//! All parts are base62. The public part may be shown and logged. The checksum is the CRC-32 of everything before it,
//! so that a scanner for leaked secrets, or a person who lost the last letter, can tell without asking anybody.

use std::fmt;

use zeroize::Zeroizing;

use crate::domain::{KeyDigest, Secret};

/// A new key. Its text exists here and with whoever it is shown to; what is kept is the digest.
pub struct ApiKey {
    /// The whole key, to be shown once.
    pub text: Secret,
    /// The part that may be shown and logged.
    pub public_part: String,
    /// What is stored and looked up by.
    pub digest: KeyDigest,
}

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: &str = "fg_";
const PUBLIC: usize = 8;
/// 43 digits of 62 are 256 bits.
const SECRET: usize = 43;
/// 62⁶ is the first power that holds 32 bits.
const CHECKSUM: usize = 6;
const LENGTH: usize = PREFIX.len() + PUBLIC + 1 + SECRET + CHECKSUM;

impl ApiKey {
    /// Makes a key from the kernel's random bytes.
    ///
    /// # Panics
    /// The kernel has no random bytes to give; a weaker key must not exist.
    pub fn generate() -> Self {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.push_str(PREFIX);
        push_random(&mut text, PUBLIC);
        let public_part = text[PREFIX.len()..].to_owned();
        text.push('_');
        push_random(&mut text, SECRET);
        let checksum = checksum(&text);
        text.extend(checksum.map(char::from));
        Self {
            digest: KeyDigest::of(text.as_bytes()),
            text: Secret::new(std::mem::take(&mut *text)),
            public_part,
        }
    }

    /// Whether a text has the form and checksum of a key of ours. It says nothing about whether the key exists.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn looks_valid(text: &str) -> bool {
        let Some(rest) = text.strip_prefix(PREFIX) else {
            return false;
        };
        let digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_alphanumeric);
        let (bytes, tail) = (rest.as_bytes(), SECRET + CHECKSUM);
        if bytes.len() != PUBLIC + 1 + tail || bytes[PUBLIC] != b'_' {
            return false;
        }
        // The text is ASCII where it matters; otherwise the digits do not hold and nothing is cut.
        digits(&bytes[..PUBLIC])
            && digits(&bytes[PUBLIC + 1..])
            && checksum(&text[..text.len() - CHECKSUM]) == text.as_bytes()[text.len() - CHECKSUM..]
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_<secret>", self.public_part)
    }
}

/// The CRC-32 of `text` (ISO 3309, as in gzip) in six digits, most significant first.
fn checksum(text: &str) -> [u8; CHECKSUM] {
    let mut left = crc32fast::hash(text.as_bytes());
    let mut digits = [DIGITS[0]; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(left % 62) as usize];
        left /= 62;
    }
    digits
}

fn push_random(text: &mut String, mut count: usize) {
    /// The largest multiple of 62 below 256: bytes from it on would make the first digits likelier.
    const FAIR: u8 = 248;

    let mut pool = Zeroizing::new([0; 64]);
    while count > 0 {
        getrandom::fill(&mut *pool).expect("the kernel has random bytes");
        for byte in pool.iter().filter(|byte| **byte < FAIR).take(count) {
            text.push(char::from(DIGITS[usize::from(byte % 62)]));
            count -= 1;
        }
    }
}

#[cfg(test)]
mod tests;

//! Our name for one request.

use std::{cell::RefCell, fmt, str::FromStr};

use super::Timestamp;

/// A UUID of version 7 (RFC 9562 §5.7): the time of arrival, then 74 random bits. Also the id of its call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId([u8; 16]);

/// Random bytes are fetched from the kernel a kilobyte at a time, not once a request.
const POOL: usize = 1024;

/// Where the two digits of each byte stand in the text, and the hyphens between them (RFC 9562 §4).
const DIGITS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// A text that is not a UUID as RFC 9562 §4 writes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a UUID")]
pub struct InvalidRequestId;

thread_local! {
    static RANDOM: RefCell<([u8; POOL], usize)> = const { RefCell::new(([0; POOL], POOL)) };
}

impl RequestId {
    /// A new id for a request that arrived at `now`.
    ///
    /// # Panics
    /// The kernel has no random bytes to give; no key could be made either.
    pub fn new(now: Timestamp) -> Self {
        let mut bytes: [u8; 16] = RANDOM.with_borrow_mut(|(pool, next)| {
            if *next + 16 > POOL {
                getrandom::fill(pool).expect("the kernel has random bytes");
                *next = 0;
            }
            *next += 16;
            pool[*next - 16..*next]
                .try_into()
                .expect("sixteen bytes were cut")
        });
        bytes[..6].copy_from_slice(&now.millis().to_be_bytes()[2..]);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self(bytes)
    }

    /// The sixteen bytes, as a file of ours has them.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// From the bytes of [`Self::to_bytes`].
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 36 characters, without a heap call.
    pub fn encode(self) -> [u8; 36] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        for (byte, at) in self.0.into_iter().zip(DIGITS) {
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 15)];
        }
        text
    }
}

impl FromStr for RequestId {
    type Err = InvalidRequestId;

    /// Reads the 36 characters of [`Self::encode`], with the hyphens where it writes them; letters may be capital.
    fn from_str(text: &str) -> Result<Self, InvalidRequestId> {
        let text: &[u8; 36] = text.as_bytes().try_into().map_err(|_| InvalidRequestId)?;
        let nibble = |digit: u8| {
            let digit = char::from(digit).to_digit(16);
            digit
                .and_then(|digit| u8::try_from(digit).ok())
                .ok_or(InvalidRequestId)
        };
        if HYPHENS.into_iter().any(|at| text[at] != b'-') {
            return Err(InvalidRequestId);
        }
        let mut bytes = [0; 16];
        for (byte, at) in bytes.iter_mut().zip(DIGITS) {
            *byte = (nibble(text[at])? << 4) | nibble(text[at + 1])?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Digits and hyphens are text.
        f.write_str(std::str::from_utf8(&self.encode()).unwrap_or_default())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for RequestId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;

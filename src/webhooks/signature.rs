//! Who signed a body: HMAC-SHA256 over the bytes as they came, compared in constant time.

mod key;
mod schemes;

use std::time::Duration;

use http::{HeaderMap, HeaderName};

pub use key::{SigningKey, WeakKey};

use super::Endpoint;
use crate::domain::{Timestamp, Vendor};

/// A body that a vendor has signed. Only [`verify`] makes one of what comes from outside, and only of one can an event
/// be read.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'a> {
    vendor: Vendor,
    id: Option<&'a str>,
    body: &'a [u8],
}

/// A body that is not known to be the vendor's. The words are for our log; whoever sent it learns less.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct BadSignature {
    /// The header field that was looked at.
    pub field: HeaderName,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The field is not there.
    #[error("the field is missing")]
    Missing,
    /// The field is there twice, or cannot be read.
    #[error("the field cannot be read")]
    Malformed,
    /// The signature was made too long ago, or in the future.
    #[error("its time is too far from now")]
    Time,
    /// No signature in it is made with one of the secrets over this body.
    #[error("no signature in it belongs to this body and a secret of this endpoint")]
    Mismatch,
}

impl<'a> Verified<'a> {
    /// A body from the store, where only verified ones are kept, and the id that its event got.
    pub fn kept(vendor: Vendor, id: &'a str, body: &'a [u8]) -> Self {
        let prefix = vendor.as_str();
        let id = id.strip_prefix(prefix).and_then(|id| id.strip_prefix(':'));
        Self { vendor, id, body }
    }

    /// Whose it is.
    pub const fn vendor(&self) -> Vendor {
        self.vendor
    }

    /// The event's id, where the header has it.
    pub(super) const fn id(&self) -> Option<&'a str> {
        self.id
    }

    /// The bytes as they came.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// Checks that `vendor` signed `body` with a key of `endpoint`, now.
///
/// # Errors
/// It is not known that it did.
pub fn verify<'a>(
    vendor: Vendor,
    endpoint: &Endpoint,
    headers: &'a HeaderMap,
    body: &'a [u8],
    now: Timestamp,
) -> Result<Verified<'a>, BadSignature> {
    let id = match vendor {
        Vendor::Stripe => schemes::stripe(endpoint, headers, body, now).map(|()| None),
        Vendor::Paddle => schemes::paddle(endpoint, headers, body, now).map(|()| None),
        Vendor::LemonSqueezy => schemes::lemonsqueezy(endpoint, headers, body).map(|()| None),
        Vendor::Standard => schemes::standard(endpoint, headers, body, now).map(Some),
    }?;
    Ok(Verified { vendor, id, body })
}

/// Whether a time in a signature is near enough to `now`, earlier or later.
fn is_near(seconds: i64, now: Timestamp, tolerance: Duration) -> bool {
    now.unix_seconds().abs_diff(seconds) <= tolerance.as_secs()
}

#[cfg(test)]
mod tests;

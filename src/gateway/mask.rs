//! Hides our credential from whoever reads what a provider says is wrong: some quote the request that they refuse.

use std::fmt;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};

use crate::{domain::SecretFinder, upstream::Credential};

/// What stands in its place, byte by byte, so that no length changes.
const STAR: u8 = b'*';

/// A text without our credential, however it is cut into pieces.
pub(super) struct Mask {
    secret: SecretFinder,
    /// What may be the credential's beginning, until the rest has arrived.
    kept: Bytes,
}

impl Mask {
    /// Hides `credential`, if it is a secret at all.
    pub(super) fn of(credential: &Credential) -> Option<Self> {
        let secret = credential.secret()?.clone();
        let kept = Bytes::new();
        Some(Self { secret, kept })
    }

    /// The next piece, of which the end may be kept until more is known.
    pub(super) fn hide(&mut self, piece: Bytes) -> Bytes {
        let mut text = if self.kept.is_empty() {
            piece
        } else {
            let mut joined = BytesMut::from(&*self.kept);
            joined.extend_from_slice(&piece);
            joined.freeze()
        };
        let secret = self.secret.secret();
        if let Some(first) = self.secret.find(&text) {
            let mut hidden = BytesMut::from(&*text);
            let mut next = Some(first);
            while let Some(at) = next {
                let end = at + secret.len();
                hidden[at..end].fill(STAR);
                next = self.secret.find(&hidden[end..]).map(|more| end + more);
            }
            text = hidden.freeze();
        }
        let beginning = |length: &usize| text.ends_with(&secret[..*length]);
        let open = (1..secret.len()).rev().find(beginning).unwrap_or(0);
        self.kept = text.split_off(text.len() - open);
        text
    }

    /// What was kept, at the end of the text.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        let rest = std::mem::take(&mut self.kept);
        (!rest.is_empty()).then_some(rest)
    }

    /// Bytes that are kept.
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }
}

/// Empties the fields that have `credential` in them.
pub(super) fn hide_in_fields(credential: &Credential, headers: &mut HeaderMap) {
    let Some(secret) = credential.secret() else {
        return;
    };
    for value in headers.values_mut() {
        if secret.find(value.as_bytes()).is_some() {
            *value = HeaderValue::from_static("");
        }
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mask").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

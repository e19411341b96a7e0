//! Where a person is written to.

use std::{fmt, str::FromStr};

/// An e-mail address: something, `@`, a host name. Whether somebody reads it, only a message can tell.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(Box<str>);

/// A text that is no address a message could be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not an e-mail address such as billing@example.com")]
pub struct InvalidEmailAddress;

/// Octets of an address at most (RFC 5321 §4.5.3.1.3, less the angle brackets), and of the part before `@`.
const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;

impl EmailAddress {
    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidEmailAddress;

    /// Takes the dot-atom form of RFC 5321 §4.1.2 in ASCII; quoted local parts and address literals are refused, because
    /// they are where two programs read one address differently.
    fn from_str(text: &str) -> Result<Self, InvalidEmailAddress> {
        let (local, host) = text.rsplit_once('@').ok_or(InvalidEmailAddress)?;
        let atom =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let fits = text.len() <= LONGEST && local.len() <= LONGEST_LOCAL;
        let read = fits
            && local
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(atom))
            && host.split('.').all(label);
        read.then(|| Self(text.into())).ok_or(InvalidEmailAddress)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for EmailAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests;

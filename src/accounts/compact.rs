//! What a key is made of, in as few bytes as most keys need: one secret, a short public part, no terms of its own.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use super::OwnTerms;
use crate::domain::{KeyDigest, Timestamp};

/// A secret's digest, and until when it opens the key; the newest secret of a key has no end.
pub type Opener = (KeyDigest, Option<Timestamp>);

/// The secrets of a key, oldest first. One of them takes no allocation.
#[derive(Debug, Clone)]
pub struct Digests(Kept);

#[derive(Debug, Clone)]
enum Kept {
    One(Opener),
    Several(Vec<Opener>),
}

impl Digests {
    /// One secret, without an end.
    #[must_use]
    pub const fn one(digest: KeyDigest) -> Self {
        Self(Kept::One((digest, None)))
    }

    /// Keeps those of which `keep` says so.
    pub fn retain(&mut self, keep: impl FnMut(&Opener) -> bool) {
        let mut kept = self.to_vec();
        kept.retain(keep);
        *self = kept.into();
    }

    /// Adds the newest.
    pub fn push(&mut self, opener: Opener) {
        let mut all = self.to_vec();
        all.push(opener);
        *self = all.into();
    }
}

impl From<Vec<Opener>> for Digests {
    fn from(mut all: Vec<Opener>) -> Self {
        if let [one] = all[..] {
            return Self(Kept::One(one));
        }
        all.shrink_to_fit();
        Self(Kept::Several(all))
    }
}

impl FromIterator<Opener> for Digests {
    fn from_iter<I: IntoIterator<Item = Opener>>(all: I) -> Self {
        Vec::from_iter(all).into()
    }
}

impl Deref for Digests {
    type Target = [Opener];

    fn deref(&self) -> &[Opener] {
        match &self.0 {
            Kept::One(one) => std::slice::from_ref(one),
            Kept::Several(all) => all,
        }
    }
}

impl DerefMut for Digests {
    fn deref_mut(&mut self) -> &mut [Opener] {
        match &mut self.0 {
            Kept::One(one) => std::slice::from_mut(one),
            Kept::Several(all) => all,
        }
    }
}

impl PartialEq for Digests {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Digests {}

/// A short text that never changes. Up to fourteen bytes take no allocation.
#[derive(Clone)]
pub struct Label(Text);

#[derive(Clone)]
enum Text {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Box<Box<str>>),
}

const SHORT: usize = 14;

impl Label {
    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // A whole text was copied here, so it is one still.
            Text::Short { length, bytes } => {
                std::str::from_utf8(&bytes[..usize::from(*length)]).unwrap_or_default()
            }
            Text::Long(text) => text,
        }
    }
}

impl From<&str> for Label {
    fn from(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        Self(match bytes.get_mut(..text.len()) {
            Some(room) => {
                room.copy_from_slice(text.as_bytes());
                Text::Short {
                    length: text.len() as u8,
                    bytes,
                }
            }
            None => Text::Long(Box::new(text.into())),
        })
    }
}

impl Default for Label {
    fn default() -> Self {
        "".into()
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Label {}

/// The [`OwnTerms`] of a key. One that says nothing takes a word.
#[derive(Clone, Default)]
pub struct Own(Option<Box<OwnTerms>>);

impl From<OwnTerms> for Own {
    fn from(terms: OwnTerms) -> Self {
        Self((terms != OwnTerms::default()).then(|| Box::new(terms)))
    }
}

impl Deref for Own {
    type Target = OwnTerms;

    fn deref(&self) -> &OwnTerms {
        static NOTHING: OwnTerms = OwnTerms::NOTHING;
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Own {
    fn deref_mut(&mut self) -> &mut OwnTerms {
        self.0.get_or_insert_default()
    }
}

impl PartialEq for Own {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Own {}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests;

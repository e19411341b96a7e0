//! Names that people give to accounts, keys, plans, providers and models.

use std::{fmt, sync::Arc};

/// Why a name was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The name is empty.
    #[error("must not be empty")]
    Empty,
    /// The name is longer than its kind allows.
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// The name has a character that could not appear in a header, a metric or a URL unescaped.
    #[error("has {0:?}; letters, digits and {1} are allowed")]
    Character(char, &'static str),
}

/// What a name may have beside letters and digits.
const SIGNS: &str = "- _ . : @ / +";

/// The same of a model: vendors write a deployment behind `#`, and other marks of theirs.
const MODEL_SIGNS: &str = "- _ . , : @ / + # ~ =";

/// Checks a name: 1 to `longest` characters that are safe in a header, a label and a log line.
fn check(name: &str, longest: usize, signs: &'static str) -> Result<(), InvalidId> {
    if name.is_empty() {
        return Err(InvalidId::Empty);
    }
    if name.len() > longest {
        return Err(InvalidId::TooLong(longest));
    }
    // The hyphen is common, and seen more quickly than looked for.
    let safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c != ' ' && signs.contains(c);
    name.chars()
        .find(|c| !safe(*c))
        .map_or(Ok(()), |c| Err(InvalidId::Character(c, signs)))
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $longest:literal, $signs:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Takes a name of letters, digits and the signs that such a name may have.
            ///
            /// # Errors
            /// The name is empty, too long or has another character.
            pub fn parse(name: &str) -> Result<Self, InvalidId> {
                check(name, $longest, $signs)?;
                Ok(Self(name.into()))
            }

            /// The name as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let name = std::borrow::Cow::<'de, str>::deserialize(from)?;
                Self::parse(&name).map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// Who pays.
    AccountId, 64, SIGNS
);
name!(
    /// A key of an account, by name; the secret is never part of it.
    KeyId, 64, SIGNS
);
name!(
    /// A plan.
    PlanId, 64, SIGNS
);
name!(
    /// A configured provider.
    ProviderId, 64, SIGNS
);
name!(
    /// A model's public name, or its name at a provider.
    ModelName, 128, MODEL_SIGNS
);

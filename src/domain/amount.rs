//! A figure of a limit: a count, or money.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{NanoUsd, Unit};

/// A figure of a limit, with what it counts. A count is a number in JSON; money is a decimal string, because a number
/// would be read through floating point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// Requests or tokens.
    Count(u64),
    /// US dollars.
    Usd(NanoUsd),
}

impl Amount {
    /// A figure that counts `unit`: requests, tokens, or billionths of a dollar. Money beyond what can be kept is the most
    /// that can.
    pub fn of(unit: Unit, figure: u64) -> Self {
        match unit {
            Unit::Requests | Unit::Tokens => Self::Count(figure),
            Unit::Usd => {
                let nanos = i64::try_from(figure).unwrap_or(i64::MAX);
                Self::Usd(NanoUsd::from_nanos(nanos))
            }
        }
    }
}

/// The digits alone: what they count is said beside them.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Usd(money) => money.fmt(f),
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Usd(money) => money.serialize(serializer),
        }
    }
}

//! A figure of a limit: a count, or money.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::domain::NanoUsd;

/// Money is a decimal string in JSON, because a number would be read through floating point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Amount {
    /// Requests or tokens.
    Count(u64),
    /// US dollars.
    Usd(NanoUsd),
}

impl Amount {
    /// So many billionths of a dollar; more than can be kept is written as the most that can.
    pub(super) fn usd(nanos: u64) -> Self {
        Self::Usd(NanoUsd::from_nanos(
            i64::try_from(nanos).unwrap_or(i64::MAX),
        ))
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

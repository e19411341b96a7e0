//! The versions of one model's price.

use std::sync::Arc;

use super::Price;
use crate::domain::Timestamp;

/// The versions of one model's price, each with the instant from which it holds. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Arc<[Arc<Price>]>);

impl Schedule {
    /// A schedule of these versions.
    pub fn new(versions: impl IntoIterator<Item = Price>) -> Self {
        let mut versions: Vec<_> = versions.into_iter().map(Arc::new).collect();
        versions.sort_by_key(|version| version.effective());
        Self(versions.into())
    }

    /// The version that holds at `now`, if one does yet.
    pub fn at(&self, now: Timestamp) -> Option<&Arc<Price>> {
        let begun = |version: &&Arc<Price>| version.effective().is_none_or(|from| from <= now);
        self.0.iter().rev().find(begun)
    }

    /// Every version, by the instant from which it holds.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = &Arc<Price>> {
        self.0.iter()
    }

    /// Whether every version says what a token of the input costs.
    pub fn has_input(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|version| version.has_input())
    }

    /// Whether every version says what tokens cost.
    pub fn has_tokens(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|version| version.has_tokens())
    }
}

#[cfg(test)]
mod tests;

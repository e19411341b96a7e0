//! One thing that can run short.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::level::Level;

/// So much of something, out of so much.
#[derive(Debug)]
pub(super) struct Gauge {
    used: AtomicU64,
    limit: AtomicU64,
}

impl Gauge {
    /// Nothing used of `limit`.
    pub(super) const fn new(limit: u64) -> Self {
        Self {
            used: AtomicU64::new(0),
            limit: AtomicU64::new(limit),
        }
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit.load(Relaxed)
    }

    pub(super) fn change(&self, limit: u64) {
        self.limit.store(limit, Relaxed);
    }

    pub(super) fn level(&self) -> Level {
        Level::of(self.used(), self.limit())
    }

    /// Adds to what is used. Returns whether the level became another.
    pub(super) fn add(&self, more: u64) -> bool {
        let before = self.used.fetch_add(more, Relaxed);
        self.differs(before, before.saturating_add(more))
    }

    /// Takes from what is used. Returns whether the level became another.
    pub(super) fn sub(&self, less: u64) -> bool {
        let before = self.used.fetch_sub(less, Relaxed);
        self.differs(before, before.saturating_sub(less))
    }

    fn differs(&self, before: u64, after: u64) -> bool {
        let limit = self.limit();
        Level::of(before, limit) != Level::of(after, limit)
    }
}

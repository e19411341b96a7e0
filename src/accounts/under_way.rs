//! What an account has under way, for whoever shares out what is short.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Calls under way and bytes of their bodies. Counters alone: nothing is decided by them but who waits when the gateway
/// is near its limits.
#[derive(Debug, Default)]
pub struct UnderWay {
    calls: AtomicU64,
    bytes: AtomicU64,
}

impl UnderWay {
    /// Calls under way.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    /// Bytes of bodies that are held for them.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// A call begins. Returns whether it is the only one.
    pub fn begin(&self) -> bool {
        self.calls.fetch_add(1, Relaxed) == 0
    }

    /// A call has ended. Returns whether it was the last one.
    pub fn end(&self) -> bool {
        self.calls.fetch_sub(1, Relaxed) == 1
    }

    /// Bytes of a body are held. Returns how many there are now.
    pub fn hold(&self, bytes: u64) -> u64 {
        self.bytes.fetch_add(bytes, Relaxed).saturating_add(bytes)
    }

    /// Bytes of a body are held no more.
    pub fn release(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Relaxed);
    }
}

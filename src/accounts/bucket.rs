//! Tokens per minute: a bucket that is filled steadily and may go into debt.

use std::{num::NonZeroU64, time::Duration};

/// Milliseconds in a minute: the scale that keeps refilling exact in integers.
const SCALE: i128 = 60_000;

/// A bucket of `capacity` tokens that a minute fills. It is settled after the fact, so it may be overdrawn.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) capacity: NonZeroU64,
    /// Tokens times [`SCALE`]; negative is debt.
    level: i128,
    /// When `level` was true, on the clock that never goes back.
    at: Duration,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn full(capacity: NonZeroU64, now: Duration) -> Self {
        Self {
            capacity,
            level: i128::from(capacity.get()) * SCALE,
            at: now,
        }
    }

    fn brim(&self) -> i128 {
        i128::from(self.capacity.get()) * SCALE
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_millis();
        let gain = i128::try_from(passed)
            .unwrap_or(i128::MAX)
            .saturating_mul(i128::from(self.capacity.get()));
        self.level = self.level.saturating_add(gain).min(self.brim());
        // What is less than a millisecond stays for the next time.
        self.at += Duration::from_millis(u64::try_from(passed).unwrap_or(u64::MAX));
    }

    /// How long until `tokens` could be taken; zero when they can be now. More than a whole bucket waits for a full one.
    pub(super) fn wait(&mut self, tokens: u64, now: Duration) -> Duration {
        self.refill(now);
        let needed = (i128::from(tokens) * SCALE).min(self.brim());
        let missing = needed.saturating_sub(self.level).max(0);
        let rate = i128::from(self.capacity.get());
        Duration::from_millis(u64::try_from((missing + rate - 1) / rate).unwrap_or(u64::MAX))
    }

    /// Takes `tokens`, into debt if need be.
    pub(super) fn take(&mut self, tokens: u64) {
        self.level = self.level.saturating_sub(i128::from(tokens) * SCALE);
    }

    /// Replaces `held` tokens, taken earlier, by those that were `used`. The difference counts from now on: what was
    /// right all along changes nothing, however full the bucket is meanwhile.
    pub(super) fn correct(&mut self, held: u64, used: u64, now: Duration) {
        self.refill(now);
        let difference = (i128::from(held) - i128::from(used)) * SCALE;
        self.level = self.level.saturating_add(difference).min(self.brim());
    }

    /// Whole tokens left; none in debt.
    pub(super) fn remaining(&mut self, now: Duration) -> u64 {
        self.refill(now);
        u64::try_from(self.level.max(0) / SCALE).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;

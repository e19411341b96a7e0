//! Requests per minute: governor's GCRA, with a state that can be put back.
//!
//! A call passes all of its limits or takes from none, and governor can only check and take at once; keeping the
//! state ourselves lets a later refusal undo an earlier take.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock as GovernorClock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{NotKeyed, StateStore},
};

use crate::domain::Clock;

/// The theoretical arrival time in nanoseconds; 0 before the first call. The account's mutex orders its readers.
#[derive(Debug, Clone, Default)]
struct Arrival(Arc<AtomicU64>);

impl StateStore for Arrival {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let before = self.0.load(Ordering::Relaxed);
        let (outcome, after) = decide((before != 0).then(|| before.into()))?;
        self.0.store(after.into(), Ordering::Relaxed);
        Ok(outcome)
    }
}

/// Our clock as governor reads it.
#[derive(Debug, Clone)]
struct Ticks(Clock);

impl GovernorClock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        // An arrival time of 0 means that there was none.
        self.0
            .elapsed()
            .saturating_add(Duration::from_nanos(1))
            .into()
    }
}

type Limiter = RateLimiter<NotKeyed, Arrival, Ticks, NoOpMiddleware<Nanos>>;

/// So many calls per minute, as many at once.
#[derive(Debug)]
pub(super) struct Rate {
    pub(super) per_minute: NonZeroU32,
    arrival: Arrival,
    limiter: Limiter,
    /// The limiter's own start, which its arrival times count from.
    born: u64,
}

/// What a rate was before a call took from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before(u64);

impl Rate {
    /// A rate that nobody has used.
    pub(super) fn new(per_minute: NonZeroU32, clock: Clock) -> Self {
        let arrival = Arrival::default();
        let clock = Ticks(clock);
        let born = clock.now().as_u64();
        let limiter = RateLimiter::new(Quota::per_minute(per_minute), arrival.clone(), clock);
        Self {
            per_minute,
            arrival,
            limiter,
            born,
        }
    }

    /// Takes one call, or says how long it has to wait.
    pub(super) fn take(&mut self) -> Result<Before, Duration> {
        let before = Before(self.arrival.0.load(Ordering::Relaxed));
        match self.limiter.check() {
            Ok(()) => Ok(before),
            Err(refused) => Err(refused.wait_time_from(self.limiter.clock().now())),
        }
    }

    /// Undoes a take.
    pub(super) fn restore(&mut self, before: Before) {
        self.arrival.0.store(before.0, Ordering::Relaxed);
    }

    /// Calls that would pass now.
    pub(super) fn remaining(&self) -> u32 {
        let interval = 60_000_000_000 / u128::from(self.per_minute.get());
        let taken = self.until_full().as_nanos().div_ceil(interval.max(1));
        self.per_minute
            .get()
            .saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
    }

    /// How long until the whole burst is there again.
    pub(super) fn until_full(&self) -> Duration {
        let now = self
            .limiter
            .clock()
            .now()
            .as_u64()
            .saturating_sub(self.born);
        Duration::from_nanos(self.arrival.0.load(Ordering::Relaxed).saturating_sub(now))
    }
}

#[cfg(test)]
mod tests;

//! Where the time comes from. Everything that decides by time takes a [`Clock`]; tests turn its hands.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::Timestamp;

/// The wall clock and a clock that never goes back. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System {
        started: Instant,
    },
    Manual {
        millis: Arc<AtomicI64>,
        started: i64,
        /// By how much the wall clock is wrong.
        wrong: Arc<AtomicI64>,
    },
}

/// Watches whether the wall clock goes as time does: some things cannot be undone, and a clock that was set wrong is put
/// right again.
#[derive(Debug)]
pub struct ClockWatch {
    /// How far it may be from where it was.
    within: Duration,
    /// When the clock was started, as the wall said at the last look; it stays the same while nobody moves the hands.
    started: Option<i64>,
    doubted_until: Duration,
}

/// Whether the wall clock can be believed, by how it has gone of late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockTrust {
    /// It went as time does.
    Trusted,
    /// It jumped since the last look.
    Jumped,
    /// It jumped less than an hour ago.
    Doubted,
}

impl ClockWatch {
    /// For how long a clock that jumped is doubted.
    const DOUBT: Duration = Duration::from_secs(3600);

    /// How far a first look may be ahead of what is known: for so long a machine may have been off, or had nothing to do.
    const OFF: Duration = Duration::from_secs(86_400);

    /// A clock that nobody has looked at.
    pub const fn within(within: Duration) -> Self {
        Self {
            within,
            started: None,
            doubted_until: Duration::ZERO,
        }
    }

    /// Whether nobody has looked yet.
    pub const fn is_new(&self) -> bool {
        self.started.is_none()
    }

    /// Looks at `clock`. The first look compares it with what is `known` to have been: a machine that starts with a wrong
    /// clock does not see it jump.
    pub fn look(&mut self, clock: &Clock, known: Option<Timestamp>) -> ClockTrust {
        let (now, elapsed) = (clock.now().millis(), clock.elapsed());
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let started = now.saturating_sub(millis(elapsed));
        let (before, here, ahead) = match self.started.replace(started) {
            Some(before) => (Some(before), started, self.within),
            None => (
                known.map(Timestamp::millis),
                now,
                self.within.max(Self::OFF),
            ),
        };
        let jumped = |before: i64| {
            here.saturating_sub(before) > millis(ahead)
                || before.saturating_sub(here) > millis(self.within)
        };
        if before.is_some_and(jumped) {
            self.doubted_until = elapsed.saturating_add(Self::DOUBT);
            return ClockTrust::Jumped;
        }
        if elapsed < self.doubted_until {
            return ClockTrust::Doubted;
        }
        ClockTrust::Trusted
    }
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System {
            started: Instant::now(),
        })
    }

    /// A clock that stands at `start` until somebody moves it.
    pub fn manual(start: Timestamp) -> Self {
        let millis = Arc::new(AtomicI64::new(start.millis()));
        Self(Source::Manual {
            millis,
            started: start.millis(),
            wrong: Arc::default(),
        })
    }

    /// The wall clock's time; it may jump.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { .. } => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Source::Manual { millis, wrong, .. } => {
                let shown = millis.load(Ordering::Acquire);
                Timestamp::from_millis(shown.saturating_add(wrong.load(Ordering::Acquire)))
            }
        }
    }

    /// Time since the clock was made; it never goes back.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Source::System { started } => started.elapsed(),
            Source::Manual {
                millis, started, ..
            } => {
                let passed = millis.load(Ordering::Acquire).saturating_sub(*started);
                Duration::from_millis(u64::try_from(passed).unwrap_or(0))
            }
        }
    }

    /// Moves a manual clock on; a system clock does not listen.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { millis, .. } = &self.0 {
            let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            millis.fetch_add(by, Ordering::AcqRel);
        }
    }

    /// Sets the wall of a manual clock wrong by so many milliseconds, as somebody who moves a machine's hands does.
    #[cfg(test)]
    pub(crate) fn set_wrong(&self, by: i64) {
        if let Source::Manual { wrong, .. } = &self.0 {
            wrong.store(by, Ordering::Release);
        }
    }
}

/// Whole milliseconds of a duration, as records and fields have them; more than fit are as many as fit.
pub fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

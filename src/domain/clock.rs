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

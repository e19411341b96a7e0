//! What has to be looked at from time to time.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Level, Overload, memory::Resident};
use crate::listener::Until;

/// How often memory and timers are looked at: as often as by Envoy's overload manager.
pub const EVERY: Duration = Duration::from_millis(250);

/// Timers count as late by the least of so many looks: a machine that stands still for a moment makes one late, work that
/// does not get done makes all of them late.
const LOOKS: usize = 4;

/// How long a change of level stays unsaid in the log after one was said.
const QUIET: Duration = Duration::from_secs(10);

/// How late the last looks were.
#[derive(Debug, Default)]
pub(super) struct Lateness {
    looks: [Duration; LOOKS],
    next: usize,
}

/// What was said in the log.
#[derive(Debug, Default)]
struct Said {
    level: Level,
    at: Option<Instant>,
}

impl Lateness {
    /// Notes how late a look was, and gives the least of the last ones.
    pub(super) fn note(&mut self, late: Duration) -> Duration {
        self.looks[self.next % LOOKS] = late;
        self.next = (self.next + 1) % LOOKS;
        self.looks.iter().min().copied().unwrap_or_default()
    }
}

impl Overload {
    /// Looks until `end`.
    pub async fn watch(self, end: Until) {
        let resident = Resident::open();
        let mut lateness = Lateness::default();
        let mut said = Said::default();
        let mut due = Instant::now() + EVERY;
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return,
                () = sleep_until(due) => {}
            }
            let now = Instant::now();
            let late = lateness.note(now.saturating_duration_since(due));
            due = now + EVERY;
            let memory = resident.as_ref().and_then(Resident::bytes);
            self.sampled(memory.unwrap_or(0), late);
            said.say(self.level(), now);
        }
    }
}

impl Said {
    fn say(&mut self, level: Level, now: Instant) {
        // Below that every call is taken, which needs no words.
        let level = if level < Level::Scarce {
            Level::Calm
        } else {
            level
        };
        let quiet = self.at.is_some_and(|at| now.duration_since(at) < QUIET);
        if level == self.level || quiet {
            return;
        }
        *self = Self {
            level,
            at: Some(now),
        };
        match level {
            Level::Calm | Level::Busy => {
                tracing::info!("the overload is over: every account's calls are taken");
            }
            Level::Scarce => tracing::warn!(
                "nearly overloaded: accounts that have most under way get no new calls"
            ),
            Level::Full => {
                tracing::warn!("overloaded: new calls are refused until others have ended");
            }
        }
    }
}

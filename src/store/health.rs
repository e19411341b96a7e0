//! Whether the store takes what it is given, and what is said when it does not.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use rusqlite::{Error, ErrorCode, ffi};
use tokio::sync::watch;

/// Whether the store can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// The last write went through.
    Writable,
    /// The last write failed, with these words. It is kept and tried again until it goes through.
    Retrying(String),
    /// A write failed after which nobody knows what the file holds, with these words. Only a restart, which reads
    /// the file anew, can tell.
    Fatal(String),
}

impl Health {
    /// Whether calls may be made that need a record.
    pub const fn is_writable(&self) -> bool {
        matches!(self, Self::Writable)
    }

    /// What went wrong; `None` when nothing did.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Writable => None,
            Self::Retrying(words) | Self::Fatal(words) => Some(words),
        }
    }
}

/// How long one write may take before the store counts as one that cannot be written: a disk that hangs says nothing, and
/// calls must not pile up behind it.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// What the writer knows of the store's health, for everybody who asks.
#[derive(Debug)]
pub(super) struct Monitor {
    /// The one question that is asked on the path of a request.
    broken: AtomicBool,
    health: watch::Sender<Health>,
    /// What [`Self::now`] counts from. A disk takes its time whatever clock the calls are counted by.
    made: Instant,
    /// When the write began that is under way, in milliseconds of that and one; 0 while there is none.
    began: AtomicU64,
    /// Whether that write is what the health is about.
    late: AtomicBool,
}

impl Monitor {
    pub(super) fn new() -> Self {
        Self {
            broken: AtomicBool::new(false),
            health: watch::Sender::new(Health::Writable),
            made: Instant::now(),
            began: AtomicU64::new(0),
            late: AtomicBool::new(false),
        }
    }

    /// The time that writes are measured by.
    pub(super) fn now(&self) -> Duration {
        self.made.elapsed()
    }

    /// A write begins, which [`Self::ended`] ends, whatever comes of it.
    pub(super) fn begins(&self, now: Duration) {
        self.began.store(number(now), Ordering::SeqCst);
    }

    /// The write has ended.
    pub(super) fn ended(&self) {
        self.began.store(0, Ordering::SeqCst);
        if self.late.swap(false, Ordering::SeqCst) {
            self.move_to(Health::Writable);
        }
    }

    /// Looks whether the write that is under way takes too long.
    pub(super) fn look(&self, now: Duration, name: &Path) {
        let began = self.began.load(Ordering::SeqCst);
        let Some(since) = began.checked_sub(1).map(Duration::from_millis) else {
            return;
        };
        if now < since.saturating_add(PATIENCE) || self.is_broken() {
            return;
        }
        self.late.store(true, Ordering::SeqCst);
        self.move_to(Health::Retrying(format!(
            "a write to {} has taken longer than {} s; check the disk",
            name.display(),
            PATIENCE.as_secs()
        )));
        // It may have ended before it was found to be late.
        if self.began.load(Ordering::SeqCst) != began && self.late.swap(false, Ordering::SeqCst) {
            self.move_to(Health::Writable);
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub(super) fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    pub(super) fn is_fatal(&self) -> bool {
        matches!(*self.health.borrow(), Health::Fatal(_))
    }

    #[cfg(test)]
    pub(super) fn watch(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// A write failed.
    pub(super) fn failed(&self, fault: Fault) {
        self.move_to(if fault.fatal {
            Health::Fatal(fault.words)
        } else {
            Health::Retrying(fault.words)
        });
    }

    /// A write went through.
    pub(super) fn succeeded(&self) {
        if self.is_broken() {
            self.move_to(Health::Writable);
        }
    }

    fn move_to(&self, health: Health) {
        let changed = self.health.send_if_modified(|now| {
            // From a fatal fault there is no way back but a restart.
            let moves = *now != health && !matches!(now, Health::Fatal(_));
            if moves {
                *now = health.clone();
                // Before those who watch are woken: whoever has heard of a fault must find no place any more.
                self.broken.store(!health.is_writable(), Ordering::Relaxed);
            }
            moves
        });
        if !changed {
            return;
        }
        match health {
            Health::Writable => tracing::info!("the store can be written again"),
            Health::Retrying(words) => tracing::error!(%words, "the store cannot be written"),
            Health::Fatal(words) => tracing::error!(%words, "the store has failed"),
        }
    }
}

fn number(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).map_or(u64::MAX, |millis| millis.saturating_add(1))
}

/// Why a write did not go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) words: String,
    /// Whether it must not be tried again.
    pub(super) fatal: bool,
}

impl Fault {
    /// What an error of SQLite means for the store called `name`.
    pub(super) fn of(error: &Error, name: &Path) -> Self {
        let name = name.display();
        let extended = error.sqlite_error().map_or(0, |error| error.extended_code);
        let (fatal, words) = match (error.sqlite_error_code(), extended) {
            // After a failed fsync the kernel may have dropped the pages and call the next fsync a success.
            (_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => (
                true,
                format!(
                    "the disk did not confirm a write to {name} ({error}); check the disk, then restart"
                ),
            ),
            (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), _) => (
                true,
                format!("{name} is damaged ({error}); stop, and put back a backup"),
            ),
            (Some(ErrorCode::DiskFull), _) => (
                false,
                format!("there is no room to write {name} ({error}); free some"),
            ),
            (Some(ErrorCode::SystemIoFailure), _) => {
                (false, format!("the disk failed to write {name} ({error})"))
            }
            (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => (
                false,
                format!("another program is writing to {name} ({error}); close it"),
            ),
            _ => (false, format!("{name} could not be written ({error})")),
        };
        Self { words, fatal }
    }
}

#[cfg(test)]
mod tests;

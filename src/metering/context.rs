//! What every reservation needs to be opened and settled: the ledger, the clock, and the bounds of reading on.

use std::{
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::{
    domain::Clock,
    listener::{Shutdown, ShutdownHandle, Tasks, Until, Workers},
    store::Ledger,
    telemetry::Metrics,
};

/// Answers whose client left and that are read to their end, at once. More are cut: an attacker who leaves early must
/// not make us hold connections without end.
const DRAINS: usize = 64;

/// The ledger, the clock, the metrics, and the bounds of reading on after a client has left. All calls share one.
#[derive(Debug)]
pub struct MeteringContext {
    /// Where calls are recorded.
    pub ledger: Ledger,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Free places for reading on.
    drains: Arc<Semaphore>,
    /// Threads that count, once there was something to be counted.
    counters: OnceLock<Workers>,
    /// The shutdown of the listener that calls come from.
    serving: Shutdown,
    /// Raised when nothing may be read on any more.
    last: (ShutdownHandle, Shutdown),
    /// The tasks that read on; a shutdown waits for them.
    pub tasks: Tasks,
}

/// A place among the answers that are read on, from when the client left.
#[derive(Debug)]
#[must_use = "dropped, it is free for another"]
pub struct DrainPlace {
    /// Until when the answer may be read.
    pub until: Instant,
    /// Whether it is for the figures alone of an answer that was written.
    pub(super) figures: bool,
    _permit: OwnedSemaphorePermit,
}

impl DrainPlace {
    /// How long figures may take that follow a whole answer at once.
    const FIGURES: Duration = Duration::from_secs(2);

    /// The same for the figures alone, which follow at once.
    pub(super) fn for_figures(self) -> Self {
        Self {
            until: self.until.min(Instant::now() + Self::FIGURES),
            figures: true,
            ..self
        }
    }
}

impl MeteringContext {
    /// Bytes read of an answer after its client has left.
    pub(super) const DRAIN_BYTES: u64 = 64 << 20;
    /// Time spent on it, counted from when the client left.
    const DRAIN_TIME: Duration = Duration::from_secs(120);

    /// Metering that is recorded in `ledger`.
    pub fn new(ledger: Ledger, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let drains = Arc::new(Semaphore::new(DRAINS));
        Self {
            ledger,
            clock,
            metrics,
            drains,
            counters: OnceLock::new(),
            serving: Shutdown::default(),
            last: ShutdownHandle::new(),
            tasks: Tasks::default(),
        }
    }

    /// The same for the calls of a listener that `shutdown` ends.
    #[must_use]
    pub fn ended_by(self, shutdown: Shutdown) -> Self {
        Self {
            serving: shutdown,
            ..self
        }
    }

    /// A free place for reading on.
    pub fn drain_place(&self) -> Option<DrainPlace> {
        let Ok(permit) = Arc::clone(&self.drains).try_acquire_owned() else {
            self.metrics.drain_refused();
            return None;
        };
        Some(DrainPlace {
            until: Instant::now() + Self::DRAIN_TIME,
            figures: false,
            _permit: permit,
        })
    }

    /// Counts something that takes a while, on a thread for it. There is one for each core: more would be no sooner done,
    /// and leave less to what serves everybody. What is beyond waits its turn; `None` where it could not be counted.
    pub async fn count<T: Send + 'static>(
        &self,
        count: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if self.counters.get().is_none() {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            // Whoever is first has started them; the others' end again.
            let _ = self
                .counters
                .set(Workers::start("faregate-count", cores).ok()?);
        }
        self.counters.get()?.run(count).await
    }

    /// Ends reading on: what is under way is settled as it stands, and nothing is read on any more.
    pub fn stop_drains(&self) {
        self.last.0.force();
    }

    /// Whether it is we who end what is dropped now: the drain is over, and connections that are left are dropped. What is
    /// read on has lost its client before, and is stopped after that.
    pub fn cuts_off(&self) -> bool {
        self.serving.is_cut_off() && !self.last.1.is_cut_off()
    }

    /// Waits until nothing may be read on any more.
    pub fn drains_stopped(&self) -> Until {
        self.last.1.cut_off()
    }
}

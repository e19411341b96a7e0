//! Tasks that somebody waits for.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::FutureExt;
use tokio::sync::Notify;

/// Spawns tasks and waits for their end. Cloning is shallow: all clones count together.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    ended: Notify,
}

/// Counts one task, from before it is spawned until it is over in whatever way.
struct Running(Arc<Shared>);

// === impl Tasks ===

impl Tasks {
    /// Starts a task. A panic in it is logged and ends that task only.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let running = Running::count(&self.shared);
        // Combinators, because an async block would keep the task twice: as what it captured and as what it awaits.
        let watched = AssertUnwindSafe(task).catch_unwind().map(move |outcome| {
            if outcome.is_err() {
                tracing::error!(
                    "a task panicked; what it served is closed, everything else goes on"
                );
            }
            drop(running);
        });
        #[expect(
            clippy::disallowed_methods,
            reason = "the owner that the ban asks for: `wait` joins what is spawned here"
        )]
        tokio::spawn(watched);
    }

    /// How many tasks run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.shared.running.load(Ordering::Acquire)
    }

    /// Waits until no task runs. Tasks may spawn others through a clone meanwhile; these are waited for too.
    pub async fn wait(&self) {
        loop {
            let ended = self.shared.ended.notified();
            let mut ended = std::pin::pin!(ended);
            // Enabled before the count is read, so that an end in between is not missed.
            ended.as_mut().enable();
            if self.running() == 0 {
                return;
            }
            ended.await;
        }
    }
}

// === impl Running ===

impl Running {
    fn count(shared: &Arc<Shared>) -> Self {
        shared.running.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(shared))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}

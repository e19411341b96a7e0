//! A flag that is raised once and wakes everybody who waits for it.
//!
//! A channel would do for tasks, but a response body must be able to poll for the signal without a box and without
//! borrowing itself, hence this.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use super::waiters::Waiters;

/// The flag.
#[derive(Debug, Default)]
pub(super) struct Signal {
    raised: AtomicBool,
    waiting: Mutex<Waiters>,
}

/// Waits for a stage of the shutdown. Can be awaited, or polled by a body; polling again after the end is allowed.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Until {
    signal: Arc<Signal>,
    /// Our place in the signal's list and the waker that stands there, so that a second poll by the same task takes
    /// no lock.
    place: Option<(usize, Waker)>,
}

// === impl Signal ===

impl Signal {
    pub(super) fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        // Woken outside the lock: a waker may run code of its own.
        let wakers = self.waiting().take();
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }

    pub(super) fn wait(self: &Arc<Self>) -> Until {
        Until {
            signal: Arc::clone(self),
            place: None,
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiters> {
        // Nothing between lock and unlock can leave the list half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn waiters(&self) -> usize {
        self.waiting().count()
    }
}

// === impl Until ===

impl Until {
    /// Whether it has come, without waiting.
    #[must_use]
    pub fn has_come(&self) -> bool {
        self.signal.is_raised()
    }
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.signal.is_raised() {
            return Poll::Ready(());
        }
        if let Some((_, waker)) = &self.place
            && waker.will_wake(cx.waker())
        {
            return Poll::Pending;
        }
        let signal = Arc::clone(&self.signal);
        let mut waiting = signal.waiting();
        // Checked again under the lock that `raise` takes after setting the flag, so that no wake-up is lost.
        if signal.is_raised() {
            return Poll::Ready(());
        }
        let place = self.place.take().map(|(at, _)| at);
        let at = waiting.put(place, cx.waker().clone());
        self.place = Some((at, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        if let Some((at, _)) = self.place.take() {
            self.signal.waiting().leave(at);
        }
    }
}

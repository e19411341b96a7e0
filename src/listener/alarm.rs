//! A timer for whoever asks it again and again, and is seldom kept waiting.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
};

use pin_project_lite::pin_project;
use tokio::{
    task::coop::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

#[cfg(test)]
mod tests;

pin_project! {
    /// Ready from an instant on. Where [`Sleep`] hands its waker over with each poll, this one does it once: a stream has
    /// three of them, and each is asked several times for a chunk.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub(crate) struct Alarm {
        #[pin]
        sleep: Sleep,
        // Whom the timer wakes.
        waker: Option<Waker>,
    }
}

impl Alarm {
    /// For `at`. The runtime learns of it with the first poll.
    pub(crate) fn new(at: Instant) -> Self {
        Self {
            sleep: sleep_until(at),
            waker: None,
        }
    }

    /// When it rings, or has rung.
    pub(crate) fn at(&self) -> Instant {
        self.sleep.deadline()
    }

    /// Whether it has rung.
    pub(crate) fn has_rung(&self) -> bool {
        self.sleep.is_elapsed()
    }

    /// Sets it anew.
    pub(crate) fn set(self: Pin<&mut Self>, at: Instant) {
        let this = self.project();
        this.sleep.reset(at);
        *this.waker = None;
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let asked = |waker: &Waker| waker.will_wake(cx.waker());
        if !this.sleep.is_elapsed() && this.waker.as_ref().is_some_and(asked) {
            return Poll::Pending;
        }
        *this.waker = Some(cx.waker().clone());
        // A task that has used up its turn would be sent away before the timer has its waker.
        ready!(pin!(unconstrained(this.sleep.as_mut())).poll(cx));
        *this.waker = None;
        Poll::Ready(())
    }
}

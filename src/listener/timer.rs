//! Deadlines that move, and deadlines that are seen too late.
//!
//! A process that was stopped, or whose machine was asleep, sees its clock jump before it reads what came meanwhile. Whoever
//! is waited for is not late then: we are.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::Instant;

use super::alarm::Alarm;

#[cfg(test)]
mod tests;

/// A timer that rings so much too late says that we stood still.
const STOOD_STILL: Duration = Duration::from_millis(250);

/// How long what came meanwhile may take to be read.
const CATCH_UP: Duration = Duration::from_secs(1);

/// Ready when `at` has passed. The timer is moved only when it would ring too late or has rung: what is due moves with
/// every request or frame, and re-arming a timer each time would cost more than a ring in vain now and then.
pub(super) fn wait(mut timer: Pin<&mut Alarm>, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        if at < timer.at() || timer.has_rung() {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            timer.as_mut().set(at);
        }
        ready!(timer.as_mut().poll(cx));
    }
}

/// Until when we read what came while we stood still. Each deadline has it once: neither a slow peer nor a process that is
/// late all the time pushes one out for ever.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct CatchUp(Option<Instant>);

impl CatchUp {
    /// `due`, or when we have caught up, where that is later.
    pub(crate) fn at_least(self, due: Instant) -> Instant {
        self.0.map_or(due, |until| until.max(due))
    }

    /// Until when to wait on, where `due` has passed and `timer`, which has rung for it, says that we stood still.
    pub(crate) fn after(&mut self, due: Instant, timer: &Alarm) -> Option<Instant> {
        let now = Instant::now();
        if self.0.is_some_and(|until| due <= until) {
            return self.0.filter(|until| now < *until);
        }
        let late = timer.has_rung() && now >= timer.at() + STOOD_STILL;
        self.0 = late.then(|| now + CATCH_UP);
        self.0
    }
}

/// Waits for `future` until `at`, and where we stood still then, for what came meanwhile; `None` where it did not end.
///
/// The future is borrowed: one that is moved into an async function takes room there twice.
pub(crate) async fn by<F: Future>(
    at: Instant,
    catch_up: &mut CatchUp,
    mut future: Pin<&mut F>,
) -> Option<F::Output> {
    let mut timer = pin!(Alarm::new(catch_up.at_least(at)));
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            match catch_up.after(at, &timer) {
                Some(until) => timer.as_mut().set(until),
                None => return Poll::Ready(None),
            }
        }
    })
    .await
}

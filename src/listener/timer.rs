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

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that rings so much too late says that we stood still.
const STOOD_STILL: Duration = Duration::from_millis(250);

/// How long what came meanwhile may take to be read.
const CATCH_UP: Duration = Duration::from_secs(1);

/// Ready when `at` has passed. The timer is moved only when it would ring too late or has rung: what is due moves with
/// every request or frame, and re-arming a timer each time would cost more than a ring in vain now and then.
pub(super) fn wait(mut timer: Pin<&mut Sleep>, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        if at < timer.deadline() || timer.is_elapsed() {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at);
        }
        ready!(timer.as_mut().poll(cx));
    }
}

/// Until when we read what came while we stood still, where `timer` has rung and says that we did.
pub(crate) fn catch_up(timer: &Sleep) -> Option<Instant> {
    let now = Instant::now();
    let late = timer.is_elapsed() && now >= timer.deadline() + STOOD_STILL;
    late.then(|| now + CATCH_UP)
}

/// Waits for `future` until `at`, and where we stood still then, for what came meanwhile; `None` where it did not end.
pub(crate) async fn by<F: Future + Unpin>(at: Instant, mut future: F) -> Option<F::Output> {
    let mut timer = pin!(sleep_until(at));
    poll_fn(|cx| {
        if let Poll::Ready(output) = Pin::new(&mut future).poll(cx) {
            return Poll::Ready(Some(output));
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            match catch_up(&timer) {
                Some(until) => timer.as_mut().reset(until),
                None => return Poll::Ready(None),
            }
        }
    })
    .await
}

//! A deadline that moves.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep};

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

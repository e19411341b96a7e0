//! The clocks of one call. A timer is re-armed by timestamp when it fires, not moved with every frame.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Duration, Instant};

use super::{
    Timeouts,
    failure::{Deadline, Failure, FailureKind},
    outgoing::Progress,
};
use crate::listener::{Alarm, CatchUp, by};

/// An instant far enough away to stand for "never".
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

/// When the whole call has to be over.
pub(super) fn end_of_call(start: Instant, timeouts: &Timeouts) -> Instant {
    after(start, timeouts.total)
}

/// `start` and `wait`, without an overflow for somebody's "forever".
pub(super) fn after(start: Instant, wait: Duration) -> Instant {
    start.checked_add(wait.min(FAR)).unwrap_or(start)
}

/// Waits for the head of an answer. The clock runs from the request's last byte: as long as the client still owes us a
/// part of its body, which has deadlines of its own, the provider is not late.
pub(super) async fn head<F: Future>(
    mut answer: Pin<&mut F>,
    first_byte: Duration,
    end: Instant,
    progress: Option<&Progress>,
) -> Result<F::Output, Failure> {
    let mut due = after(Instant::now(), first_byte);
    let mut catch_up = CatchUp::default();
    loop {
        if let Some(output) = by(due.min(end), &mut catch_up, answer.as_mut()).await {
            return Ok(output);
        }
        let now = Instant::now();
        if now >= end {
            return Err(Failure::new(FailureKind::Timeout(Deadline::Total)));
        }
        due = match progress {
            Some(progress) => after(progress.moved().unwrap_or(now), first_byte),
            None => due,
        };
        if now >= due {
            return Err(Failure::new(FailureKind::Timeout(Deadline::FirstByte)));
        }
    }
}

/// The clock of an answer's body.
#[derive(Debug)]
pub(super) struct BodyClock {
    idle: Duration,
    end: Instant,
    catch_up: CatchUp,
    /// Since when we wait for the provider. A client that does not read stops us asking, and so this clock.
    waiting: Option<Instant>,
    /// Made at the first wait; an answer that is there at once needs none.
    timer: Option<Pin<Box<Alarm>>>,
}

impl BodyClock {
    pub(super) fn new(idle: Duration, end: Instant) -> Self {
        Self {
            idle,
            end,
            catch_up: CatchUp::default(),
            waiting: None,
            timer: None,
        }
    }

    /// A frame came. One that never lets us wait is measured here.
    pub(super) fn moved(&mut self) -> Option<Deadline> {
        self.waiting = None;
        (Instant::now() >= self.catch_up.at_least(self.end)).then_some(Deadline::Total)
    }

    /// No frame is there. Ready when none may come any more.
    pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Deadline> {
        let since = *self.waiting.get_or_insert_with(Instant::now);
        let idle_at = after(since, self.idle);
        let due = idle_at.min(self.end);
        let timer = self.timer.get_or_insert_with(|| boxed(due));
        // What is due never moves back, so a timer set earlier fires too early, at worst, and is set again.
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() < due {
                timer.as_mut().set(due);
                continue;
            }
            match self.catch_up.after(due, timer) {
                Some(until) => timer.as_mut().set(until),
                None if idle_at <= self.end => return Poll::Ready(Deadline::Idle),
                None => return Poll::Ready(Deadline::Total),
            }
        }
        Poll::Pending
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a timer has to stay where it is while the body moves from hand to hand; one for each answer that waits"
)]
fn boxed(due: Instant) -> Pin<Box<Alarm>> {
    Box::pin(Alarm::new(due))
}

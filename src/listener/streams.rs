//! The tasks of HTTP/2 streams, each with a clock for a client that takes nothing.
//!
//! A client can hold back one stream by its window (RFC 9113 §5.2) while the connection is well: no write waits, and the
//! body, which owns what the request holds, is never polled again. So each stream is watched from outside, and one that
//! has a frame to send and cannot for too long is dropped, which resets it.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Poll, ready},
    time::Duration,
};

use hyper::rt::Executor;
use tokio::time::Instant;

use super::{alarm::Alarm, clocks::Clocks, tasks::Tasks, timer::wait};

const NEVER: u64 = u64::MAX;

/// Runs the streams of one connection.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    pub(super) tasks: Tasks,
    pub(super) clocks: Arc<Clocks>,
    pub(super) write_stall: Duration,
}

/// Since when a frame of the answer waits for the client.
#[derive(Debug)]
pub(super) struct Progress {
    arrived: Instant,
    /// Microseconds since the arrival.
    handed_out: AtomicU64,
    answered: AtomicBool,
}

// === impl Progress ===

impl Progress {
    pub(super) fn start(arrived: Instant) -> Self {
        Self {
            arrived,
            handed_out: AtomicU64::new(NEVER),
            answered: AtomicBool::new(false),
        }
    }

    /// The body was polled: it had something, or the client has taken everything.
    pub(super) fn polled(&self, had_something: bool) {
        let handed_out = if had_something {
            u64::try_from(self.arrived.elapsed().as_micros()).unwrap_or(NEVER)
        } else {
            NEVER
        };
        self.handed_out.store(handed_out, Relaxed);
        self.answered.store(true, Relaxed);
    }

    /// Whether the body has ever been polled, so that there is an answer.
    pub(super) fn is_answered(&self) -> bool {
        self.answered.load(Relaxed)
    }

    fn waits_since(&self) -> Option<Instant> {
        match self.handed_out.load(Relaxed) {
            NEVER => None,
            micros => self.arrived.checked_add(Duration::from_micros(micros)),
        }
    }
}

// === impl Streams ===

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let Some(progress) = self.clocks.take_progress() else {
            self.tasks.spawn(stream);
            return;
        };
        let write_stall = self.write_stall;
        self.tasks.spawn(async move {
            let mut stream = pin!(stream);
            // Registered with the runtime only when a frame waits for the first time.
            let mut timer = pin!(Alarm::new(Instant::now() + write_stall));
            poll_fn(|cx| {
                if stream.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                let Some(since) = progress.waits_since() else {
                    return Poll::Pending;
                };
                ready!(wait(timer.as_mut(), since + write_stall, cx));
                tracing::debug!("an HTTP/2 stream was reset, its client took nothing");
                Poll::Ready(())
            })
            .await;
        });
    }
}

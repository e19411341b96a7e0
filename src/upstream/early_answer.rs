//! An answer that came before its request had been sent.
//!
//! A client may want to send all of an upload before it reads anything. It would then wait for us to take the upload, and
//! we for it to take the answer. So a task of its own goes on with both, and takes the upload even where the provider
//! does not want it any more.
//!
//! Owns what goes on between such an exchange and the one who reads its answer. Must not know HTTP.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, SizeHint};
use tokio::{sync::mpsc, task::AbortHandle, time::timeout};

use super::{Failure, Outgoing, body::Open};

/// Frames that were read and that nobody has taken.
const AHEAD: usize = 1;

/// How long the rest of an upload is taken when its answer has ended: as long as the listener lingers.
const LINGER: Duration = Duration::from_secs(2);

/// The reader's end. Dropping it before the answer's end cuts the exchange.
#[derive(Debug)]
pub(super) struct EarlyAnswer {
    frames: mpsc::Receiver<Result<Bytes, Failure>>,
    task: AbortHandle,
    /// How much of the answer is to come, where its head says so.
    left: Option<u64>,
    /// Whether it says where it ends.
    pub(super) delimited: bool,
}

impl EarlyAnswer {
    pub(super) fn begin(open: Open) -> Self {
        let (left, delimited) = (open.left().exact(), open.is_delimited());
        let (tell, frames) = mpsc::channel(AHEAD);
        #[expect(
            clippy::disallowed_methods,
            reason = "the task ends with its reader, or soon after the answer"
        )]
        let task = tokio::spawn(run(open, tell)).abort_handle();
        Self {
            frames,
            task,
            left,
            delimited,
        }
    }

    /// The next bytes, or the end.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Failure>>> {
        let next = ready!(self.frames.poll_recv(cx));
        match (&next, &mut self.left) {
            (Some(Ok(data)), Some(left)) => *left = left.saturating_sub(data.len() as u64),
            (None, left) => *left = Some(0),
            _ => {}
        }
        Poll::Ready(next)
    }

    /// Whether nothing more comes.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.left, Some(0))
    }

    pub(super) fn left(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

impl Drop for EarlyAnswer {
    fn drop(&mut self) {
        if !self.is_over() {
            self.task.abort();
        }
    }
}

/// Reads the answer as far as it is wanted, and sends the request meanwhile.
async fn run(mut open: Open, tell: mpsc::Sender<Result<Bytes, Failure>>) {
    while let Some(next) = poll_fn(|cx| open.poll_next(cx)).await {
        let broken = next.is_err();
        let mut room = pin!(tell.reserve());
        let room = poll_fn(|cx| match open.poll_upload(cx) {
            Ok(()) => room.as_mut().poll(cx).map(Ok),
            Err(failure) => Poll::Ready(Err(failure)),
        });
        match room.await {
            Ok(Ok(room)) => room.send(next),
            Ok(Err(_)) => return,
            Err(failure) => {
                drop(open);
                return drop(tell.send(Err(failure)).await);
            }
        }
        if broken {
            return;
        }
    }
    let rest = open.into_upload();
    drop(tell);
    if let Some(rest) = rest {
        let _ = timeout(LINGER, discard(rest)).await;
    }
}

/// What the client's kernel and ours hold of the answer may still have to wait for the client to have sent everything.
async fn discard(mut body: Outgoing) {
    while let Some(Ok(_)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {}
}

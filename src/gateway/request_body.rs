//! A request's body that is passed on as it comes, within bounds.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::{
    admission::{Bounds, Patience},
    listener::{Alarm, CatchUp},
    upstream::BodyError,
};

/// A client's body on its way to a provider: bounded in bytes, in silence, in pace and in time.
#[derive(Debug)]
pub(super) struct Passing {
    body: Incoming,
    bounds: Bounds,
    patience: Patience,
    catch_up: CatchUp,
    /// How much has come, for the record.
    counted: Arc<AtomicU64>,
    /// Whether the client is waited for now.
    waiting: bool,
    /// Set anew only when it fires; made when the body is first waited for.
    timer: Option<Pin<Box<Alarm>>>,
}

impl Passing {
    /// A body within `bounds`. `counted` is told how much of it has come.
    pub(super) fn new(body: Incoming, bounds: Bounds, counted: Arc<AtomicU64>) -> Self {
        let patience = Patience::new();
        Self {
            body,
            bounds,
            patience,
            catch_up: CatchUp::default(),
            counted,
            waiting: false,
            timer: None,
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.waiting {
            self.waiting = true;
            self.patience.wait();
        }
        loop {
            let due = self.patience.deadline(&self.bounds);
            #[expect(
                clippy::disallowed_methods,
                reason = "one box for each upload that has to be waited for"
            )]
            let timer = self.timer.get_or_insert_with(|| Box::pin(Alarm::new(due)));
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let until = if Instant::now() < due {
                Some(due)
            } else {
                self.catch_up.after(due, timer)
            };
            match until {
                Some(until) => timer.as_mut().set(until),
                None => return Poll::Ready(()),
            }
        }
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if std::mem::take(&mut self.waiting) {
                    self.patience.waited();
                }
                self.patience.came(frame.data_ref().map_or(0, Bytes::len));
                let read = self.patience.read();
                self.counted.store(read, Ordering::Relaxed);
                Poll::Ready(Some(if read <= self.bounds.bytes {
                    Ok(frame)
                } else {
                    Err(BodyError::TooLarge)
                }))
            }
            Poll::Ready(Some(Err(error))) => {
                let gone =
                    error.is_incomplete_message() || error.is_canceled() || error.is_closed();
                Poll::Ready(Some(Err(if gone {
                    BodyError::Disconnected
                } else {
                    BodyError::Malformed
                })))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match self.wait(cx) {
                Poll::Ready(()) => Poll::Ready(Some(Err(BodyError::TooSlow))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

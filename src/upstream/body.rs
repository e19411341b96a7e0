//! The body of an answer. It holds the connection: given back at the end, closed when dropped before.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{
    deadline::BodyClock,
    failure::{Failure, FailureKind},
    outgoing::Progress,
    pool::Lease,
};

/// The body of a provider's answer, frame by frame as it arrives, without trailers.
///
/// Dropping it before its end cancels the call: an HTTP/1 connection is closed, an HTTP/2 stream is reset.
#[derive(Debug)]
pub struct UpstreamBody {
    /// `None` once it has ended or broken.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    incoming: Incoming,
    clock: BodyClock,
    lease: Lease,
    /// The request's body, where it may still be on its way.
    progress: Option<Arc<Progress>>,
}

impl UpstreamBody {
    pub(super) fn new(
        incoming: Incoming,
        clock: BodyClock,
        lease: Lease,
        progress: Option<Arc<Progress>>,
    ) -> Self {
        if incoming.is_end_stream() {
            finish(lease, progress.as_deref());
            return Self { open: None };
        }
        Self {
            open: Some(Open {
                incoming,
                clock,
                lease,
                progress,
            }),
        }
    }

    fn end(&mut self) {
        if let Some(open) = self.open.take() {
            finish(open.lease, open.progress.as_deref());
        }
    }

    fn fail(&mut self, failure: Failure) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        self.open = None;
        Poll::Ready(Some(Err(failure)))
    }
}

/// A provider that answers before it has read the request does not want the rest of it: cutting the connection stops
/// the client's upload too.
fn finish(lease: Lease, request: Option<&Progress>) {
    if request.is_none_or(Progress::completed) {
        lease.give_back();
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        loop {
            let Some(open) = &mut self.open else {
                return Poll::Ready(None);
            };
            let Poll::Ready(next) = Pin::new(&mut open.incoming).poll_frame(cx) else {
                let passed = ready!(open.clock.poll_wait(cx));
                return self.fail(Failure::new(FailureKind::Timeout(passed)));
            };
            match next {
                Some(Ok(frame)) if frame.is_data() => {
                    if let Some(passed) = open.clock.moved() {
                        return self.fail(Failure::new(FailureKind::Timeout(passed)));
                    }
                    // The reader may take the last frame and never ask again.
                    if open.incoming.is_end_stream() {
                        self.end();
                    }
                    return Poll::Ready(Some(Ok(frame)));
                }
                // RFC 9110 §6.5.1: trailers may be discarded, and no field of ours may come from one.
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    let client = open.progress.as_ref().and_then(|body| body.failed());
                    return self.fail(Failure::of_exchange(error, client));
                }
                // An HTTP/2 stream reset without an error reads like an end; the length tells.
                None if open
                    .incoming
                    .size_hint()
                    .exact()
                    .is_some_and(|left| left > 0) =>
                {
                    return self.fail(Failure::new(FailureKind::Disconnected));
                }
                None => {
                    self.end();
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.open.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.open
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), |open| open.incoming.size_hint())
    }
}

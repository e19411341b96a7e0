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
    h1,
    outgoing::Progress,
    pool::{Held, Lease},
};

/// The body of a provider's answer, frame by frame as it arrives, without trailers.
///
/// Dropping it before its end cancels the call: an HTTP/1 connection is closed, an HTTP/2 stream is reset.
#[derive(Debug)]
pub struct UpstreamBody {
    /// `None` once it has ended or broken.
    open: Option<Open>,
    /// What broke it, which is told at the next look.
    broken: Option<Failure>,
}

#[derive(Debug)]
struct Open {
    content: Content,
    clock: BodyClock,
    lease: Lease,
    /// The request's body, where it may still be on its way.
    progress: Option<Arc<Progress>>,
}

/// Where an answer's bytes come from.
#[derive(Debug)]
pub(super) enum Content {
    /// The connection that the lease holds.
    H1(h1::Answer),
    /// A stream of a connection that many share.
    H2(Incoming),
}

impl UpstreamBody {
    pub(super) fn new(
        content: Content,
        clock: BodyClock,
        lease: Lease,
        progress: Option<Arc<Progress>>,
    ) -> Self {
        let open = Open {
            content,
            clock,
            lease,
            progress,
        };
        if open.is_over() {
            open.finish();
            return Self {
                open: None,
                broken: None,
            };
        }
        Self {
            open: Some(open),
            broken: None,
        }
    }

    fn end(&mut self) {
        if let Some(open) = self.open.take() {
            open.finish();
        }
    }

    /// Ends it, and says so when it is asked again: what was passed on before has to be on its way to the client, and a
    /// server that hears of a failure sends nothing more.
    fn fail(
        &mut self,
        failure: Failure,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        self.open = None;
        self.broken = Some(failure);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Open {
    fn is_over(&self) -> bool {
        match &self.content {
            Content::H1(answer) => answer.is_over(),
            Content::H2(incoming) => incoming.is_end_stream(),
        }
    }

    /// A provider that answers before it has read the request does not want the rest of it: closing the connection stops
    /// the client's upload too.
    fn finish(self) {
        let sent = match &self.content {
            Content::H1(answer) => answer.has_all_been_sent(),
            Content::H2(_) => self.progress.is_none_or(|request| request.completed()),
        };
        if sent {
            self.lease.give_back();
        }
    }

    /// The next bytes, or the end. Trailers are passed over: RFC 9110 §6.5.1 lets them be discarded, and no field of ours
    /// may come from one.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        match (&mut self.content, self.lease.held()) {
            (Content::H1(answer), Held::H1(wire)) => answer
                .poll_data(cx, wire)
                .map(|next| next.map(|data| data.map_err(Failure::of_connection))),
            (Content::H2(incoming), _) => loop {
                return Poll::Ready(match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => Some(Ok(data)),
                        Err(_) => continue,
                    },
                    Some(Err(error)) => {
                        let client = self.progress.as_ref().and_then(|body| body.failed());
                        Some(Err(Failure::of_exchange(error, client)))
                    }
                    // A stream that was reset without an error reads like an end; the length tells.
                    None if incoming.size_hint().exact().is_some_and(|left| left > 0) => {
                        Some(Err(Failure::new(FailureKind::Disconnected)))
                    }
                    None => None,
                });
            },
            (Content::H1(_), Held::H2(_)) => {
                Poll::Ready(Some(Err(Failure::new(FailureKind::Disconnected))))
            }
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let Some(open) = &mut self.open else {
            return Poll::Ready(self.broken.take().map(Err));
        };
        let Poll::Ready(next) = open.poll_data(cx) else {
            let passed = ready!(open.clock.poll_wait(cx));
            return self.fail(Failure::new(FailureKind::Timeout(passed)), cx);
        };
        match next {
            Some(Ok(data)) => {
                if let Some(passed) = open.clock.moved() {
                    return self.fail(Failure::new(FailureKind::Timeout(passed)), cx);
                }
                // The reader may take the last frame and never ask again.
                if open.is_over() {
                    self.end();
                }
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Err(failure)) => self.fail(failure, cx),
            None => {
                self.end();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.open.is_none() && self.broken.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.open.as_ref().map(|open| &open.content) {
            None => SizeHint::with_exact(0),
            Some(Content::H1(answer)) => answer
                .len()
                .map_or_else(SizeHint::new, SizeHint::with_exact),
            Some(Content::H2(incoming)) => incoming.size_hint(),
        }
    }
}

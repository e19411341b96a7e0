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
    early_answer::EarlyAnswer,
    failure::{Failure, FailureKind},
    h1,
    outgoing::{Outgoing, Progress},
    pool::{Held, Lease},
};

/// The body of a provider's answer, frame by frame as it arrives, without trailers.
///
/// Dropping it before its end cancels the call: an HTTP/1 connection is closed, an HTTP/2 stream is reset.
#[derive(Debug)]
pub struct UpstreamBody(State);

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are open")]
enum State {
    /// Read by whoever asks for it.
    Open(Open),
    /// Read by a task of its own, while the rest of the request is sent.
    Early(EarlyAnswer),
    /// Broken, which is told at the next look.
    Broken(Failure),
    Over,
}

/// An answer and the connection that it comes on.
#[derive(Debug)]
pub(super) struct Open {
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
    /// A stream of a connection that many share; `None` where an answer has no body, whenever its stream ends.
    H2(Option<Incoming>),
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
            return Self(State::Over);
        }
        Self(if open.waits_for_the_client() {
            State::Early(EarlyAnswer::begin(open))
        } else {
            State::Open(open)
        })
    }

    /// No body.
    pub const fn none() -> Self {
        Self(State::Over)
    }

    /// Whether the transfer says where it ends. One that does not is whole or cut short, and only its content can tell
    /// (RFC 9112 §6.3, case 8).
    pub fn is_delimited(&self) -> bool {
        match &self.0 {
            State::Open(open) => open.is_delimited(),
            State::Early(early) => early.delimited,
            State::Broken(_) | State::Over => true,
        }
    }

    fn end(&mut self) {
        if let State::Open(open) = std::mem::replace(&mut self.0, State::Over) {
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
        self.0 = State::Broken(failure);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Open {
    fn is_over(&self) -> bool {
        match &self.content {
            Content::H1(answer) => answer.is_over(),
            // The end may come in a frame of its own, and a reader that has all the bytes it expects does not ask for it.
            Content::H2(incoming) => incoming.as_ref().is_none_or(|incoming| {
                incoming.is_end_stream() || incoming.size_hint().exact() == Some(0)
            }),
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

    /// Whether the transfer says where it ends.
    pub(super) fn is_delimited(&self) -> bool {
        match &self.content {
            Content::H1(answer) => !answer.ends_with_connection(),
            Content::H2(_) => true,
        }
    }

    /// How much is to come, where that is known.
    pub(super) fn left(&self) -> SizeHint {
        match &self.content {
            Content::H1(answer) => answer
                .len()
                .map_or_else(SizeHint::new, SizeHint::with_exact),
            Content::H2(incoming) => incoming
                .as_ref()
                .map_or_else(|| SizeHint::with_exact(0), Body::size_hint),
        }
    }

    /// Whether more of the request is to come from a client that may read nothing before it has sent all of it.
    /// HTTP/2 has a task that sends.
    fn waits_for_the_client(&self) -> bool {
        match &self.content {
            Content::H1(answer) => self.progress.is_some() && !answer.has_all_been_sent(),
            Content::H2(_) => false,
        }
    }

    /// Sends more of the request while nobody wants more of the answer.
    pub(super) fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        match (&mut self.content, self.lease.held()) {
            (Content::H1(answer), Held::H1(wire)) => {
                let sent = answer.poll_upload(cx, wire);
                sent.map_err(Failure::of_connection)
            }
            _ => Ok(()),
        }
    }

    /// Ends the exchange, and gives what is left of the client's body.
    pub(super) fn into_upload(self) -> Option<Outgoing> {
        match self.content {
            Content::H1(answer) if !answer.has_all_been_sent() => answer.into_upload(),
            _ => {
                self.finish();
                None
            }
        }
    }

    /// The next bytes or the end, within the deadlines.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Failure>>> {
        let Poll::Ready(next) = self.poll_data(cx) else {
            let passed = ready!(self.clock.poll_wait(cx));
            self.lease.make_last();
            return Poll::Ready(Some(Err(Failure::new(FailureKind::Timeout(passed)))));
        };
        Poll::Ready(match (next, self.clock.moved()) {
            (Some(Ok(_)), Some(passed)) => Some(Err(Failure::new(FailureKind::Timeout(passed)))),
            (next, _) => next,
        })
    }

    /// The next bytes, or the end. Trailers are passed over: RFC 9110 §6.5.1 lets them be discarded, and no field of ours
    /// may come from one.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        match (&mut self.content, self.lease.held()) {
            (Content::H1(answer), Held::H1(wire)) => answer
                .poll_data(cx, wire)
                .map(|next| next.map(|data| data.map_err(Failure::of_connection))),
            (Content::H2(None), _) => Poll::Ready(None),
            (Content::H2(Some(incoming)), _) => loop {
                return Poll::Ready(match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => Some(Ok(data)),
                        Err(_) => continue,
                    },
                    Some(Err(error)) => {
                        let client = self.progress.as_ref().and_then(|body| body.failed());
                        Some(Err(Failure::of_exchange(error, client)))
                    }
                    // A stream that was reset without an error reads like an end.
                    None if !incoming.is_end_stream() => {
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
        let next = match &mut self.0 {
            State::Open(open) => ready!(open.poll_next(cx)),
            State::Early(early) => ready!(early.poll_next(cx)),
            State::Broken(_) | State::Over => {
                let broken = match std::mem::replace(&mut self.0, State::Over) {
                    State::Broken(failure) => Some(Err(failure)),
                    _ => None,
                };
                return Poll::Ready(broken);
            }
        };
        match next {
            Some(Ok(data)) => {
                // The reader may take the last frame and never ask again.
                let over = match &self.0 {
                    State::Open(open) => open.is_over(),
                    State::Early(early) => early.is_over(),
                    State::Broken(_) | State::Over => true,
                };
                if over {
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
        matches!(self.0, State::Over)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            State::Open(open) => open.left(),
            State::Early(early) => early.left(),
            State::Broken(_) | State::Over => SizeHint::with_exact(0),
        }
    }
}

//! The body of a request on its way to a provider.

use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::{Duration, Instant};

/// What a provider is sent after the head.
#[derive(Debug)]
pub struct Outgoing(Kind);

/// Why a client's body could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It came slower than its deadlines allow.
    #[error("the client's body came too slowly")]
    TooSlow,
    /// It is larger than its limit.
    #[error("the client's body is too large")]
    TooLarge,
    /// Its framing is broken.
    #[error("the client's body is malformed")]
    Malformed,
    /// The client is gone.
    #[error("the client went away before its body ended")]
    Disconnected,
}

#[derive(Debug)]
enum Kind {
    Empty,
    Full(Option<Bytes>),
    Stream {
        body: UnsyncBoxBody<Bytes, BodyError>,
        progress: Arc<Progress>,
    },
}

/// How far a streamed body is, for the one who waits for the answer.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    /// Milliseconds from the start to the last frame, [`WAITING`] while the client owes us one, or [`NOT_BEGUN`].
    moved: AtomicU64,
    /// Whether all of it went on, or how it broke.
    ended: OnceLock<Result<(), BodyError>>,
}

const WAITING: u64 = u64::MAX;
const NOT_BEGUN: u64 = u64::MAX - 1;

impl Outgoing {
    /// No body.
    pub const fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// A body that is here as a whole. It can be sent again if the provider has not seen it.
    pub fn full(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            return Self::empty();
        }
        Self(Kind::Full(Some(bytes)))
    }

    /// A body that is read from the client as the provider takes it. Its trailers are dropped. An exact size becomes the
    /// `Content-Length`, and a body that says when it has ended lets the connection be used again. The box is one for each
    /// upload; without it every connection type would be generic over where bodies come from.
    pub fn stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error = BodyError> + Send + 'static,
    {
        Self(Kind::Stream {
            body: UnsyncBoxBody::new(body),
            progress: Arc::new(Progress {
                started: Instant::now(),
                moved: AtomicU64::new(NOT_BEGUN),
                ended: OnceLock::new(),
            }),
        })
    }

    /// The same body again, where all of it is in memory.
    pub(super) fn again(&self) -> Option<Self> {
        match &self.0 {
            Kind::Empty => Some(Self(Kind::Empty)),
            Kind::Full(bytes) => Some(Self(Kind::Full(bytes.clone()))),
            Kind::Stream { .. } => None,
        }
    }

    /// Takes a body that is here as a whole.
    pub(super) fn take_whole(&mut self) -> Option<Bytes> {
        match &mut self.0 {
            Kind::Full(bytes) => bytes.take(),
            Kind::Empty | Kind::Stream { .. } => None,
        }
    }

    /// How far it is, where it is read from the client.
    pub(crate) fn progress(&self) -> Option<Arc<Progress>> {
        match &self.0 {
            Kind::Empty | Kind::Full(_) => None,
            Kind::Stream { progress, .. } => Some(Arc::clone(progress)),
        }
    }
}

impl Progress {
    /// When the last frame went on; `None` while the client owes us one.
    pub(super) fn moved(&self) -> Option<Instant> {
        match self.moved.load(Ordering::Acquire) {
            WAITING => None,
            NOT_BEGUN => Some(self.started),
            millis => Some(self.started + Duration::from_millis(millis)),
        }
    }

    /// How the body broke.
    pub(super) fn failed(&self) -> Option<BodyError> {
        self.ended.get().and_then(|ended| ended.err())
    }

    /// Whether it has been asked for, and not all of it went on.
    pub(crate) fn is_partial(&self) -> bool {
        self.moved.load(Ordering::Acquire) != NOT_BEGUN && !self.completed()
    }

    /// Whether all of it went on.
    pub(super) fn completed(&self) -> bool {
        self.ended.get().is_some_and(Result::is_ok)
    }

    fn mark(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(NOT_BEGUN - 1);
        self.moved.store(millis, Ordering::Release);
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Stream { body, progress } => loop {
                let Poll::Ready(next) = Pin::new(&mut *body).poll_frame(cx) else {
                    progress.moved.store(WAITING, Ordering::Release);
                    return Poll::Pending;
                };
                progress.mark();
                // The first end is the one that counts; hyper may or may not ask further.
                match &next {
                    Some(Err(error)) => drop(progress.ended.set(Err(*error))),
                    Some(Ok(_)) if !body.is_end_stream() => {}
                    Some(Ok(_)) | None => drop(progress.ended.set(Ok(()))),
                }
                match next {
                    Some(Ok(frame)) if !frame.is_data() => {}
                    next => return Poll::Ready(next),
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Full(bytes) => bytes.is_none(),
            Kind::Stream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Stream { body, .. } => body.size_hint(),
        }
    }
}

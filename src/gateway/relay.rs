//! A provider's answer, of which the beginning may have been read already, and without our credential in it.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::veil::{self, Veil};
use crate::{
    providers::EventVeil,
    upstream::{Credential, Failure, UpstreamBody},
};

/// What was read, and the rest.
#[derive(Debug)]
pub(super) struct Relayed {
    read: Option<Bytes>,
    rest: UpstreamBody,
    veil: Over,
}

/// Where our credential is hidden.
#[derive(Debug)]
enum Over {
    Nothing,
    All(Veil),
    Errors(EventVeil),
}

impl Over {
    fn draw(&mut self, piece: Bytes) -> Bytes {
        match self {
            Self::Nothing => piece,
            Self::All(veil) => veil.draw(piece),
            Self::Errors(veil) => veil.draw(piece),
        }
    }

    fn rest(&mut self) -> Option<Bytes> {
        match self {
            Self::Nothing => None,
            Self::All(veil) => veil.rest(),
            Self::Errors(veil) => veil.rest(),
        }
    }

    fn kept(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::All(veil) => veil.kept(),
            Self::Errors(veil) => veil.held(),
        }
    }
}

impl Relayed {
    /// An answer of which nothing was read.
    pub(super) fn whole(rest: UpstreamBody) -> Self {
        Self {
            read: None,
            rest,
            veil: Over::Nothing,
        }
    }

    /// An answer that begins with `read`.
    pub(super) fn after(read: Bytes, rest: UpstreamBody) -> Self {
        Self {
            read: Some(read).filter(|read| !read.is_empty()),
            rest,
            veil: Over::Nothing,
        }
    }

    /// The same without this credential in it.
    pub(super) fn veiled(self, credential: Option<&Credential>) -> Self {
        let veil = credential.and_then(Veil::over);
        Self {
            veil: veil.map_or(Over::Nothing, Over::All),
            ..self
        }
    }

    /// The same, a stream of events, without this credential in those that tell of an error.
    pub(super) fn veiled_in_errors(self, credential: Option<&Credential>) -> Self {
        let veil = credential.and_then(veil::over_events);
        Self {
            veil: veil.map_or(Over::Nothing, Over::Errors),
            ..self
        }
    }

    fn poll_plain(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match self.read.take() {
            Some(read) => Poll::Ready(Some(Ok(Frame::data(read)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        loop {
            let frame = ready!(self.as_mut().poll_plain(cx));
            if matches!(self.veil, Over::Nothing) {
                return Poll::Ready(frame);
            }
            let data = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.veil.draw(data),
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                None => match self.veil.rest() {
                    Some(rest) => rest,
                    None => return Poll::Ready(None),
                },
                failed => return Poll::Ready(failed),
            };
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_none() && self.veil.kept() == 0 && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.as_ref().map_or(0, |read| read.len() as u64) + self.veil.kept() as u64;
        let mut hint = self.rest.size_hint();
        let (lower, upper) = (hint.lower(), hint.upper());
        if let Some(upper) = upper {
            hint.set_upper(upper + read);
        }
        hint.set_lower(lower + read);
        hint
    }
}

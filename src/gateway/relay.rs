//! A provider's answer, of which the beginning may have been read already, and without our credential in it.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::mask::Mask;
use crate::{
    providers::EventMask,
    upstream::{Credential, Failure, UpstreamBody},
};

/// What was read, and the rest.
#[derive(Debug)]
pub(super) struct Relayed {
    read: Option<Bytes>,
    rest: UpstreamBody,
    mask: Masked,
}

/// Where our credential is hidden. What finds it is large, and most answers need none.
#[derive(Debug)]
enum Masked {
    Nothing,
    All(Box<Mask>),
    Errors(Box<EventMask>),
}

impl Masked {
    fn hide(&mut self, piece: Bytes) -> Bytes {
        match self {
            Self::Nothing => piece,
            Self::All(mask) => mask.hide(piece),
            Self::Errors(mask) => mask.hide(piece),
        }
    }

    fn rest(&mut self) -> Option<Bytes> {
        match self {
            Self::Nothing => None,
            Self::All(mask) => mask.rest(),
            Self::Errors(mask) => mask.rest(),
        }
    }

    fn kept(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::All(mask) => mask.kept(),
            Self::Errors(mask) => mask.kept(),
        }
    }
}

impl Relayed {
    /// An answer of which nothing was read.
    pub(super) fn whole(rest: UpstreamBody) -> Self {
        Self {
            read: None,
            rest,
            mask: Masked::Nothing,
        }
    }

    /// An answer that begins with `read`.
    pub(super) fn after(read: Bytes, rest: UpstreamBody) -> Self {
        Self {
            read: Some(read).filter(|read| !read.is_empty()),
            rest,
            mask: Masked::Nothing,
        }
    }

    /// The same without this credential in it.
    pub(super) fn masked(self, credential: Option<&Credential>) -> Self {
        let mask = credential.and_then(Mask::of);
        Self {
            mask: mask.map_or(Masked::Nothing, |mask| Masked::All(Box::new(mask))),
            ..self
        }
    }

    /// The same, a stream of events, without this credential in those that tell of an error.
    pub(super) fn masked_in_errors(self, credential: Option<&Credential>) -> Self {
        let secret = credential.and_then(Credential::secret);
        let mask = secret.cloned().map(EventMask::of);
        Self {
            mask: mask.map_or(Masked::Nothing, |mask| Masked::Errors(Box::new(mask))),
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
            if matches!(self.mask, Masked::Nothing) {
                return Poll::Ready(frame);
            }
            let data = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.mask.hide(data),
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                None => match self.mask.rest() {
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
        self.read.is_none() && self.mask.kept() == 0 && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.as_ref().map_or(0, |read| read.len() as u64) + self.mask.kept() as u64;
        let mut hint = self.rest.size_hint();
        let (lower, upper) = (hint.lower(), hint.upper());
        if let Some(upper) = upper {
            hint.set_upper(upper + read);
        }
        hint.set_lower(lower + read);
        hint
    }
}

//! A provider's answer of which the beginning was read already.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::upstream::{Failure, UpstreamBody};

/// What was read, and the rest.
#[derive(Debug)]
pub(super) struct Relayed {
    read: Option<Bytes>,
    rest: UpstreamBody,
}

impl Relayed {
    /// An answer of which nothing was read.
    pub(super) fn whole(rest: UpstreamBody) -> Self {
        Self { read: None, rest }
    }

    /// An answer that begins with `read`.
    pub(super) fn after(read: Bytes, rest: UpstreamBody) -> Self {
        Self {
            read: Some(read).filter(|read| !read.is_empty()),
            rest,
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
        match self.read.take() {
            Some(read) => Poll::Ready(Some(Ok(Frame::data(read)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.as_ref().map_or(0, |read| read.len() as u64);
        let mut hint = self.rest.size_hint();
        let (lower, upper) = (hint.lower(), hint.upper());
        if let Some(upper) = upper {
            hint.set_upper(upper + read);
        }
        hint.set_lower(lower + read);
        hint
    }
}

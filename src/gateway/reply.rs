//! The one body type of our answers.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{observe::Observation, relay::Relayed};
use crate::metering::{Aborted, Metered};

/// An answer's body, and the observation that ends with it.
#[derive(Debug)]
pub struct ReplyBody {
    content: Content,
    observation: Observation,
}

#[derive(Debug)]
enum Content {
    /// Ours, whole.
    Fixed(Option<Bytes>),
    /// A provider's, on its way.
    Metered(Pin<Box<Metered<Relayed>>>),
}

impl ReplyBody {
    pub(super) fn fixed(body: Bytes, observation: Observation) -> Self {
        Self {
            content: Content::Fixed(Some(body).filter(|body| !body.is_empty())),
            observation,
        }
    }

    pub(super) fn metered(body: Pin<Box<Metered<Relayed>>>, observation: Observation) -> Self {
        Self {
            content: Content::Metered(body),
            observation,
        }
    }
}

impl Drop for ReplyBody {
    /// The answer ends before its record is written, which tells what the call used.
    fn drop(&mut self) {
        if let Content::Metered(body) = &mut self.content
            && let Some(receipt) = body.as_mut().leave()
        {
            self.observation.settled(&receipt);
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let this = &mut *self;
        let polled = match &mut this.content {
            Content::Fixed(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Content::Metered(body) => {
                let polled = body.as_mut().poll_frame(cx);
                if let Some(receipt) = body.receipt() {
                    this.observation.settled(receipt);
                }
                if let Some(code) = body.interrupted() {
                    this.observation.breaks_off(code);
                }
                polled
            }
        };
        this.observation.passes(&polled);
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Fixed(body) => body.is_none(),
            Content::Metered(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Fixed(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
            Content::Metered(body) => body.size_hint(),
        }
    }
}

//! The one body type of our answers.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{observe::Observation, relay::Relayed};
use crate::metering::{Aborted, Metered};

/// How many turns of the event loop an answer that is broken off leaves to the bytes before the break, because hyper drops
/// what it has not written when a body fails: in the first they queue behind other connections' writes, in the second they
/// leave.
const LAST_TURNS: u8 = 2;

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
    Metered {
        body: Pin<Box<Metered<Relayed>>>,
        /// It was broken off, and says so after so many turns.
        breaks: Option<u8>,
    },
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
            content: Content::Metered { body, breaks: None },
            observation,
        }
    }

    /// What a provider's answer has next.
    fn poll_metered(
        body: &mut Pin<Box<Metered<Relayed>>>,
        breaks: &mut Option<u8>,
        observation: &mut Observation,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        if breaks.is_none() {
            let polled = body.as_mut().poll_frame(cx);
            if let Some(receipt) = body.receipt() {
                observation.settled(receipt);
            }
            if let Some(code) = body.interrupted() {
                observation.breaks_off(code);
            }
            if !matches!(polled, Poll::Ready(Some(Err(Aborted)))) {
                return polled;
            }
        }
        match breaks.get_or_insert(LAST_TURNS) {
            0 => Poll::Ready(Some(Err(Aborted))),
            left => {
                *left -= 1;
                // It wakes us when everybody else has been polled.
                let _ = pin!(tokio::task::yield_now()).poll(cx);
                Poll::Pending
            }
        }
    }
}

impl Drop for ReplyBody {
    /// The answer ends before its record is written, which tells what the call used.
    fn drop(&mut self) {
        if let Content::Metered { body, .. } = &mut self.content
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
            Content::Metered { body, breaks } => {
                Self::poll_metered(body, breaks, &mut this.observation, cx)
            }
        };
        this.observation.passes(&polled);
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Fixed(body) => body.is_none(),
            Content::Metered { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Fixed(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
            Content::Metered { body, .. } => body.size_hint(),
        }
    }
}

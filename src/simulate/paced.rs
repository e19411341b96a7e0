//! The body of an answer: frames at the pace of a model that writes.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, SizeHint};
use tokio::time::{Interval, interval};

use super::reply::{Frame, Frames};

/// A body that is there at once, or comes token by token.
pub(super) struct Paced(Source);

enum Source {
    Whole(Bytes),
    Stream {
        frames: Frames,
        /// The frame that waits for its tokens to be written.
        next: Option<Frame>,
        /// One tick for each token; `None` does not wait.
        pace: Option<Interval>,
    },
}

impl Paced {
    /// A body of known length.
    pub(super) const fn whole(bytes: Bytes) -> Self {
        Self(Source::Whole(bytes))
    }

    /// A stream that writes `tokens_per_second`; 0 does not wait. The first token is there at once.
    pub(super) fn stream(frames: Frames, tokens_per_second: u32) -> Self {
        Self(Source::Stream {
            frames,
            next: None,
            // An interval that fell behind catches up, so the rate holds on average however coarse the timer is.
            pace: per_token(tokens_per_second).map(interval),
        })
    }
}

/// How long one token takes; `None` for no time at all.
pub(super) fn per_token(tokens_per_second: u32) -> Option<Duration> {
    let rate = u64::from(tokens_per_second);
    let nanos = 1_000_000_000_u64.checked_div(rate)?;
    Some(Duration::from_nanos(nanos.max(1)))
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Source::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Whole(bytes) => {
                let all = std::mem::take(bytes);
                Poll::Ready(Some(Ok(http_body::Frame::data(all))))
            }
            Source::Stream { frames, next, pace } => {
                if next.is_none() {
                    *next = frames.next();
                }
                if let (Some(frame), Some(pace)) = (next.as_mut(), pace) {
                    while frame.tokens > 0 {
                        ready!(pace.poll_tick(cx));
                        frame.tokens -= 1;
                    }
                }
                Poll::Ready(
                    next.take()
                        .map(|frame| Ok(http_body::Frame::data(frame.data))),
                )
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Source::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Stream { .. } => SizeHint::default(),
        }
    }
}

impl fmt::Debug for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Whole(bytes) => f.debug_tuple("Whole").field(&bytes.len()).finish(),
            Source::Stream { .. } => f.write_str("Stream"),
        }
    }
}

//! Reads along with an answer. It can hide a chunk that we asked for ourselves; it can never break a stream.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, header};

use crate::providers::{AnswerMeter, Encoding, Endpoint, Observed, StreamMeter};

/// The media type of a stream of events (WHATWG HTML §9.2.1).
const EVENTS: &str = "text/event-stream";

/// Whether what has these fields calls itself a stream of events.
pub fn is_events(headers: &HeaderMap) -> bool {
    let media = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    media
        .get(..EVENTS.len())
        .is_some_and(|media| media.eq_ignore_ascii_case(EVENTS))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Who reads along.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives in the answer's one box; another box would cost every stream"
)]
#[derive(Debug)]
pub enum Observer {
    /// A stream of server-sent events.
    Stream(StreamMeter),
    /// One JSON document.
    Answer(AnswerMeter),
    /// Nobody: the answer is not metered by what it says.
    Blind,
}

impl Observer {
    /// The observer for an answer with these fields. `hide_usage` keeps the usage chunk of a stream from a client that
    /// did not ask for it.
    pub fn new(endpoint: Endpoint, headers: &HeaderMap, hide_usage: bool) -> Self {
        if !endpoint.meters_tokens() {
            return Self::Blind;
        }
        let encoding = Encoding::parse(text(headers, header::CONTENT_ENCODING));
        match (is_events(headers), encoding) {
            (true, Encoding::Identity) => {
                Self::Stream(StreamMeter::new(endpoint).hiding_usage(hide_usage))
            }
            (true, _) => Self::Stream(StreamMeter::compressed(endpoint, encoding)),
            (false, _) => Self::Answer(AnswerMeter::new(endpoint, encoding)),
        }
    }

    /// Whether the answer is a stream of events.
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::Stream(_))
    }

    /// Whether an event of ours can be put into it: a compressed stream would be damaged by one.
    pub fn takes_events(&self) -> bool {
        matches!(self, Self::Stream(meter) if !meter.is_compressed())
    }

    /// Whether the answer said by itself that it was complete.
    pub fn ended(&self) -> bool {
        matches!(self, Self::Stream(meter) if meter.ended())
    }

    /// Whether all that the model wrote has come, and what it used has not.
    pub fn awaits_figures(&self) -> bool {
        matches!(self, Self::Stream(meter) if meter.awaits_figures())
    }

    /// Whether what was written last of a stream has not ended.
    pub fn is_writing(&self) -> bool {
        matches!(self, Self::Stream(meter) if meter.is_writing())
    }

    /// Whether what came is all of an answer, as far as its content can tell.
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Stream(meter) => meter.is_whole(),
            Self::Answer(meter) => meter.is_whole(),
            Self::Blind => true,
        }
    }

    /// Whether something may be put between the last frame and the next.
    pub fn at_boundary(&self) -> bool {
        match self {
            Self::Stream(meter) => meter.at_event_boundary(),
            Self::Answer(_) | Self::Blind => false,
        }
    }

    /// Takes note of a frame, and gives back what is to be passed on; `None` when all of it is hidden or held back.
    pub fn push(&mut self, frame: Bytes) -> Option<Bytes> {
        match self {
            Self::Stream(meter) => meter.push(frame),
            Self::Answer(meter) => {
                meter.push(&frame);
                Some(frame)
            }
            Self::Blind => Some(frame),
        }
    }

    /// Whether it would keep so many bytes more until the answer has ended.
    pub fn keeps(&self, bytes: usize) -> bool {
        matches!(self, Self::Answer(meter) if meter.keeps(bytes))
    }

    /// Keeps nothing: an answer that is one document says nothing in the end.
    pub fn forget(&mut self) {
        if let Self::Answer(meter) = self {
            meter.forget();
        }
    }

    /// Tokens of a stream's output that were seen at the very least.
    pub fn output_at_least(&self) -> u64 {
        match self {
            Self::Stream(meter) => meter.output_at_least(),
            Self::Answer(_) | Self::Blind => 0,
        }
    }

    /// What was held back when the answer ended.
    pub fn finish(&mut self) -> Option<Bytes> {
        match self {
            Self::Stream(meter) => meter.finish(),
            Self::Answer(_) | Self::Blind => None,
        }
    }

    /// What the answer said of itself so far.
    pub fn observed(&mut self) -> Observed {
        match self {
            Self::Stream(meter) => meter.observed(),
            Self::Answer(meter) => meter.finish(),
            Self::Blind => Observed::default(),
        }
    }
}

//! An answer on its way out: one JSON text, or frames of an event stream.

use bytes::Bytes;
use serde_json::Value;

/// What is sent back with status 200.
pub(super) enum Reply {
    /// One JSON text.
    Whole {
        /// The text.
        json: Bytes,
        /// Output tokens in it, which is how long it takes.
        tokens: u64,
    },
    /// An event stream.
    Stream(Frames),
}

/// The frames of a stream, made one by one as they are sent.
pub(super) type Frames = Box<dyn Iterator<Item = Frame> + Send>;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// The bytes of the event, blank line included.
    pub(super) data: Bytes,
    /// Output tokens it stands for, which is how long it waits.
    pub(super) tokens: u64,
}

impl Reply {
    /// A JSON text that took `tokens` tokens to write.
    pub(super) fn json(value: &Value, tokens: u64) -> Self {
        Self::Whole {
            json: value.to_string().into(),
            tokens,
        }
    }
}

impl Frame {
    /// `data: …`, as OpenAI's older streams have it.
    pub(super) fn data(value: &Value, tokens: u64) -> Self {
        Self {
            data: format!("data: {value}\n\n").into(),
            tokens,
        }
    }

    /// `event: …` and `data: …`, the event named as the value's `type`.
    pub(super) fn event(value: &Value, tokens: u64) -> Self {
        let name = value
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or("message");
        Self {
            data: format!("event: {name}\ndata: {value}\n\n").into(),
            tokens,
        }
    }

    /// The end of OpenAI's older streams.
    pub(super) const fn done() -> Self {
        Self {
            data: Bytes::from_static(b"data: [DONE]\n\n"),
            tokens: 0,
        }
    }
}

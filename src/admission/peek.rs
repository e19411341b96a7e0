//! A request's body, read once and within bounds.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body;
use tokio::time::Instant;

use crate::{
    listener::{CatchUp, by},
    overload::Room,
    refusal::{Code, Detail, Refusal},
};

/// Bounds of a body.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes at most.
    pub bytes: u64,
    /// Silence at most.
    pub idle: Duration,
    /// From its first to its last byte, at most.
    pub total: Duration,
}

/// Bytes per second that a body has to keep up, on average, and how long it is spared: slower ones hold a connection
/// and memory for nothing.
const LEAST_RATE: u64 = 500;
const SPARED: Duration = Duration::from_secs(20);

/// How long a body was waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    start: Instant,
    /// Since when the next bytes are waited for.
    since: Instant,
    /// Waiting before that. Time in which we took nothing ourselves is not the client's.
    waited: Duration,
    read: u64,
}

impl Patience {
    /// A body of which nothing has come yet.
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            since: now,
            waited: Duration::ZERO,
            read: 0,
        }
    }

    /// Bytes that have come.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Begins to wait for the next bytes.
    pub fn wait(&mut self) {
        self.since = Instant::now();
    }

    /// Ends to wait for them.
    pub fn waited(&mut self) {
        self.waited += self.since.elapsed();
    }

    /// Notes bytes that came.
    pub fn came(&mut self, bytes: usize) {
        self.read = self.read.saturating_add(bytes as u64);
    }

    /// Until when the next bytes have to come.
    pub fn deadline(&self, bounds: &Bounds) -> Instant {
        let due = SPARED.max(Duration::from_millis(
            self.read.saturating_mul(1000) / LEAST_RATE,
        ));
        let pace = self.since + due.saturating_sub(self.waited);
        (self.start + bounds.total)
            .min(self.since + bounds.idle)
            .min(pace)
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::new()
    }
}

/// Refuses a body by the length that its head announces, before a byte of it is read.
///
/// # Errors
/// 413 when it is above `bytes`.
pub fn announced(headers: &HeaderMap, bytes: u64) -> Result<(), Refusal> {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > bytes) {
        return Err(Refusal::new(Code::BodyTooLarge).with(Detail::Bytes(bytes)));
    }
    Ok(())
}

/// Refuses a body that would have to be read and is compressed.
///
/// # Errors
/// 415 when it is.
pub fn uncompressed(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    if codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        Ok(())
    } else {
        Err(Code::UnsupportedContentEncoding.into())
    }
}

/// What is made room for at once where a body announces more: what is announced may never come.
const AHEAD: usize = 256 << 10;

/// Reads a body to its end. A body that came in one frame is passed on by handle. What it takes of `room` is the caller's
/// to keep as long as the bytes.
///
/// # Errors
/// 408 when it is too slow, 413 when it is too large, 400 when its framing is broken, 503 when there is no room for it.
pub async fn peek<B>(body: B, bounds: Bounds, room: &mut Room) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    let mut patience = Patience::new();
    let mut catch_up = CatchUp::default();
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        if body.is_end_stream() {
            break;
        }
        // What is there already is taken without a look at the clock.
        let frame = match poll_fn(|cx| Poll::Ready(body.as_mut().poll_frame(cx))).await {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                patience.wait();
                let frame = poll_fn(|cx| body.as_mut().poll_frame(cx));
                let frame = by(patience.deadline(&bounds), &mut catch_up, pin!(frame)).await;
                patience.waited();
                frame.ok_or(Code::RequestTimeout)?
            }
        };
        let frame = match frame {
            None => break,
            Some(frame) => frame.map_err(|_| Code::InvalidFraming)?,
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        patience.came(data.len());
        if patience.read() > bounds.bytes {
            return Err(Refusal::new(Code::BodyTooLarge).with(Detail::Bytes(bounds.bytes)));
        }
        room.grow(data.len()).map_err(|_| crowded())?;
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            let more = first.len() + data.len();
            let announced = usize::try_from(body.size_hint().lower()).unwrap_or(0);
            if rest.is_empty() {
                rest = room.memory(more.saturating_add(announced));
            }
            if rest.capacity() - rest.len() < more {
                rest.reserve(more + announced.min(AHEAD.max(rest.len() / 4)));
            }
            rest.extend_from_slice(&std::mem::take(&mut first));
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}

/// The refusal of a body for which there is no room among those that are held.
fn crowded() -> Refusal {
    let words = "The gateway holds as many request bodies as it has memory for. Try again shortly.";
    Refusal::new(Code::Overloaded).with(Detail::Say(words))
}

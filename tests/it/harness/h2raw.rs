//! HTTP/2 as bytes: frames that are written as they stand, right or wrong, and frames as they come.

use std::{fmt, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use super::within;

/// RFC 9113 §3.4.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames, RFC 9113 §6.
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// Flags of frames, RFC 9113 §6.
pub(crate) mod flag {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const ACK: u8 = 1;
    pub(crate) const END_STREAM: u8 = 1;
    pub(crate) const END_HEADERS: u8 = 4;
    /// A head that is a whole request.
    pub(crate) const WHOLE: u8 = END_STREAM | END_HEADERS;
    pub(crate) const PADDED: u8 = 8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// Error codes, RFC 9113 §7.
pub(crate) mod code {
    pub(crate) const NO_ERROR: u32 = 0;
    pub(crate) const PROTOCOL: u32 = 1;
    pub(crate) const FLOW_CONTROL: u32 = 3;
    pub(crate) const STREAM_CLOSED: u32 = 5;
    pub(crate) const FRAME_SIZE: u32 = 6;
    pub(crate) const REFUSED_STREAM: u32 = 7;
    pub(crate) const CANCEL: u32 = 8;
    pub(crate) const COMPRESSION: u32 = 9;
}

/// A frame as it came.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// A connection.
pub(crate) struct Wire<S = TcpStream> {
    io: S,
    read: Vec<u8>,
}

// === writing ===

/// Any frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// HEADERS with these flags.
pub(crate) fn headers(flags: u8, stream: u32, block: &[u8]) -> Vec<u8> {
    frame(kind::HEADERS, flags, stream, block)
}

/// DATA with these flags.
pub(crate) fn data(flags: u8, stream: u32, bytes: &[u8]) -> Vec<u8> {
    frame(kind::DATA, flags, stream, bytes)
}

/// SETTINGS of these numbers and values.
pub(crate) fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in values {
        payload.extend(name.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    frame(kind::SETTINGS, flag::NONE, 0, &payload)
}

/// `RST_STREAM`.
pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(kind::RST_STREAM, flag::NONE, stream, &code.to_be_bytes())
}

/// `WINDOW_UPDATE`.
pub(crate) fn window(stream: u32, more: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, flag::NONE, stream, &more.to_be_bytes())
}

/// PING with these eight bytes.
pub(crate) fn ping(payload: &[u8; 8]) -> Vec<u8> {
    frame(kind::PING, flag::NONE, 0, payload)
}

/// Fields as a header block: literals that are not indexed (RFC 7541 §6.2.2).
pub(crate) fn block<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: &[(N, V)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_ref(), value.as_ref()] {
            integer(&mut block, 0, 7, text.len());
            block.extend(text);
        }
    }
    block
}

/// An integer with a prefix of so many bits (RFC 7541 §5.1), the bits before it being `first`.
pub(crate) fn integer(out: &mut Vec<u8>, first: u8, bits: u32, value: usize) {
    let most = (1_usize << bits) - 1;
    if value < most {
        out.push(first | u8::try_from(value).unwrap());
        return;
    }
    out.push(first | u8::try_from(most).unwrap());
    let mut rest = value - most;
    while rest >= 128 {
        out.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    out.push(u8::try_from(rest).unwrap());
}

// === reading ===

impl Frame {
    pub(crate) fn is(&self, kind: u8, stream: u32) -> bool {
        self.kind == kind && self.stream == stream
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The code of `RST_STREAM` or GOAWAY.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == kind::GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    /// The status of an answer's head, which is its first field. It needs no table of the connection as long as the client
    /// allows none (`SETTINGS_HEADER_TABLE_SIZE`), as [`Wire::open`] does.
    pub(crate) fn status(&self) -> u16 {
        let mut rest = &self.payload[..];
        // Changes of the table's size (RFC 7541 §6.3).
        while rest[0] & 0xe0 == 0x20 {
            rest = &rest[1..];
        }
        match rest[0] {
            // The static table, RFC 7541 appendix A.
            0x88 => 200,
            0x89 => 204,
            0x8a => 206,
            0x8b => 304,
            0x8c => 400,
            0x8d => 404,
            0x8e => 500,
            0x08 | 0x18 | 0x48 if rest[1] & 0x80 == 0 => digits(&rest[2..5]),
            0x08 | 0x18 | 0x48 => unpacked(&rest[2..2 + usize::from(rest[1] & 0x7f)]),
            other => panic!("{other:#x} is no status that was expected: {self:?}"),
        }
    }
}

fn digits(text: &[u8]) -> u16 {
    std::str::from_utf8(text).unwrap().parse().unwrap()
}

/// Three digits in Huffman's code (RFC 7541 appendix B): five bits for 0, 1 and 2, six for the others.
fn unpacked(bytes: &[u8]) -> u16 {
    let mut bits = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| u16::from(byte >> at & 1)));
    let mut text = 0;
    for _ in 0..3 {
        let five = (0..5).fold(0, |code, _| code * 2 + bits.next().unwrap());
        let digit = if five < 3 {
            five
        } else {
            five * 2 + bits.next().unwrap() - 0x19 + 3
        };
        text = text * 10 + digit;
    }
    text
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            flags,
            stream,
            payload,
        } = self;
        let shown = String::from_utf8_lossy(&payload[..payload.len().min(60)]);
        write!(
            f,
            "<{kind} flags {flags:#x} stream {stream}, {} bytes {shown:?}>",
            payload.len()
        )
    }
}

impl Wire {
    /// A connection whose handshake is over. It allows no table of fields.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::with(address, &[]).await
    }

    /// The same, with more settings.
    pub(crate) async fn with(address: SocketAddr, values: &[(u16, u32)]) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut wire = Self::new(stream);
        let settings = settings(&[&[(1, 0)], values].concat());
        assert!(wire.send(&[PREFACE, &settings].concat()).await);
        let first = wire.next().await.unwrap();
        assert!(first.is(kind::SETTINGS, 0) && !first.has(flag::ACK));
        let acknowledged = frame(kind::SETTINGS, flag::ACK, 0, b"");
        assert!(wire.send(&acknowledged).await);
        wire
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// A connection on which nothing has been said.
    pub(crate) fn new(io: S) -> Self {
        Self {
            io,
            read: Vec::new(),
        }
    }

    /// Sends bytes. Says whether the other side still takes them.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = async {
            self.io.write_all(bytes).await?;
            self.io.flush().await
        };
        within("bytes were taken", sent).await.is_ok()
    }

    /// The bytes of a client's preface, before its frames.
    pub(crate) async fn preface(&mut self) {
        while self.read.len() < PREFACE.len() {
            assert!(self.more().await, "a preface");
        }
        assert_eq!(self.read.drain(..PREFACE.len()).as_slice(), PREFACE);
    }

    /// The next frame; `None` when the connection is closed.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let [high, middle, low, kind, flags, stream @ ..] = &self.read[..]
                && let Some(stream) = stream.first_chunk::<4>()
            {
                let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
                let (kind, flags) = (*kind, *flags);
                let stream = u32::from_be_bytes(*stream);
                if self.read.len() >= 9 + length {
                    let payload = self.read.drain(..9 + length).skip(9).collect();
                    return Some(Frame {
                        kind,
                        flags,
                        stream,
                        payload,
                    });
                }
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The next frame for which `wanted` holds; `None` when the connection is closed before.
    pub(crate) async fn find(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        while let Some(frame) = self.next().await {
            if wanted(&frame) {
                return Some(frame);
            }
        }
        None
    }

    /// The head of a stream's answer, and its status.
    pub(crate) async fn answer(&mut self, stream: u32) -> u16 {
        let head = self.find(|frame| frame.stream == stream && frame.kind != kind::WINDOW_UPDATE);
        let head = head.await.expect("an answer, not the end");
        assert!(head.is(kind::HEADERS, stream), "{head:?}");
        head.status()
    }

    /// The code of the GOAWAY that ends the connection; `None` when it ends without one.
    pub(crate) async fn goaway(&mut self) -> Option<u32> {
        let found = self.find(|frame| frame.kind == kind::GOAWAY).await?;
        Some(found.code())
    }

    /// Waits for the end of the connection.
    pub(crate) async fn closed(&mut self) {
        while self.next().await.is_some() {}
    }

    /// Whether the other side still answers pings.
    pub(crate) async fn lives(&mut self) -> bool {
        self.send(&ping(b"alive? .")).await
            && self
                .find(|frame| frame.kind == kind::PING && frame.payload == b"alive? .")
                .await
                .is_some()
    }

    async fn more(&mut self) -> bool {
        let read = within("bytes or an end", self.io.read_buf(&mut self.read)).await;
        matches!(read, Ok(1..))
    }
}

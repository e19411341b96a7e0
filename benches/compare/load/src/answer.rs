//! Reads an answer of HTTP/1.1 from whatever pieces it comes in.

use std::io;

use memchr::{memchr, memmem};

/// Fields of an answer at most.
const FIELDS: usize = 64;

/// Where the next byte belongs.
#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Head,
    Length(u64),
    UntilClose,
    /// A line with the size of a chunk.
    Size,
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    Trailer,
    Done,
}

/// An answer on its way.
#[derive(Debug, Default)]
pub struct Answer {
    state: State,
    /// A head or a line that is not whole yet.
    kept: Vec<u8>,
    /// Its status, once the head is there.
    pub status: u16,
    /// Whether the connection ends with it.
    pub closes: bool,
}

impl Answer {
    /// Makes room for the next one.
    pub fn clear(&mut self) {
        self.state = State::Head;
        self.kept.clear();
        self.status = 0;
        self.closes = false;
    }

    /// Whether it is whole.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes what was read; content goes to `sink`. No bytes: the other side has closed.
    pub fn feed(&mut self, mut bytes: &[u8], mut sink: impl FnMut(&[u8])) -> io::Result<()> {
        if bytes.is_empty() {
            if matches!(self.state, State::UntilClose) {
                self.state = State::Done;
                return Ok(());
            }
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while !bytes.is_empty() {
            match self.state {
                State::Head => bytes = self.head(bytes)?,
                State::Length(left) | State::Chunk(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    sink(&bytes[..taken]);
                    bytes = &bytes[taken..];
                    let left = left - taken as u64;
                    self.state = match self.state {
                        State::Length(_) if left == 0 => State::Done,
                        State::Length(_) => State::Length(left),
                        _ if left == 0 => State::ChunkEnd,
                        _ => State::Chunk(left),
                    };
                }
                State::UntilClose => {
                    sink(bytes);
                    bytes = &[];
                }
                State::Size | State::ChunkEnd | State::Trailer => bytes = self.line(bytes)?,
                State::Done => return Err(io::Error::other("more than one answer to a request")),
            }
        }
        Ok(())
    }

    fn head<'a>(&mut self, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
        // Nearly always the head comes in one piece and is read where it lies.
        if self.kept.is_empty()
            && let Some(end) = memmem::find(bytes, b"\r\n\r\n")
        {
            self.read_head(&bytes[..end + 4])?;
            return Ok(&bytes[end + 4..]);
        }
        let before = self.kept.len();
        self.kept.extend_from_slice(bytes);
        let from = before.saturating_sub(3);
        let Some(end) = memmem::find(&self.kept[from..], b"\r\n\r\n") else {
            return Ok(&[]);
        };
        let end = from + end + 4;
        let head = std::mem::take(&mut self.kept);
        self.read_head(&head[..end])?;
        Ok(&bytes[end - before..])
    }

    fn read_head(&mut self, head: &[u8]) -> io::Result<()> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        response.parse(head).map_err(io::Error::other)?;
        self.status = response.code.unwrap_or(0);
        self.state = State::UntilClose;
        for field in response.headers.iter() {
            if field.name.eq_ignore_ascii_case("content-length") {
                let length = std::str::from_utf8(field.value).ok();
                let length = length.and_then(|digits| digits.parse().ok());
                let length =
                    length.ok_or_else(|| io::Error::other("a length that is no number"))?;
                self.state = if length == 0 {
                    State::Done
                } else {
                    State::Length(length)
                };
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                self.state = State::Size;
            } else if field.name.eq_ignore_ascii_case("connection") {
                self.closes = field.value.eq_ignore_ascii_case(b"close");
            }
        }
        if (100..200).contains(&self.status) {
            self.state = State::Head;
        }
        Ok(())
    }

    fn line<'a>(&mut self, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
        let Some(end) = memchr(b'\n', bytes) else {
            self.kept.extend_from_slice(bytes);
            return Ok(&[]);
        };
        self.kept.extend_from_slice(&bytes[..end]);
        let line = self.kept.trim_ascii();
        self.state = match self.state {
            State::Size => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
                let size = std::str::from_utf8(digits)
                    .ok()
                    .and_then(|digits| u64::from_str_radix(digits, 16).ok());
                match size.ok_or_else(|| io::Error::other("a chunk without a size"))? {
                    0 => State::Trailer,
                    size => State::Chunk(size),
                }
            }
            State::Trailer if line.is_empty() => State::Done,
            State::Trailer => State::Trailer,
            _ => State::Size,
        };
        self.kept.clear();
        Ok(&bytes[end + 1..])
    }
}

//! Reads requests of HTTP/1.1 with either framing, one after the other, into a buffer that stays.

use std::io;

use memchr::memmem;
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::knobs::Knobs;

/// Fields of a request at most.
const FIELDS: usize = 64;

/// What is known of a request.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Whether it asks for a stream.
    pub stream: bool,
    /// How its answer is to come.
    pub knobs: Knobs,
}

/// The bytes of a connection that were read and not used.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
}

struct Head {
    length: usize,
    framing: Framing,
    knobs: Knobs,
}

enum Framing {
    Length(usize),
    Chunked,
}

impl Reader {
    /// The next request, or nothing where the connection ends between two.
    pub async fn next(&mut self, stream: &mut TcpStream) -> io::Result<Option<Request>> {
        let head = loop {
            if let Some(head) = head(&self.bytes)? {
                break head;
            }
            if !self.more(stream).await? {
                return Ok(None);
            }
        };
        let mut knobs = head.knobs;
        let (decoded, end) = match head.framing {
            Framing::Length(length) => {
                let end = head.length + length;
                self.bytes.reserve(end.saturating_sub(self.bytes.len()));
                while self.bytes.len() < end {
                    self.must(stream).await?;
                }
                (None, end)
            }
            Framing::Chunked => {
                let (body, end) = self.chunked(stream, head.length).await?;
                (Some(body), end)
            }
        };
        let body = decoded.as_deref().unwrap_or(&self.bytes[head.length..end]);
        knobs.prompt(body);
        let stream = streams(body);
        self.bytes.drain(..end);
        Ok(Some(Request { stream, knobs }))
    }

    /// A chunked body that starts at `at`, and where it ends.
    async fn chunked(
        &mut self,
        stream: &mut TcpStream,
        mut at: usize,
    ) -> io::Result<(Vec<u8>, usize)> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                match memmem::find(&self.bytes[at..], b"\r\n") {
                    Some(length) => break length,
                    None => self.must(stream).await?,
                }
            };
            let size = self.bytes[at..at + line].split(|byte| *byte == b';').next();
            let size = size
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .and_then(|digits| usize::from_str_radix(digits.trim(), 16).ok())
                .ok_or_else(|| io::Error::other("a chunk without a size"))?;
            at += line + 2;
            while self.bytes.len() < at + size + 2 {
                self.must(stream).await?;
            }
            body.extend_from_slice(&self.bytes[at..at + size]);
            at += size + 2;
            // Trailers are nobody's here: the last chunk and an empty line end the body.
            if size == 0 {
                return Ok((body, at));
            }
        }
    }

    async fn must(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        if self.more(stream).await? {
            return Ok(());
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    async fn more(&mut self, stream: &mut TcpStream) -> io::Result<bool> {
        self.bytes.reserve(16 << 10);
        Ok(stream.read_buf(&mut self.bytes).await? > 0)
    }
}

/// The head at the beginning of the bytes, once it is whole.
fn head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let length = match request.parse(bytes).map_err(io::Error::other)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let mut head = Head {
        length,
        framing: Framing::Length(0),
        knobs: Knobs::default(),
    };
    for field in request.headers.iter() {
        if field.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(field.value)
                .ok()
                .and_then(|digits| digits.parse().ok());
            let length = length.ok_or_else(|| io::Error::other("a length that is no number"))?;
            head.framing = Framing::Length(length);
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            head.framing = Framing::Chunked;
        } else {
            head.knobs.field(field.name, field.value);
        }
    }
    Ok(Some(head))
}

/// Whether a body says `"stream": true`. It stands before the prompt in all requests of the comparison, so little of
/// a large body is looked at.
fn streams(body: &[u8]) -> bool {
    memmem::find_iter(body, b"\"stream\"").any(|at| {
        let mut rest = body[at + 8..]
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace());
        rest.next() == Some(b':') && rest.next() == Some(b't')
    })
}

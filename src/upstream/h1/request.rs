//! A request on its way out: its head, and its body as it comes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::{HeaderValue, Request, uri::PathAndQuery};
use http_body::Body;

use super::{Broken, Wire};
use crate::upstream::{BodyError, Outgoing};

/// What is left of a request.
#[derive(Debug)]
pub(super) struct Upload {
    body: Outgoing,
    framing: Framing,
    /// How much of the connection's line has gone.
    line: usize,
    data: Bytes,
    /// What ends a chunk.
    tail: &'static [u8],
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sending,
    /// The last bytes are on their way.
    Ending,
    /// The connection takes no more.
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// So many bytes are to come.
    Length(u64),
    Chunks,
}

impl Upload {
    /// Writes the head down, and takes the body.
    pub(super) fn begin(
        wire: &mut Wire,
        request: &mut Request<Outgoing>,
        address: (&HeaderValue, &PathAndQuery),
    ) -> Self {
        let body = std::mem::replace(request.body_mut(), Outgoing::empty());
        let framing = match body.size_hint().exact() {
            Some(length) => Framing::Length(length),
            None => Framing::Chunks,
        };
        wire.line.clear();
        write_head(&mut wire.line, request, address, framing);
        let mut upload = Self {
            body,
            framing,
            line: 0,
            data: Bytes::new(),
            tail: &[],
            state: State::Sending,
        };
        // A body that is here as a whole leaves together with its head.
        upload.data = upload.body.take_whole().unwrap_or_default();
        if let Framing::Length(left) = &mut upload.framing {
            *left = left.saturating_sub(upload.data.len() as u64);
        }
        upload
    }

    /// The body again, of which nothing has been sent.
    pub(super) fn into_body(self) -> Outgoing {
        if self.data.is_empty() {
            self.body
        } else {
            Outgoing::full(self.data)
        }
    }

    /// What of the client's body has not been taken.
    pub(super) fn into_rest(self) -> Outgoing {
        self.body
    }

    /// Sends the rest, as far as it is there.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        wire: &mut Wire,
    ) -> Poll<Result<(), Broken>> {
        loop {
            while self.state != State::Stopped && self.has_bytes(wire) {
                ready!(self.poll_write(cx, wire))?;
            }
            match self.state {
                State::Stopped => {
                    self.poll_discard(cx);
                    return Poll::Pending;
                }
                State::Ending => return wire.poll_flush(cx).map_err(Broken::Lost),
                State::Sending => {}
            }
            let Poll::Ready(next) = Pin::new(&mut self.body).poll_frame(cx) else {
                // What was written before must not wait for what comes next.
                let _ = wire.poll_flush(cx)?;
                return Poll::Pending;
            };
            match next.transpose().map_err(Broken::Client)? {
                Some(frame) => {
                    if let Ok(data) = frame.into_data() {
                        self.add(data, wire)?;
                    }
                }
                None => self.end(wire)?,
            }
        }
    }

    /// The client may read nothing before it has sent all of it.
    fn poll_discard(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(Ok(_))) = Pin::new(&mut self.body).poll_frame(cx) {}
    }

    /// Sends no more.
    pub(super) fn stop(&mut self) {
        self.state = State::Stopped;
        self.data = Bytes::new();
    }

    fn add(&mut self, data: Bytes, wire: &mut Wire) -> Result<(), Broken> {
        // An empty chunk would be the last one.
        if data.is_empty() {
            return Ok(());
        }
        wire.line.clear();
        self.line = 0;
        match &mut self.framing {
            Framing::Length(left) => {
                let less = left.checked_sub(data.len() as u64);
                *left = less.ok_or(Broken::Client(BodyError::Malformed))?;
            }
            Framing::Chunks => {
                use io::Write;
                write!(wire.line, "{:x}\r\n", data.len())?;
                self.tail = b"\r\n";
            }
        }
        self.data = data;
        Ok(())
    }

    fn end(&mut self, wire: &mut Wire) -> Result<(), Broken> {
        wire.line.clear();
        self.line = 0;
        match self.framing {
            Framing::Length(0) => {}
            Framing::Length(_) => return Err(Broken::Client(BodyError::Malformed)),
            Framing::Chunks => wire.line.extend_from_slice(b"0\r\n\r\n"),
        }
        self.state = State::Ending;
        Ok(())
    }

    fn has_bytes(&self, wire: &Wire) -> bool {
        self.line < wire.line.len() || !self.data.is_empty() || !self.tail.is_empty()
    }

    /// Sends what is at hand, or a part of it.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        wire: &mut Wire,
    ) -> Poll<io::Result<()>> {
        let sent = ready!(wire.poll_write(cx, self.line, [&self.data, self.tail]))?;
        if sent == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let of_line = sent.min(wire.line.len() - self.line);
        let of_data = (sent - of_line).min(self.data.len());
        self.line += of_line;
        self.data.advance(of_data);
        self.tail = self
            .tail
            .get(sent - of_line - of_data..)
            .unwrap_or_default();
        Poll::Ready(Ok(()))
    }
}

/// RFC 9112 §3 and §5: a server is asked for path and query, and told its name in `Host`. Methods, targets, names and values
/// have been parsed: none can end its line.
fn write_head(
    line: &mut Vec<u8>,
    request: &Request<Outgoing>,
    (host, path): (&HeaderValue, &PathAndQuery),
    framing: Framing,
) {
    let mut put = |pieces: &[&[u8]]| {
        for piece in pieces {
            line.extend_from_slice(piece);
        }
    };
    let method = request.method().as_str().as_bytes();
    let target = path.as_str().as_bytes();
    put(&[method, b" ", target, b" HTTP/1.1\r\n"]);
    for (name, value) in request.headers() {
        put(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    }
    put(&[b"host: ", host.as_bytes(), b"\r\n"]);
    // A length of none stands among the fields where it has to be said.
    match framing {
        Framing::Length(0) => {}
        Framing::Length(length) => {
            let mut digits = itoa::Buffer::new();
            put(&[
                b"content-length: ",
                digits.format(length).as_bytes(),
                b"\r\n",
            ]);
        }
        Framing::Chunks => put(&[b"transfer-encoding: chunked\r\n"]),
    }
    put(&[b"\r\n"]);
}

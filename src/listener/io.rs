//! The stream that hyper reads and writes: it notes what happens, and comes back when hyper is done.

use std::{
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use super::{clocks::Clocks, frames::Frames, stream::Stream};

#[derive(Debug)]
pub(super) struct Io {
    /// Taken only by `Drop`.
    stream: Option<Stream>,
    /// What was read to learn the protocol.
    prefix: Bytes,
    clocks: Arc<Clocks>,
    /// HTTP/2's frames; HTTP/1 has none.
    frames: Option<Frames>,
    /// Whether it is looked for the client's end while hyper does not read.
    watch: Watch,
    /// Whether the bytes until the next flush have let others go first.
    queued: bool,
    /// Whether what is written waits for the client.
    waiting: bool,
}

/// Whether a client that closes its side while it waits for its answer is noticed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    /// hyper does it, or h2: by reading on, for which it takes another buffer while the request holds the first.
    Theirs,
    /// It is looked for with every flush, by a peek that takes no buffer.
    Ours,
    /// Something else came before it: a further request, which hyper will read, and with it what comes then.
    Data,
}

impl Io {
    pub(super) fn new(
        stream: Stream,
        prefix: Bytes,
        clocks: Arc<Clocks>,
        frames: Option<Frames>,
        watch: Watch,
    ) -> Self {
        Self {
            stream: Some(stream),
            prefix,
            clocks,
            frames,
            watch,
            queued: false,
            waiting: false,
        }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut Stream>> {
        self.stream
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Looks whether the client has closed its side while its request is under way.
    fn look(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.watch == Watch::Theirs || !self.clocks.is_busy() || !self.prefix.is_empty() {
            return Ok(());
        }
        let Some(Stream::Plain(tcp)) = &self.stream else {
            return Ok(());
        };
        let has_ended = if self.watch == Watch::Data {
            // What came hides the end behind it from a peek. What the event loop saw last does not, but nothing wakes us for it.
            let readable = pin!(tcp.ready(Interest::READABLE)).poll(cx)?;
            matches!(readable, Poll::Ready(readable) if readable.is_read_closed())
        } else {
            let mut byte = [0];
            match tcp.poll_peek(cx, &mut ReadBuf::new(&mut byte))? {
                Poll::Pending => false,
                Poll::Ready(0) => true,
                Poll::Ready(_) => {
                    self.watch = Watch::Data;
                    false
                }
            }
        };
        if has_ended {
            self.clocks.end_arrived();
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// Puts this task behind all that are ready, once before each flush: so answers that are made in one turn of the
    /// event loop leave one after the other, and what comes for an answer meanwhile leaves with it. Who reads many of
    /// them is woken once, and waking is most of what a small write costs. HTTP/2 gathers its streams' frames itself.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.queued || self.frames.is_some() {
            return Poll::Ready(());
        }
        self.queued = true;
        pin!(tokio::task::yield_now()).poll(cx)
    }

    /// Keeps the clock of stalled writes. An error ends the connection by itself.
    fn note_write<T>(&mut self, outcome: &Poll<io::Result<T>>) {
        match outcome {
            Poll::Ready(_) => self.clocks.write_went_on(),
            Poll::Pending => self.clocks.write_waits(),
        }
        self.note_waiting(outcome.is_pending());
    }

    fn note_waiting(&mut self, waiting: bool) {
        if self.waiting != waiting {
            self.waiting = waiting;
            if let Some(stream) = &self.stream {
                stream.set_waiting(waiting);
            }
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        if self.watch == Watch::Data {
            self.watch = Watch::Ours;
        }
        if self.prefix.is_empty() {
            ready!(self.stream()?.poll_read(cx, buf))?;
            if buf.filled().len() == before {
                self.clocks.end_arrived();
                return Poll::Ready(Ok(()));
            }
        } else {
            let taken = self.prefix.len().min(buf.remaining());
            buf.put_slice(&self.prefix.split_to(taken));
            // What came with it goes along: whoever reads would make twice the room before the next read. An end or an
            // error is met again there.
            if buf.remaining() > 0 {
                let _ = self.stream()?.poll_read(cx, buf);
            }
        }
        let Self { frames, clocks, .. } = &mut *self;
        match frames {
            None => clocks.bytes_arrived(),
            Some(frames) => {
                let open = frames.read(buf.filled().get(before..).unwrap_or_default());
                clocks.frames_arrived(open, frames.is_flood());
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(cx));
        let outcome = self.stream()?.poll_write(cx, buf);
        self.note_write(&outcome);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(cx));
        let outcome = self.stream()?.poll_write_vectored(cx, bufs);
        self.note_write(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.look(cx)?;
        self.queued = false;
        let outcome = self.stream()?.poll_flush(cx);
        // hyper and h2 flush only what they have written whole, so a flush that is ready means that nothing waits.
        self.note_write(&outcome);
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = self.stream()?.poll_shutdown(cx);
        self.note_write(&outcome);
        outcome
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        // Nobody waits to write any more.
        self.note_waiting(false);
        if let Some(stream) = self.stream.take() {
            self.clocks.return_stream(stream);
        }
    }
}

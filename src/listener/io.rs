//! The stream that hyper reads and writes: it notes what happens, and comes back when hyper is done.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

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
}

impl Io {
    pub(super) fn new(
        stream: Stream,
        prefix: Bytes,
        clocks: Arc<Clocks>,
        frames: Option<Frames>,
    ) -> Self {
        Self {
            stream: Some(stream),
            prefix,
            clocks,
            frames,
        }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut Stream>> {
        self.stream
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Keeps the clock of stalled writes. An error ends the connection by itself.
    fn note_write<T>(&self, outcome: &Poll<io::Result<T>>) {
        match outcome {
            Poll::Ready(_) => self.clocks.write_went_on(),
            Poll::Pending => self.clocks.write_waits(),
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
        if self.prefix.is_empty() {
            ready!(self.stream()?.poll_read(cx, buf))?;
            if buf.filled().len() == before {
                self.clocks.end_arrived();
                return Poll::Ready(Ok(()));
            }
        } else {
            let taken = self.prefix.len().min(buf.remaining());
            buf.put_slice(&self.prefix.split_to(taken));
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
        let outcome = self.stream()?.poll_write(cx, buf);
        self.note_write(&outcome);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = self.stream()?.poll_write_vectored(cx, bufs);
        self.note_write(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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
        if let Some(stream) = self.stream.take() {
            self.clocks.return_stream(stream);
        }
    }
}

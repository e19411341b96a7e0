//! A connection: its socket, and what was read from it and not taken yet.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::Broken;
use crate::{listener::Stream, upstream::head::MAX_BYTES};

/// Room to read into, at first. Many streams are open and silent, and most heads and events are smaller.
const LEAST_ROOM: usize = 4 * 1024;
/// Room for answers that come in masses.
const MOST_ROOM: usize = 64 * 1024;

thread_local! {
    /// Where the connections of a thread read little, one after the other. What is passed on is a handle on a part of it;
    /// once all of them are gone it is written over. It is no larger than what a connection would have for itself: a client
    /// that does not read keeps as much alive.
    static BLOCK: Cell<BytesMut> = Cell::default();
}

/// How every answer begins (RFC 9112 §4).
const GREETING: &[u8] = b"HTTP/1.";

/// A connection of one call at a time. Dropped, it is closed: that is how a provider learns that nobody listens.
#[derive(Debug)]
pub(in crate::upstream) struct Wire {
    stream: Stream,
    read: BytesMut,
    /// How much room the next read gets.
    room: usize,
    /// How much of what was read has no end of a head.
    searched: usize,
    /// The line, or the head, that goes out before some data. It is kept, so that a call needs no new one.
    pub(super) line: Vec<u8>,
    /// Whether what is written waits for the provider.
    waiting: bool,
    /// The map of the fields of the request that has gone out, empty: those of its answer get it.
    pub(super) fields: HeaderMap,
}

impl Wire {
    /// A connection over which nothing has gone yet.
    pub(in crate::upstream) fn new(stream: Stream) -> Self {
        Self {
            stream,
            read: BytesMut::new(),
            room: LEAST_ROOM,
            searched: 0,
            line: Vec::new(),
            waiting: false,
            fields: HeaderMap::new(),
        }
    }

    /// Whether the peer has neither closed nor said anything since its last answer. What it says unasked belongs to
    /// nobody's call. The kernel is asked, because no task waits for the socket between calls.
    pub(in crate::upstream) fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        !self.has_more_than_its_answer()
            && SockRef::from(self.stream.tcp())
                .peek(&mut byte)
                .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether anything has come that no call has taken.
    pub(in crate::upstream) fn has_more_than_its_answer(&self) -> bool {
        !(self.read.is_empty() && self.stream.holds_nothing())
    }

    /// Keeps no more memory than a connection that lies idle needs.
    pub(in crate::upstream) fn rest(&mut self) {
        self.room = LEAST_ROOM;
        self.read = BytesMut::new();
        self.line.clear();
        self.line.shrink_to(LEAST_ROOM);
    }

    pub(super) fn read(&mut self) -> &mut BytesMut {
        &mut self.read
    }

    /// Reads more: how many bytes, 0 at the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.read.is_empty() && self.room == LEAST_ROOM {
            // It would keep its block from being written over.
            self.read = BytesMut::new();
        }
        // What was read before may be on its way to the client until there is more: then its room is free again, and no
        // other is needed.
        if let Stream::Plain(tcp) = &self.stream {
            ready!(tcp.poll_read_ready(cx))?;
        }
        let mut block = BLOCK.take();
        let lent = self.room == LEAST_ROOM && take_room(&mut self.read, &mut block);
        if !lent && self.read.capacity() - self.read.len() < self.room / 4 {
            self.read.reserve(self.room);
        }
        let room = self.read.capacity() - self.read.len();
        let count = pin!(self.stream.read_buf(&mut self.read)).poll(cx);
        if lent {
            block = self.read.split_off(self.read.len());
        }
        BLOCK.set(block);
        let count = ready!(count)?;
        if count >= room {
            self.room = (self.room * 2).min(MOST_ROOM);
        }
        Poll::Ready(Ok(count))
    }

    /// The bytes of the next head, with the empty line that ends it.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Broken>> {
        loop {
            let end = end_of_head(&self.read, self.searched);
            if end.unwrap_or(self.read.len()) > MAX_BYTES {
                return Poll::Ready(Err(Broken::Malformed("the answer's head is too large")));
            }
            if let Some(end) = end {
                self.searched = 0;
                return Poll::Ready(Ok(self.read.split_to(end).freeze()));
            }
            self.searched = self.read.len();
            // Who greets in another language says nothing more, and would be waited for.
            let greeting = &self.read[..self.read.len().min(GREETING.len())];
            if !GREETING.starts_with(greeting) {
                return Poll::Ready(Err(Broken::Malformed("the answer is not HTTP/1")));
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
            }
        }
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        from: usize,
        rest: [&[u8]; 2],
    ) -> Poll<io::Result<usize>> {
        let pieces = [self.line.get(from..).unwrap_or_default(), rest[0], rest[1]];
        let pieces = pieces.map(IoSlice::new);
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, &pieces);
        self.note_write(outcome.is_pending());
        outcome
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.note_write(outcome.is_pending());
        outcome
    }

    /// A provider that takes its time to read has that of its answer.
    fn note_write(&mut self, waits: bool) {
        if self.waiting != waits {
            self.waiting = waits;
            self.stream.set_waiting(waits);
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Nobody waits to write any more.
        self.note_write(false);
    }
}

/// Moves the room of `block` behind what was read, where there is enough and the rest of it lies there; whether it did.
fn take_room(read: &mut BytesMut, block: &mut BytesMut) -> bool {
    if read.is_empty() {
        if block.capacity() < LEAST_ROOM / 2 {
            block.reserve(LEAST_ROOM);
        }
        *read = std::mem::take(block);
        return true;
    }
    let is_next = read.as_ptr_range().end == block.as_ptr();
    if is_next && block.capacity() >= LEAST_ROOM / 4 {
        read.unsplit(std::mem::take(block));
        return true;
    }
    false
}

/// Where the empty line ends that ends a head. Everything before `searched` was looked at before, and had none.
pub(super) fn end_of_head(read: &[u8], searched: usize) -> Option<usize> {
    // The end may have begun in the bytes before.
    let from = searched.saturating_sub(3);
    let mut lines = memchr::memchr_iter(b'\n', &read[from..]).map(|at| from + at + 1);
    lines.find_map(|next| match &read[next..] {
        [b'\n', ..] => Some(next + 1),
        [b'\r', b'\n', ..] => Some(next + 2),
        _ => None,
    })
}

#[cfg(test)]
mod tests;

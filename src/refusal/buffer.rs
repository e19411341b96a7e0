//! Where the text of answers is written: into blocks that each thread uses again.
//!
//! What is written is given away as a handle on a part of its block. Once all handles on a block are gone, the block is
//! written over; so a thread that refuses a flood allocates nothing for it.

use std::{
    cell::Cell,
    fmt::{self, Write as _},
};

use bytes::{Bytes, BytesMut};
use http::HeaderValue;

use crate::domain::RequestId;

/// Holds a few refusals with all their fields. A client that does not read its answer keeps one block alive, not more.
const BLOCK: usize = 8 << 10;

thread_local! {
    static BLOCKS: Cell<BytesMut> = Cell::default();
    static DOCUMENT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static SCRATCH: Cell<String> = const { Cell::new(String::new()) };
}

/// What `write` writes, for which there is this much room before anything has to be moved.
pub(super) fn bytes(room: usize, write: impl FnOnce(&mut BytesMut)) -> Bytes {
    // A thread that ends has no blocks any more, and neither has who writes while it writes: both get a new one.
    let mut block = BLOCKS.try_with(Cell::take).unwrap_or_default();
    if block.capacity() < room {
        block.reserve(room.max(BLOCK));
    }
    write(&mut block);
    let written = block.split().freeze();
    let _ = BLOCKS.try_with(|blocks| blocks.set(block));
    written
}

/// A document that is written in many small pieces, for which a block is slow.
pub(super) fn document(write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut scratch = DOCUMENT.try_with(Cell::take).unwrap_or_default();
    scratch.clear();
    write(&mut scratch);
    let copy = bytes(scratch.len(), |out| out.extend_from_slice(&scratch));
    let _ = DOCUMENT.try_with(|kept| kept.set(scratch));
    copy
}

/// What `write` writes into a string that is used again.
pub(super) fn text<E>(write: impl FnOnce(&mut String) -> Result<(), E>) -> Result<Bytes, E> {
    let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
    scratch.clear();
    let written = write(&mut scratch);
    let copy = bytes(scratch.len(), |out| {
        out.extend_from_slice(scratch.as_bytes())
    });
    let _ = SCRATCH.try_with(|kept| kept.set(scratch));
    written.map(|()| copy)
}

/// A request's id as a field's value.
pub fn id(id: RequestId) -> Option<HeaderValue> {
    let id = id.encode();
    let written = bytes(id.len(), |out| out.extend_from_slice(&id));
    HeaderValue::from_maybe_shared(written).ok()
}

/// A field's value; `None` for a text that is none (RFC 9110 §5.5).
pub fn value(text: impl fmt::Display) -> Option<HeaderValue> {
    let mut whole = true;
    let written = bytes(64, |out| whole = write!(out, "{text}").is_ok());
    HeaderValue::from_maybe_shared(written)
        .ok()
        .filter(|_| whole)
}

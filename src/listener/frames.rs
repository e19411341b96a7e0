//! What an HTTP/2 client's bytes say of its frames, read along beside the library that serves them.
//!
//! That library waits without end for the rest of a head, and answers any number of frames that ask for nothing, each of
//! which costs the client nine bytes (RFC 9113 §10.5 names them). So the headers of frames are looked at here, on their
//! way; payloads are skipped unread, and what is wrong with a frame is the library's to say.
//!
//! `WINDOW_UPDATE` and `RST_STREAM` are not counted: a fast reader sends many of the former, the latter has a count of
//! its own, and neither is answered or remembered.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes of the preface, RFC 9113 §3.4.
const PREFACE: usize = 24;
/// Bytes of a frame's header, RFC 9113 §4.1.
const HEADER: usize = 9;

/// Types of frames, RFC 9113 §6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const PUSH_PROMISE: u8 = 5;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// Flags, RFC 9113 §6.1 and §6.2.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Frames that ask for nothing which a client may send within [`SPELL`].
const IDLE_FRAMES: u32 = 1000;
const SPELL: Duration = Duration::from_secs(10);
/// How many of them each head makes up for: browsers tell the priority of every request.
const FOR_A_HEAD: u32 = 4;

/// Follows the frames of one connection.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes until the next frame's header.
    skip: usize,
    /// The next frame's header, as far as it has come.
    header: [u8; HEADER],
    filled: usize,
    /// A head has begun, and not all of it is here.
    block: bool,
    /// The frame that is being skipped ends the head.
    ends_head: bool,
    /// Heads that have begun, modulo 2³².
    heads: u32,
    /// Frames that ask for nothing, in this spell.
    idle: u32,
    spell: Instant,
    flood: bool,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            skip: PREFACE,
            header: [0; HEADER],
            filled: 0,
            block: false,
            ends_head: false,
            heads: 0,
            idle: 0,
            spell: Instant::now(),
            flood: false,
        }
    }

    /// Takes note of the next bytes. Tells the number of the head that they leave unfinished.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<u32> {
        self.follow(bytes);
        self.block.then_some(self.heads)
    }

    fn follow(&mut self, mut bytes: &[u8]) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if self.skip > 0 {
                return;
            }
            if std::mem::take(&mut self.ends_head) {
                self.block = false;
            }
            let wanted = HEADER - self.filled;
            let taken = wanted.min(bytes.len());
            let (head, rest) = bytes.split_at(taken);
            if let Some(place) = self.header.get_mut(self.filled..self.filled + taken) {
                place.copy_from_slice(head);
            }
            self.filled += taken;
            bytes = rest;
            if taken < wanted {
                return;
            }
            self.filled = 0;
            self.frame();
        }
    }

    /// Whether the client sends little else than frames that ask for nothing.
    pub(super) fn is_flood(&self) -> bool {
        self.flood
    }

    /// Looks at a frame's header.
    fn frame(&mut self) {
        let [high, middle, low, kind, flags, ..] = self.header;
        let length = u32::from_be_bytes([0, high, middle, low]);
        self.skip = usize::try_from(length).unwrap_or(usize::MAX);
        match kind {
            HEADERS | PUSH_PROMISE | CONTINUATION => {
                if kind == HEADERS {
                    self.idle = self.idle.saturating_sub(FOR_A_HEAD);
                }
                if !self.block {
                    self.heads = self.heads.wrapping_add(1);
                }
                self.block = true;
                self.ends_head = flags & END_HEADERS != 0;
            }
            WINDOW_UPDATE | RST_STREAM => {}
            DATA if length > 0 || flags & END_STREAM != 0 => {}
            _ => self.count_idle(),
        }
    }

    fn count_idle(&mut self) {
        self.idle += 1;
        if self.idle <= IDLE_FRAMES {
            return;
        }
        // The clock is read only here.
        if self.spell.elapsed() < SPELL {
            self.flood = true;
        }
        self.spell = Instant::now();
        self.idle = 0;
    }
}

#[cfg(test)]
mod tests;

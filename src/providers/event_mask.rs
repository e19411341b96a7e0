//! Hides a secret in those events of a stream that tell of an error.
//!
//! Everything else passes byte for byte, also where the same letters stand in it: a placeholder that is no secret at all
//! may be a word of what a model writes. An event whose end has not come is waited for only from where the secret may
//! begin.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::{
    answer,
    sse::{Event, Scanner},
    usage::Tally,
};
use crate::domain::SecretFinder;

/// Most bytes that are waited for. An event with more behind the secret is taken for one that tells of an error.
const HELD: usize = 64 << 10;

/// What stands in its place, byte by byte, so that no length changes.
const STAR: u8 = b'*';

/// A stream of events without a secret in its errors, however it is cut into frames.
pub struct EventMask {
    secret: SecretFinder,
    scanner: Scanner,
    /// The unfinished event's bytes from where the secret may begin.
    held: Bytes,
    /// Whether the unfinished event is not waited for any more, but hides the secret whatever it is.
    hides: bool,
}

impl EventMask {
    /// Hides a secret that has no line end in it.
    pub fn of(secret: SecretFinder) -> Self {
        Self {
            secret,
            scanner: Scanner::new(),
            held: Bytes::new(),
            hides: false,
        }
    }

    /// The next frame, of which the end may be held back until more is known: the same handle wherever nothing is hidden.
    pub fn hide(&mut self, frame: Bytes) -> Bytes {
        // Nearly every frame is whole events without the secret, and looked at once.
        let whole = frame.ends_with(b"\n\n") || frame.ends_with(b"\r\n\r\n");
        if whole
            && self.held.is_empty()
            && self.secret.find(&frame).is_none()
            && self.scanner.skips_whole()
        {
            return frame;
        }
        let before = self.held.len();
        let mut text = Text::of(std::mem::take(&mut self.held), &frame);
        let (mut start, mut at) = (0, self.scanner.begin(&frame));
        while let Some(cut) = self.scanner.next(&frame, at) {
            let end = before + cut.end;
            let first = self.secret.find(text.between(start, end));
            if let Some(first) = first
                && (self.hides || tells_of_error(cut.event))
            {
                text.hide(&self.secret, start + first, end);
            }
            self.hides = false;
            (start, at) = (end, cut.end);
        }
        let waits_from = self.unfinished(&mut text, start);
        let mut text = text.into_bytes();
        self.held = text.split_off(waits_from);
        text
    }

    /// From where the unfinished event, which begins at `start`, is waited for.
    fn unfinished(&mut self, text: &mut Text, start: usize) -> usize {
        let end = text.len();
        let rest = text.between(start, end);
        let beginning = start + self.beginning(rest);
        let Some(first) = self.secret.find(rest) else {
            return beginning;
        };
        if !self.hides && rest.len() - first <= HELD {
            return start + first;
        }
        self.hides = true;
        text.hide(&self.secret, start + first, end);
        // What was hidden is no beginning of it.
        start + self.beginning(text.between(start, end))
    }

    /// Where the end of `text` may be the secret's beginning; its length where it is not.
    fn beginning(&self, text: &[u8]) -> usize {
        let secret = self.secret.secret();
        let open = (1..secret.len())
            .rev()
            .find(|length| text.ends_with(&secret[..*length]));
        text.len() - open.unwrap_or(0)
    }

    /// What was held back, at the end of the stream. Nobody can tell any more what it would have been.
    pub fn rest(&mut self) -> Option<Bytes> {
        let mut text = Text(Whole::Shared(std::mem::take(&mut self.held)));
        let end = text.len();
        text.hide(&self.secret, 0, end);
        Some(text.into_bytes()).filter(|rest| !rest.is_empty())
    }

    /// Bytes that are held back.
    pub const fn kept(&self) -> usize {
        self.held.len()
    }
}

/// Whether an event tells of an error. What nobody can read may be anything, and what is larger than anything real too.
fn tells_of_error(event: Option<Event<'_>>) -> bool {
    let Some(event) = event else {
        return true;
    };
    event.name == b"error"
        || answer::read(event.data, &mut Tally::default()).is_none_or(|seen| seen.error)
}

/// A text that is copied once something is hidden in it.
struct Text(Whole);

enum Whole {
    Shared(Bytes),
    Owned(BytesMut),
}

impl Text {
    fn of(held: Bytes, frame: &Bytes) -> Self {
        if held.is_empty() {
            return Self(Whole::Shared(frame.clone()));
        }
        let mut joined = BytesMut::with_capacity(held.len() + frame.len());
        joined.extend_from_slice(&held);
        joined.extend_from_slice(frame);
        Self(Whole::Owned(joined))
    }

    fn len(&self) -> usize {
        match &self.0 {
            Whole::Shared(bytes) => bytes.len(),
            Whole::Owned(bytes) => bytes.len(),
        }
    }

    fn between(&self, start: usize, end: usize) -> &[u8] {
        let all: &[u8] = match &self.0 {
            Whole::Shared(bytes) => bytes,
            Whole::Owned(bytes) => bytes,
        };
        all.get(start..end).unwrap_or_default()
    }

    /// Hides every `secret` between `start` and `end`.
    fn hide(&mut self, secret: &SecretFinder, mut start: usize, end: usize) {
        while let Some(found) = secret.find(self.between(start, end)) {
            let from = start + found;
            start = from + secret.secret().len();
            if let Whole::Shared(bytes) = &self.0 {
                self.0 = Whole::Owned(BytesMut::from(&**bytes));
            }
            if let Whole::Owned(bytes) = &mut self.0
                && let Some(quoted) = bytes.get_mut(from..start)
            {
                quoted.fill(STAR);
            }
        }
    }

    fn into_bytes(self) -> Bytes {
        match self.0 {
            Whole::Shared(bytes) => bytes,
            Whole::Owned(bytes) => bytes.freeze(),
        }
    }
}

impl fmt::Debug for EventMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventMask").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

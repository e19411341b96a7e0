//! Metering an answer while it passes.
//!
//! Owns what may be held back (an unfinished event, where the usage chunk has to be hidden) and what is dropped
//! (that chunk). It can never break or reorder an answer: what it does not understand, it passes on.

#[cfg(test)]
pub(super) mod fixtures;
mod template;
mod whole;

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

pub use whole::{AnswerMeter, Encoding};

use super::{
    Endpoint, answer,
    observed::Observed,
    sse::{Event, Large, Scanner},
    usage::Tally,
};
use template::Template;
use whole::Inflate;

/// Most bytes that are held back.
const HELD: usize = 64 << 10;

/// Meters an answer that is a stream of server-sent events.
#[derive(Debug)]
pub struct StreamMeter {
    endpoint: Endpoint,
    hide_usage: bool,
    scanner: Scanner,
    sight: Sight,
    /// The unfinished event's bytes, where they are held back.
    held: BytesMut,
    /// Whether part of the unfinished event has gone out, since it was too large to hold back.
    let_go: bool,
    /// Whether the last event was dropped, and with it a line feed that may still come.
    dropped: bool,
    inflate: Option<Inflate>,
}

/// What was seen so far.
#[derive(Debug, Default)]
struct Sight {
    tally: Tally,
    ended: bool,
    /// Whether what was written last has said that it ended.
    finished: bool,
    /// Whether figures came with that, or behind it.
    told: bool,
    /// Whether nothing more comes.
    over: bool,
    /// Whether the last figures of the stream have come.
    final_usage: bool,
    /// Tokens of output that the provider had said before its last figures.
    said: u64,
    /// Bytes of text in the items of a response, as each of them ended and as all of them came again.
    items: u64,
    whole: u64,
    observed: Observed,
    template: Template,
}

impl StreamMeter {
    /// A meter for an answer of `endpoint`, all of which goes on to the client.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            hide_usage: false,
            scanner: Scanner::new(),
            sight: Sight::default(),
            held: BytesMut::new(),
            let_go: false,
            dropped: false,
            inflate: None,
        }
    }

    /// Whether the chunk that `include_usage` adds is dropped.
    #[must_use]
    pub fn hiding_usage(self, hide_usage: bool) -> Self {
        Self { hide_usage, ..self }
    }

    /// A meter for a stream that the provider compressed though it was asked not to: all of it passes as it is.
    pub fn compressed(endpoint: Endpoint, encoding: Encoding) -> Self {
        Self {
            inflate: Inflate::new(encoding),
            ..Self::new(endpoint)
        }
    }

    /// Takes a frame and gives what to forward now, which is the same handle wherever nothing is hidden.
    pub fn push(&mut self, frame: Bytes) -> Option<Bytes> {
        if let Some(inflate) = &mut self.inflate {
            let (sight, scanner) = (&mut self.sight, &mut self.scanner);
            let read = inflate.push(&frame, |plain| sight.scan(scanner, plain));
            if !read {
                // What cannot be read counts in full, since it must not count as nothing.
                sight.wrote(frame.len() as u64);
            }
            return Some(frame);
        }
        if self.hide_usage {
            return self.push_hiding(&frame);
        }
        self.sight.scan(&mut self.scanner, &frame);
        Some(frame)
    }

    /// What is held back at the end of the stream. A usage chunk without its blank line is still dropped.
    ///
    /// After a broken stream the caller may leave it out, since it is part of an event that will never end.
    pub fn finish(&mut self) -> Option<Bytes> {
        if let Some(inflate) = &mut self.inflate {
            let (sight, scanner) = (&mut self.sight, &mut self.scanner);
            inflate.finish(|plain| sight.scan(scanner, plain));
        }
        self.sight.over = true;
        if let Some(large) = self.scanner.left_open() {
            self.sight.unread(large.length, large.beginning);
        }
        let hidden = match self.scanner.last() {
            Some(event) => self.sight.take(&event) && self.hide_usage && !self.let_go,
            None => false,
        };
        let held = self.held.split();
        (!hidden && !held.is_empty()).then(|| held.freeze())
    }

    /// Whether the client has seen whole events only, so that a comment or an event of ours can go in between.
    pub const fn at_event_boundary(&self) -> bool {
        let held_back = self.hide_usage && !self.let_go;
        self.inflate.is_none() && (held_back || self.scanner.at_boundary())
    }

    /// Whether the provider compressed the stream, so that nothing readable can be put into it.
    pub const fn is_compressed(&self) -> bool {
        self.inflate.is_some()
    }

    /// Whether the stream has said that it is complete: `[DONE]`, `message_stop`, `response.completed` and its like.
    pub const fn ended(&self) -> bool {
        self.sight.ended
    }

    /// Whether nothing of it is missing, as far as its content tells: it has said so, or its figures came with its last word
    /// or behind it, as those of OpenAI's imitators do that never say so.
    pub const fn is_whole(&self) -> bool {
        let told = self.sight.told && self.scanner.at_boundary();
        self.sight.ended || told && !matches!(self.endpoint, Endpoint::Messages)
    }

    /// Whether all that the model wrote has come, and what it used has not.
    pub const fn awaits_figures(&self) -> bool {
        self.sight.finished && !self.sight.final_usage && !self.sight.ended
    }

    /// Whether what was written last has not said that it ended.
    pub const fn is_writing(&self) -> bool {
        !self.sight.finished && !self.sight.ended
    }

    /// What was seen so far.
    pub fn observed(&self) -> Observed {
        self.sight.observed(self.endpoint)
    }

    /// Tokens of output at the very least: as many as were seen, or as the provider says while it goes on. Its last
    /// figures come when there is nothing left to cut.
    pub fn output_at_least(&self) -> u64 {
        self.sight.observed.output_at_least().max(self.sight.said)
    }

    fn push_hiding(&mut self, frame: &Bytes) -> Option<Bytes> {
        let mut out = Kept::new(frame);
        let mut at = self.scanner.begin(frame);
        if self.dropped {
            out.cut_out(0, at);
        }
        while let Some(cut) = self.scanner.next(frame, at) {
            let usage_chunk = cut.event.is_some_and(|event| self.sight.take(&event));
            let end = cut.end;
            if let Some(large) = self.scanner.large() {
                self.sight.take_ends(&large);
            }
            let let_go = std::mem::take(&mut self.let_go);
            self.dropped = usage_chunk && !let_go;
            let held = self.held.split();
            if self.dropped {
                out.cut_out(at, end);
            } else if !held.is_empty() {
                out.prepend(held);
            }
            at = end;
        }
        let unfinished = frame.len() - at;
        if unfinished > 0 && !self.let_go {
            if self.held.len() + unfinished <= HELD {
                self.held.extend_from_slice(&frame[at..]);
                out.cut_out(at, frame.len());
            } else {
                self.let_go = true;
                if !self.held.is_empty() {
                    out.prepend(self.held.split());
                }
            }
        }
        out.into_bytes()
    }
}

impl Sight {
    fn scan(&mut self, scanner: &mut Scanner, frame: &[u8]) {
        let mut at = scanner.begin(frame);
        while let Some(cut) = scanner.next(frame, at) {
            if let Some(event) = cut.event {
                self.take(&event);
            }
            at = cut.end;
            if let Some(large) = scanner.large() {
                self.take_ends(&large);
            }
        }
    }

    /// Takes what there is of an event that was too large: pictures are, and what comes with them.
    fn take_ends(&mut self, large: &Large<'_>) {
        let has = |word: &[u8]| memmem::find(large.beginning, word).is_some();
        let mut read = true;
        if has(b"\"image_generation_call\"") && has(b"\"response.output_item.done\"") {
            self.tally.drew(1);
        } else if has(b"\"response.image_generation_call.partial_image\"") {
            self.tally.draws();
        } else if has(b"\"images\":[") {
            self.tally.made_images(1);
        } else {
            read = false;
        }
        if answer::read_end(large.end, &mut self.tally) {
            self.template.forget();
            self.final_usage = true;
            self.ended |= has(b"\"response.completed\"") || has(b"\"response.incomplete\"");
        } else if !read {
            self.unread(large.length, large.beginning);
        }
    }

    /// Counts what cannot be read, which cuts no stream: it may not all be text, and figures may come. What has a whole
    /// response says again what was asked and what came in events before it.
    fn unread(&mut self, bytes: usize, beginning: &[u8]) {
        let came = self.observed.output_bytes > 0 || self.items > 0 || self.tally.images() > 0;
        if came && memmem::find(beginning, b"\"response\":").is_some() {
            return;
        }
        let unread = &mut self.observed.unread_bytes;
        *unread = unread.saturating_add(bytes as u64);
    }

    /// Takes an event; returns whether it is the chunk that `include_usage` adds.
    fn take(&mut self, event: &Event<'_>) -> bool {
        if event.data.trim_ascii() == b"[DONE]" {
            self.ended = true;
            return false;
        }
        self.observed.error_event |= event.name == b"error";
        if let Some(text) = self.template.text_of(event.data) {
            self.wrote(text);
            return false;
        }
        let Some(seen) = answer::read(event.data, &mut self.tally) else {
            // What went wrong may be told in words alone, which no model wrote.
            if event.name != b"error" {
                self.unread(event.data.len(), event.data);
            }
            return false;
        };
        // Figures that come again may contradict what came meanwhile.
        if self.tally.has_figures() {
            self.template.forget();
        } else {
            self.template.keep(event.data, &seen);
        }
        self.ended |= seen.ends;
        self.observed.error_event |= seen.error;
        self.final_usage |= seen.final_usage;
        if seen.text > 0 && !seen.final_usage {
            self.said = self.tally.output_so_far();
        }
        self.wrote(seen.text);
        self.items = self.items.saturating_add(seen.item);
        self.whole = self.whole.max(seen.whole);
        self.finished |= seen.finishes;
        self.told |= self.finished && seen.usage;
        let sound = &mut self.observed.output_sound;
        *sound = sound.saturating_add(seen.sound);
        seen.usage_chunk
    }

    /// Counts text that the model wrote.
    fn wrote(&mut self, bytes: u64) {
        self.observed.output_bytes = self.observed.output_bytes.saturating_add(bytes);
        if bytes > 0 {
            self.observed.output_events += 1;
            (self.finished, self.told) = (false, false);
        }
    }

    fn observed(&self, endpoint: Endpoint) -> Observed {
        let (usage, suspect) = self.tally.usage(endpoint);
        // Messages begin with a figure for the output that is no more than a start. Some imitators of OpenAI do not say that
        // a stream is complete.
        let ended = self.ended || (self.over && self.told);
        let whole = self.final_usage || (ended && endpoint != Endpoint::Messages);
        Observed {
            usage,
            suspect,
            partial: usage.is_some() && !whole,
            // Some write an item at once, and some nothing before the response.
            output_bytes: self.observed.output_bytes.max(self.items).max(self.whole),
            images: self.tally.images(),
            service_tier: self.tally.service_tier(),
            ..self.observed
        }
    }
}

/// The bytes of a frame that go out: a slice of it where possible, a copy only where something is cut out of its
/// middle or goes before it.
#[derive(Debug)]
struct Kept<'a> {
    frame: &'a Bytes,
    /// What goes out first and is no single stretch of the frame.
    copied: BytesMut,
    /// The one stretch of the frame that is kept so far, where nothing is copied.
    stretch: Range<usize>,
    /// Where the next stretch starts.
    start: usize,
}

impl<'a> Kept<'a> {
    fn new(frame: &'a Bytes) -> Self {
        Self {
            frame,
            copied: BytesMut::new(),
            stretch: 0..0,
            start: 0,
        }
    }

    /// Puts bytes of earlier frames in front. Nothing of this frame has been kept before them.
    fn prepend(&mut self, held: BytesMut) {
        self.copied = held;
    }

    /// Takes out `from..to`; what lies before it and behind what was taken out last is kept.
    fn cut_out(&mut self, from: usize, to: usize) {
        let kept = self.start..from;
        self.start = to;
        if kept.is_empty() {
            return;
        }
        if self.copied.is_empty() && self.stretch.is_empty() {
            self.stretch = kept;
            return;
        }
        let earlier = std::mem::take(&mut self.stretch);
        self.copied.extend_from_slice(&self.frame[earlier]);
        self.copied.extend_from_slice(&self.frame[kept]);
    }

    fn into_bytes(mut self) -> Option<Bytes> {
        self.cut_out(self.frame.len(), self.frame.len());
        if !self.copied.is_empty() {
            return Some(self.copied.freeze());
        }
        if self.stretch.is_empty() {
            return None;
        }
        Some(self.frame.slice(self.stretch))
    }
}

#[cfg(test)]
mod tests;

//! Server-sent events, cut out of frames as they arrive (WHATWG HTML §9.2).
//!
//! Owns where an event begins and ends. Must not know what events mean. An event that lies in one frame is read
//! in place; only one that a frame leaves unfinished is copied, and none beyond [`LARGEST`] bytes. Of what is larger the
//! beginning and the end are kept.

use memchr::memchr2;

/// Largest event that is read, in bytes with its line ends. A larger one passes unread.
pub(super) const LARGEST: usize = 4 << 20;

/// Bytes that are kept of the beginning of a larger one, and at least of its end.
const BEGINNING: usize = 1 << 10;
const END: usize = 64 << 10;

/// Capacity that the carry-over keeps between events.
const KEPT: usize = 64 << 10;

/// An event: the last `event` field and the joined `data` fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event<'a> {
    pub(super) name: &'a [u8],
    pub(super) data: &'a [u8],
}

/// An event that is too large to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Large<'a> {
    /// Bytes of the whole, with its line ends.
    pub(super) length: usize,
    pub(super) beginning: &'a [u8],
    pub(super) end: &'a [u8],
}

/// A blank line, and the event it ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut<'a> {
    /// Bytes of the frame up to the end of the blank line.
    pub(super) end: usize,
    /// The event, unless it has no data or was too large.
    pub(super) event: Option<Event<'a>>,
}

/// Where the first event of `text` ends, with its blank line; all of the text where none does.
pub fn end_of_event(text: &[u8]) -> usize {
    let mut start = 0;
    while let Some(rest) = text.get(start..)
        && let Some(length) = memchr2(b'\n', b'\r', rest)
    {
        let line = rest.get(length..).unwrap_or_default();
        start += length + if line.starts_with(b"\r\n") { 2 } else { 1 };
        if length == 0 {
            return start;
        }
    }
    text.len()
}

/// Finds events in a stream of frames.
#[derive(Debug)]
pub(super) struct Scanner {
    /// The unfinished event's bytes from earlier frames.
    carry: Vec<u8>,
    /// The first bytes of an unfinished event that is too large.
    beginning: Vec<u8>,
    /// Data fields of an event that has several.
    joined: Vec<u8>,
    /// Bytes of the unfinished event, whether they are carried or not.
    unfinished: usize,
    /// Bytes of the last event that has ended.
    length: usize,
    /// Whether nothing has been seen of the current line.
    line_empty: bool,
    /// Whether the last frame ended with a carriage return, whose line feed may follow.
    after_return: bool,
    /// Whether this is still the first event, which may start with a byte order mark.
    first: bool,
}

impl Scanner {
    pub(super) const fn new() -> Self {
        Self {
            carry: Vec::new(),
            beginning: Vec::new(),
            joined: Vec::new(),
            unfinished: 0,
            length: 0,
            line_empty: true,
            after_return: false,
            first: true,
        }
    }

    /// How many bytes at the start of a new frame still belong to the event before: a line feed, or none.
    pub(super) fn begin(&mut self, frame: &[u8]) -> usize {
        if self.unfinished > 0 || !self.after_return || frame.is_empty() {
            return 0;
        }
        self.after_return = false;
        usize::from(frame.first() == Some(&b'\n'))
    }

    /// Whether a frame that ends with a blank line may be left out because no event is unfinished before it. It is then
    /// taken for looked at.
    pub(super) const fn skips_whole(&mut self) -> bool {
        let skips = self.unfinished == 0 && !self.after_return;
        self.first &= !skips;
        skips
    }

    /// Whether the next byte starts an event.
    pub(super) const fn at_boundary(&self) -> bool {
        self.unfinished == 0
    }

    /// The next blank line in `frame` at or after `from`. At `None` the rest of the frame has been carried over.
    pub(super) fn next<'s>(&'s mut self, frame: &'s [u8], from: usize) -> Option<Cut<'s>> {
        if self.unfinished == 0 {
            self.carry.clear();
            self.carry.shrink_to(KEPT);
            self.beginning = Vec::new();
        }
        let end = self.find_blank_line(frame, from);
        let piece = frame.get(from..end.unwrap_or(frame.len()))?;
        self.unfinished = self.unfinished.saturating_add(piece.len());
        let whole = self.unfinished == piece.len();
        let fits = self.unfinished <= LARGEST;
        if !fits {
            self.keep_ends(piece);
        } else if !whole || end.is_none() {
            self.carry.extend_from_slice(piece);
        }
        let end = end?;
        self.length = std::mem::take(&mut self.unfinished);
        let first = std::mem::replace(&mut self.first, false);
        let text = if whole { piece } else { &self.carry };
        let event = if fits {
            parse(text, first, &mut self.joined)
        } else {
            None
        };
        Some(Cut { end, event })
    }

    /// The event before the blank line that was found last, if it was too large.
    pub(super) fn large(&self) -> Option<Large<'_>> {
        let ended = self.unfinished == 0 && !self.beginning.is_empty();
        ended.then_some(Large {
            length: self.length,
            beginning: &self.beginning,
            end: &self.carry,
        })
    }

    /// The event that the end of the stream leaves without a blank line, if it is too large.
    pub(super) fn left_open(&self) -> Option<Large<'_>> {
        (self.unfinished > LARGEST).then_some(Large {
            length: self.unfinished,
            beginning: &self.beginning,
            end: &self.carry,
        })
    }

    /// Goes on with an event that is too large.
    fn keep_ends(&mut self, piece: &[u8]) {
        if self.beginning.is_empty() {
            let first = self.carry.iter().chain(piece).copied();
            self.beginning = first.take(BEGINNING).collect();
            let last = self.carry.len().saturating_sub(END);
            self.carry = self.carry.split_off(last);
        }
        let last = piece.len().saturating_sub(END);
        self.carry
            .extend_from_slice(piece.get(last..).unwrap_or_default());
        // Not with every piece: there may be one for each byte.
        if self.carry.len() > 2 * END {
            self.carry.drain(..self.carry.len() - END);
        }
    }

    /// The event that the end of the stream leaves without a blank line, if there is one. It stays unfinished.
    pub(super) fn last(&mut self) -> Option<Event<'_>> {
        if self.unfinished == 0 || self.unfinished > LARGEST {
            return None;
        }
        parse(&self.carry, self.first, &mut self.joined)
    }

    /// Behind the next blank line, with all bytes of its line end that the frame has.
    fn find_blank_line(&mut self, frame: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        if at >= frame.len() {
            return None;
        }
        if std::mem::take(&mut self.after_return) && frame.get(at) == Some(&b'\n') {
            at += 1;
        }
        loop {
            let rest = frame.get(at..).unwrap_or_default();
            let Some(length) = memchr2(b'\n', b'\r', rest) else {
                self.line_empty &= rest.is_empty();
                return None;
            };
            let blank = length == 0 && self.line_empty;
            self.line_empty = true;
            at += length + 1;
            if rest.get(length) == Some(&b'\r') {
                match frame.get(at) {
                    Some(b'\n') => at += 1,
                    Some(_) => {}
                    None => self.after_return = true,
                }
            }
            if blank {
                return Some(at);
            }
        }
    }
}

/// Reads the lines of one event. No data, or only empty data, is no event.
fn parse<'a>(text: &'a [u8], first: bool, joined: &'a mut Vec<u8>) -> Option<Event<'a>> {
    let mut rest = match text.strip_prefix(b"\xef\xbb\xbf") {
        Some(behind_mark) if first => behind_mark,
        _ => text,
    };
    let (mut name, mut data, mut fields) = (&b""[..], &b""[..], 0_usize);
    joined.clear();
    while !rest.is_empty() {
        let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (line, behind) = rest.split_at(length);
        rest = behind.get(1..).unwrap_or_default();
        let (field, value) = split(line);
        match field {
            b"data" => {
                fields += 1;
                if fields == 2 {
                    joined.extend_from_slice(data);
                }
                if fields > 1 {
                    joined.push(b'\n');
                    joined.extend_from_slice(value);
                }
                data = value;
            }
            b"event" => name = value,
            // Comments, ids, retry times and what nobody knows.
            _ => {}
        }
    }
    let data = if fields > 1 { &joined[..] } else { data };
    (!data.is_empty()).then_some(Event { name, data })
}

/// A line's field and value: what stands before the first colon, and behind it without one space.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b':', line) {
        None => (line, b""),
        Some(colon) => {
            let (field, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default();
            (field, value.strip_prefix(b" ").unwrap_or(value))
        }
    }
}

#[cfg(test)]
mod tests;

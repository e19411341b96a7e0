//! One line under construction: bounded, escaped, in a buffer that is used again.

use std::{
    cell::RefCell,
    fmt::{self, Display, Write},
    net::IpAddr,
};

use crate::domain::{Timestamp, is_unseen};

/// A line is never longer; members that do not fit are left out and the line says `"truncated":true`.
pub(super) const LINE_BYTES: usize = 16 << 10;

/// A field is never longer, escapes included; a longer one ends with `…`.
pub(super) const FIELD_BYTES: usize = 1 << 10;

/// Bytes that stand for themselves in text for a person, and in a JSON string.
const IN_TEXT: [bool; 256] = visible_but(b"");
const IN_JSON: [bool; 256] = visible_but(b"\"\\");

const fn visible_but(others: &[u8]) -> [bool; 256] {
    let mut plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        plain[byte as usize] = true;
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        plain[others[at] as usize] = false;
        at += 1;
    }
    plain
}

/// What ends a field that was cut.
const ELLIPSIS: char = '…';

/// Room for `,"truncated":true}` and the line feed.
const TAIL_BYTES: usize = 24;

thread_local! {
    static BUFFER: RefCell<String> = const { RefCell::new(String::new()) };
    /// A second and its text without the `Z`: the calendar is asked once a second, not once a line.
    static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

/// Lends the thread's buffer, empty. A line that is written while another one is under construction (a `Display` that
/// logs) gets a buffer of its own.
pub(super) fn with_buffer<T>(render: impl FnOnce(&mut String) -> T) -> T {
    BUFFER.with(|buffer| match buffer.try_borrow_mut() {
        Ok(mut buffer) => {
            buffer.clear();
            render(&mut buffer)
        }
        Err(_) => render(&mut String::new()),
    })
}

/// A JSON object on one line.
#[derive(Debug)]
pub(super) struct Object<'b> {
    line: &'b mut String,
    truncated: bool,
}

impl<'b> Object<'b> {
    /// Opens the object.
    pub(super) fn open(line: &'b mut String) -> Self {
        line.push('{');
        Self {
            line,
            truncated: false,
        }
    }

    /// Adds a text.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.member(name, |line| {
            line.push('"');
            // Writing to a String cannot fail.
            let _ = Escaped::json(line).write_str(value);
            line.push('"');
        });
    }

    /// Adds a text that has to be composed.
    pub(super) fn composed(&mut self, name: &str, value: impl Display) {
        self.member(name, |line| {
            line.push('"');
            // A failing Display leaves what it wrote.
            let _ = write!(Escaped::json(line), "{value}");
            line.push('"');
        });
    }

    /// Adds an instant.
    pub(super) fn time(&mut self, name: &str, at: Timestamp) {
        self.member(name, |line| {
            line.push('"');
            push_time(line, at);
            line.push('"');
        });
    }

    /// Adds a number.
    pub(super) fn number(&mut self, name: &str, value: impl itoa::Integer) {
        self.member(name, |line| {
            line.push_str(itoa::Buffer::new().format(value));
        });
    }

    /// Adds `true` or `false`.
    pub(super) fn truth(&mut self, name: &str, value: bool) {
        self.member(name, |line| {
            line.push_str(if value { "true" } else { "false" });
        });
    }

    /// Closes the object and the line.
    pub(super) fn close(self) {
        if self.truncated {
            let comma = if self.line.ends_with('{') { "" } else { "," };
            self.line.push_str(comma);
            self.line.push_str("\"truncated\":true");
        }
        self.line.push_str("}\n");
    }

    fn member(&mut self, name: &str, value: impl FnOnce(&mut String)) {
        let before = self.line.len();
        if before > 1 {
            self.line.push(',');
        }
        // Names are code, and have nothing to escape.
        self.line.push('"');
        self.line.push_str(name);
        self.line.push_str("\":");
        value(self.line);
        if self.line.len() > LINE_BYTES - TAIL_BYTES {
            self.line.truncate(before);
            self.truncated = true;
        }
    }
}

/// Writes text with every character escaped that a terminal or a parser could take for something else.
#[derive(Debug)]
pub(super) struct Escaped<'b> {
    line: &'b mut String,
    left: usize,
    json: bool,
}

impl<'b> Escaped<'b> {
    /// The inside of a JSON string.
    pub(super) fn json(line: &'b mut String) -> Self {
        let left = FIELD_BYTES;
        Self {
            line,
            left,
            json: true,
        }
    }

    /// Text for a person.
    pub(super) fn pretty(line: &'b mut String) -> Self {
        let left = FIELD_BYTES;
        Self {
            line,
            left,
            json: false,
        }
    }
}

impl Escaped<'_> {
    /// The bytes at the front of `text` that stand for themselves: most texts are nothing else, and are copied at once.
    fn plain(&self, text: &str) -> usize {
        let table = if self.json { &IN_JSON } else { &IN_TEXT };
        let plain = |byte: &u8| table[usize::from(*byte)];
        let length = text
            .as_bytes()
            .iter()
            .take_while(|byte| plain(byte))
            .count();
        length.min(self.left.saturating_sub(ELLIPSIS.len_utf8()))
    }

    /// One character, or the end of the field.
    fn character(&mut self, character: char) -> fmt::Result {
        let before = self.line.len();
        match character {
            '"' | '\\' if self.json => self.line.extend(['\\', character]),
            c if is_unseen(c) && self.json => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(self.line, "\\u{unit:04x}")?;
                }
            }
            c if is_unseen(c) => write!(self.line, "\\u{{{:x}}}", u32::from(c))?,
            c => self.line.push(c),
        }
        // Bytes are kept for the ellipsis.
        if self.line.len() - before + ELLIPSIS.len_utf8() > self.left {
            self.line.truncate(before);
            self.line.push(ELLIPSIS);
            self.left = 0;
        } else {
            self.left -= self.line.len() - before;
        }
        Ok(())
    }
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        while self.left > 0 && !text.is_empty() {
            let (plain, rest) = text.split_at(self.plain(text));
            self.line.push_str(plain);
            self.left -= plain.len();
            let mut characters = rest.chars();
            if let Some(character) = characters.next() {
                self.character(character)?;
            }
            text = characters.as_str();
        }
        Ok(())
    }
}

/// The instant as its `Display` writes it.
pub(super) fn push_time(line: &mut String, at: Timestamp) {
    let (second, millis) = (at.unix_seconds(), at.millis().rem_euclid(1000));
    SECOND.with(|kept| match kept.try_borrow_mut() {
        Ok(mut kept) => {
            let (of, text) = &mut *kept;
            if *of != second {
                text.clear();
                let _ = write!(
                    text,
                    "{}",
                    Timestamp::from_millis(second.saturating_mul(1000))
                );
                text.truncate(text.trim_end_matches('Z').len());
                *of = second;
            }
            line.push_str(text);
            push_fraction(line, millis);
            line.push('Z');
        }
        Err(_) => {
            let _ = write!(line, "{at}");
        }
    });
}

/// The address as its `Display` writes it.
pub(super) fn push_address(line: &mut String, address: IpAddr) {
    let IpAddr::V4(address) = address else {
        // Writing to a String cannot fail.
        let _ = write!(line, "{address}");
        return;
    };
    let [first, rest @ ..] = address.octets();
    line.push_str(itoa::Buffer::new().format(first));
    for octet in rest {
        line.push('.');
        line.push_str(itoa::Buffer::new().format(octet));
    }
}

/// Thousandths without the zeros at their end.
fn push_fraction(line: &mut String, millis: i64) {
    let digits = [millis / 100, millis / 10 % 10, millis % 10];
    let used = digits.iter().rposition(|digit| *digit != 0);
    for (at, digit) in digits
        .iter()
        .take(used.map_or(0, |last| last + 1))
        .enumerate()
    {
        if at == 0 {
            line.push('.');
        }
        line.push(char::from(b'0' + u8::try_from(*digit).unwrap_or(0)));
    }
}

//! A strict JSON reader that visits what it is asked for and steps over the rest.
//!
//! Owns the grammar (RFC 8259), nothing of what members mean. It never allocates, never copies and never
//! recurses on its input: nesting is counted, and refused beyond [`DEPTH`]. Every value that is stepped over
//! is checked like every other, so that a body which passes here is JSON for the provider too.

mod special;
mod string;
mod text;

pub(super) use special::plain;
pub(super) use text::{Text, folded, folds_to};

/// Deepest nesting of objects and arrays that is read.
pub(super) const DEPTH: usize = 128;

/// Most members that the objects of a request have together. A conversation of ten thousand messages has fewer; what has
/// more is made to keep readers busy, the next one above all.
pub(super) const MEMBERS: u32 = 100_000;

/// Bytes of the longest names that are known to somebody, each letter of which may be written with three.
const ROOM: usize = 64;

/// A stretch of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Why reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The grammar wants something else at this byte.
    Syntax { at: usize, wanted: &'static str },
    /// More than [`DEPTH`] objects and arrays are open at this byte.
    TooDeep { at: usize },
    /// More than [`MEMBERS`] members came before this byte.
    TooMany { at: usize },
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// A value that was stepped over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) kind: Kind,
    pub(super) span: Span,
    /// What a string has between its quotes, or a number.
    text: Text<'a>,
}

/// A place in a JSON text.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    /// Members that may still come.
    members: u32,
    /// Whether what is nested more deeply than [`DEPTH`] is stepped over without a look at its grammar.
    endless: bool,
    /// Whether all strings so far are ASCII.
    ascii: bool,
    /// Where the name that was read last stands, with its quotes.
    name: Span,
}

impl<'a> Reader<'a> {
    /// Starts before the first byte.
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            members: u32::MAX,
            endless: false,
            ascii: true,
            name: Span { start: 0, end: 0 },
        }
    }

    /// The same, for a text of somebody who is not trusted with more than [`MEMBERS`].
    pub(super) fn of_request(text: &'a [u8]) -> Self {
        Self {
            members: MEMBERS,
            ..Self::new(text)
        }
    }

    /// The same, for an answer: it echoes what a request had, one level deeper, and has whatever a model was told to nest.
    /// Its figures are read all the same.
    pub(super) fn of_answer(text: &'a [u8]) -> Self {
        Self {
            endless: true,
            ..Self::new(text)
        }
    }

    /// Where the reader stands.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Whether what was read is ASCII, if it is JSON: nothing else has a place outside of its strings.
    pub(super) const fn is_ascii(&self) -> bool {
        self.ascii
    }

    /// Where the name that was read last stands, with its quotes: a member's own, until its value has been read.
    pub(super) const fn name_span(&self) -> Span {
        self.name
    }

    /// What comes next; the reader then stands on its first byte.
    pub(super) fn kind(&mut self) -> Result<Kind, Fault> {
        self.space();
        match self.text.get(self.at) {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            _ => Err(self.wanted("a value")),
        }
    }

    /// Steps over the next value, whatever it is.
    pub(super) fn skip(&mut self) -> Result<Value<'a>, Fault> {
        let kind = self.kind()?;
        let start = self.at;
        let text = match kind {
            Kind::String => self.string()?,
            Kind::Number => self.number()?,
            other => {
                self.step_over(other)?;
                Text::new(b"", false)
            }
        };
        let span = Span {
            start,
            end: self.at,
        };
        Ok(Value { kind, span, text })
    }

    /// Visits each member of an object: `each` gets the name without its escapes and must consume exactly the value. A name
    /// that no known one can be is empty where it has escapes.
    ///
    /// A value that is not an object is stepped over.
    pub(super) fn members<E: From<Fault>>(
        &mut self,
        mut each: impl FnMut(&mut Self, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.kind()? != Kind::Object {
            self.skip()?;
            return Ok(());
        }
        self.open()?;
        self.space();
        if !self.take(b'}') {
            let mut room = [0; ROOM];
            loop {
                let name = self.name()?.unescaped(&mut room);
                each(self, name)?;
                self.space();
                if self.take(b'}') {
                    break;
                }
                self.expect(b',', "a comma or }")?;
                self.space();
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Visits each element of an array: `each` must consume exactly one value.
    ///
    /// A value that is not an array is stepped over.
    pub(super) fn elements<E: From<Fault>>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.kind()? != Kind::Array {
            self.skip()?;
            return Ok(());
        }
        self.open()?;
        self.space();
        if !self.take(b']') {
            loop {
                each(self)?;
                self.space();
                if self.take(b']') {
                    break;
                }
                self.expect(b',', "a comma or ]")?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Checks that nothing follows but white space.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        self.space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(self.wanted("the end of the document"))
        }
    }

    /// Enters the object or array the reader stands on.
    fn open(&mut self) -> Result<(), Fault> {
        if self.depth >= DEPTH {
            return Err(Fault::TooDeep { at: self.at });
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// A member's name and the colon behind it.
    fn name(&mut self) -> Result<Text<'a>, Fault> {
        if self.text.get(self.at) != Some(&b'"') {
            return Err(self.wanted("a member's name in quotes"));
        }
        let Some(left) = self.members.checked_sub(1) else {
            return Err(Fault::TooMany { at: self.at });
        };
        self.members = left;
        let start = self.at;
        let name = self.string()?;
        self.name = Span {
            start,
            end: self.at,
        };
        self.space();
        self.expect(b':', "a colon")?;
        Ok(name)
    }

    /// Steps over an object or array without recursion: one bit says which kind each open one is.
    fn container(&mut self) -> Result<(), Fault> {
        let mut open = 0_usize;
        let mut objects = 0_u128;
        loop {
            let kind = self.kind()?;
            match kind {
                Kind::Object | Kind::Array if self.depth + open >= DEPTH => self.too_deep()?,
                Kind::Object | Kind::Array => {
                    let object = kind == Kind::Object;
                    open += 1;
                    objects = objects << 1 | u128::from(object);
                    self.at += 1;
                    self.space();
                    let empty = self.text.get(self.at) == Some(if object { &b'}' } else { &b']' });
                    if !empty {
                        if object {
                            self.name()?;
                        }
                        continue;
                    }
                }
                scalar => self.step_over(scalar)?,
            }
            // A value has ended: close what ends with it, or go on to the next.
            loop {
                self.space();
                let object = objects & 1 == 1;
                let close = if object { b'}' } else { b']' };
                if self.take(close) {
                    open -= 1;
                    objects >>= 1;
                    if open == 0 {
                        return Ok(());
                    }
                    continue;
                }
                self.expect(b',', "a comma or the end of the object or array")?;
                if object {
                    self.space();
                    self.name()?;
                }
                break;
            }
        }
    }

    /// Steps over what is nested too deeply for its grammar to be kept in mind, from its bracket to the one that closes it.
    fn too_deep(&mut self) -> Result<(), Fault> {
        if !self.endless {
            return Err(Fault::TooDeep { at: self.at });
        }
        let mut open = 0_usize;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => open += 1,
                Some(b'}' | b']') => open -= 1,
                Some(_) => {}
                None => return Err(self.wanted("the end of the object or array")),
            }
            self.at += 1;
            if open == 0 {
                return Ok(());
            }
        }
    }

    fn step_over(&mut self, kind: Kind) -> Result<(), Fault> {
        match kind {
            Kind::String => self.string().map(drop),
            Kind::Number => self.number().map(drop),
            Kind::True => self.word(b"true"),
            Kind::False => self.word(b"false"),
            Kind::Null => self.word(b"null"),
            Kind::Object | Kind::Array => self.container(),
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(self.wanted("true, false or null"));
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<Text<'a>, Fault> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        let number = self.text.get(start..self.at).unwrap_or_default();
        Ok(Text::new(number, false))
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return Err(self.wanted("a digit"));
        }
        self.at += digits;
        Ok(())
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.text.get(self.at) == Some(&byte);
        if there {
            self.at += 1;
        }
        there
    }

    fn expect(&mut self, byte: u8, wanted: &'static str) -> Result<(), Fault> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.wanted(wanted))
        }
    }

    const fn wanted(&self, wanted: &'static str) -> Fault {
        Fault::Syntax {
            at: self.at,
            wanted,
        }
    }
}

impl<'a> Value<'a> {
    /// The text of a string.
    pub(super) fn text(&self) -> Option<Text<'a>> {
        (self.kind == Kind::String).then_some(self.text)
    }

    /// Where the text of a string stands that has no escapes.
    pub(super) fn inside(&self) -> Option<Span> {
        let plain = self.kind == Kind::String && !self.text.escaped;
        plain.then_some(Span {
            start: self.span.start + 1,
            end: self.span.end - 1,
        })
    }

    /// A number of digits alone; one above `u64` is `u64::MAX`. Signs, fractions and exponents are `None`.
    pub(super) fn unsigned(&self) -> Option<u64> {
        if self.kind != Kind::Number {
            return None;
        }
        digits(self.text.raw)
    }

    /// The same, also where it is written with a fraction of nothing: `50.0`, as servers write it that know no integers.
    pub(super) fn count(&self) -> Option<u64> {
        let raw = self.text.raw;
        let Some(point) = raw.iter().position(|byte| *byte == b'.') else {
            return self.unsigned();
        };
        let (whole, fraction) = raw.split_at(point);
        let nothing = fraction.iter().skip(1).all(|byte| *byte == b'0');
        (self.kind == Kind::Number && nothing).then(|| digits(whole))?
    }
}

/// The number that digits are, at most `u64::MAX`; `None` where something else is among them.
fn digits(raw: &[u8]) -> Option<u64> {
    raw.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    })
}

#[cfg(test)]
mod tests;

//! Changing single members of a body, and no other byte of it.

use bytes::Bytes;

use super::{
    ask::{Ask, Limit, StreamOptions},
    json::Span,
};

/// What to change in a body before it is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Edits<'a> {
    /// The provider's name for the model.
    pub model: Option<&'a str>,
    /// Set `stream_options.include_usage` to true, over false, null and absence.
    pub include_usage: bool,
    /// The most output tokens: lowers each limit that the client gave, or is written under this name if it gave none.
    pub output_limit: Option<(&'a str, u64)>,
    /// The one name of the output limit that the provider reads, where it reads one alone: a limit that the client gave
    /// under another stands under this one.
    pub limit_name: Option<&'a str>,
}

/// Most places that can change: the model, the stream options, three output limits and the name of one.
const PLACES: usize = 6;

/// A change: these bytes of the body make room for that.
#[derive(Debug, Clone, Copy)]
struct Splice<'a> {
    span: Span,
    piece: Piece<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Piece<'a> {
    String(&'a str),
    Number(u64),
    Text(&'static str),
}

/// The changes to one body, on the stack.
#[derive(Debug, Default)]
struct Splices<'a> {
    places: [Option<Splice<'a>>; PLACES],
    used: usize,
}

impl Ask {
    /// The body with `edits`, which is the one this was read from: every byte outside the edited members is the same.
    ///
    /// Without any edit it is the same handle. A member that is missing is written behind the opening brace.
    pub fn edit(&self, body: &Bytes, edits: &Edits<'_>) -> Bytes {
        let mut splices = Splices::default();
        let mut missing = Missing::default();
        if let Some(model) = edits.model {
            let same = self.model.as_ref().is_some_and(|own| own.as_str() == model);
            match self.spans.model {
                Some(_) if same => {}
                Some(span) => splices.put(span, Piece::String(model)),
                None => missing.model = Some(model),
            }
        }
        if edits.include_usage {
            match &self.spans.stream_options {
                Some(options) if self.include_usage != Some(true) => {
                    let (span, text) = include_usage(options);
                    splices.put(span, Piece::Text(text));
                }
                Some(_) => {}
                None => missing.include_usage = true,
            }
        }
        if let Some((field, most)) = edits.output_limit {
            self.limit(field, most, &mut splices, &mut missing);
        }
        if let Some(name) = edits.limit_name {
            self.rename(name, edits.output_limit.map(|(_, most)| most), &mut splices);
        }
        if splices.used == 0 && missing == Missing::default() {
            return body.clone();
        }
        self.splice(body, splices, &missing)
    }

    fn limit<'a>(
        &self,
        field: &'a str,
        most: u64,
        splices: &mut Splices<'a>,
        missing: &mut Missing<'a>,
    ) {
        let mut given = false;
        for limit in self.spans.limits() {
            if let Some(own) = limit.value {
                given = true;
                if own > most {
                    splices.put(limit.span, Piece::Number(most));
                }
            }
        }
        if given {
            return;
        }
        // What is there under the name is null, or counts for no answer of this endpoint.
        match self.spans.limits().find(|l| l.member.name() == field) {
            Some(limit) => splices.put(limit.span, Piece::Number(most)),
            None => missing.limit = Some((field, most)),
        }
    }

    /// Gives a limit of the client's the name that the provider reads. What it does not read would bound nothing.
    fn rename<'a>(&self, name: &'a str, most: Option<u64>, splices: &mut Splices<'a>) {
        let mut given = self.spans.limits().filter(|limit| limit.value.is_some());
        let Some(other) = given.next() else { return };
        let has_name = |limit: &Limit| limit.member.name() == name;
        if has_name(&other) || given.any(|limit| has_name(&limit)) {
            return;
        }
        match self.spans.limits().find(has_name) {
            // It stands there as null.
            Some(limit) => {
                let own = other.value.unwrap_or(u64::MAX);
                let number = most.map_or(own, |most| own.min(most));
                splices.put(limit.span, Piece::Number(number));
            }
            None => splices.put(other.name, Piece::String(name)),
        }
    }

    /// Measured first, then written into a block of just that size: a longer one would need an owner beside it.
    fn splice(&self, body: &Bytes, mut splices: Splices<'_>, missing: &Missing<'_>) -> Bytes {
        splices.sort();
        let mut length = 0;
        self.pieces(body, &splices, missing, &mut |piece| length += piece.len());
        let mut edited = Vec::with_capacity(length);
        self.pieces(body, &splices, missing, &mut |piece| {
            edited.extend_from_slice(piece);
        });
        edited.into()
    }

    /// Gives the edited body piece by piece.
    fn pieces(
        &self,
        body: &[u8],
        splices: &Splices<'_>,
        missing: &Missing<'_>,
        each: &mut impl FnMut(&[u8]),
    ) {
        let bytes = |range: std::ops::Range<usize>| body.get(range).unwrap_or_default();
        each(bytes(0..self.spans.open));
        missing.pieces(self.spans.empty, each);
        let mut from = self.spans.open;
        for splice in splices.places.iter().flatten() {
            each(bytes(from..splice.span.start));
            match splice.piece {
                Piece::String(text) => string(text, each),
                Piece::Number(number) => each(itoa::Buffer::new().format(number).as_bytes()),
                Piece::Text(text) => each(text.as_bytes()),
            }
            from = splice.span.end;
        }
        each(bytes(from..body.len()));
    }
}

/// Members that the body does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Missing<'a> {
    model: Option<&'a str>,
    include_usage: bool,
    limit: Option<(&'a str, u64)>,
}

impl Missing<'_> {
    fn pieces(&self, last: bool, each: &mut impl FnMut(&[u8])) {
        let comma = |more: bool| if more || !last { &b","[..] } else { b"" };
        if let Some(model) = self.model {
            each(b"\"model\":");
            string(model, each);
            each(comma(self.include_usage || self.limit.is_some()));
        }
        if self.include_usage {
            each(b"\"stream_options\":{\"include_usage\":true}");
            each(comma(self.limit.is_some()));
        }
        if let Some((field, most)) = self.limit {
            string(field, each);
            each(b":");
            each(itoa::Buffer::new().format(most).as_bytes());
            each(comma(false));
        }
    }
}

impl<'a> Splices<'a> {
    fn put(&mut self, span: Span, piece: Piece<'a>) {
        if let Some(place) = self.places.get_mut(self.used) {
            *place = Some(Splice { span, piece });
            self.used += 1;
        }
    }

    fn sort(&mut self) {
        self.places
            .sort_unstable_by_key(|place| place.map_or(usize::MAX, |splice| splice.span.start));
    }
}

/// What to write where, so that the stream options include the usage and keep everything else.
fn include_usage(options: &StreamOptions) -> (Span, &'static str) {
    match options.include_usage {
        Some(value) => (value, "true"),
        None if !options.object => (options.span, "{\"include_usage\":true}"),
        None => {
            let inside = options.span.start + 1;
            let place = Span {
                start: inside,
                end: inside,
            };
            let text = if options.empty {
                "\"include_usage\":true"
            } else {
                "\"include_usage\":true,"
            };
            (place, text)
        }
    }
}

/// A text as JSON: names have nothing to escape, and any other is escaped all the same.
fn string(text: &str, each: &mut impl FnMut(&[u8])) {
    if text
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
    {
        each(b"\"");
        each(text.as_bytes());
        each(b"\"");
    } else {
        each(serde_json::Value::from(text).to_string().as_bytes());
    }
}

#[cfg(test)]
mod tests;

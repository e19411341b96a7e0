//! The text of a JSON string, compared and measured without unescaping it into memory.

use std::borrow::Cow;

use super::ROOM;

/// What a string holds between its quotes, still escaped. Its grammar has been checked.
#[derive(Debug, Clone, Copy)]
pub(in crate::providers) struct Text<'a> {
    pub(super) raw: &'a [u8],
    pub(super) escaped: bool,
}

impl<'a> Text<'a> {
    pub(super) const fn new(raw: &'a [u8], escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// Whether it means exactly `name`: `"mod\u0065l"` is `model`. Inline, so that a name that is known when this is
    /// compiled is compared as a number or two.
    #[inline]
    pub(in crate::providers) fn is(self, name: &str) -> bool {
        if self.escaped {
            return self.means(name);
        }
        self.raw == name.as_bytes()
    }

    #[cold]
    fn means(self, name: &str) -> bool {
        let mut rest = Some(name.as_bytes());
        self.pieces(|piece| rest = rest.and_then(|rest| rest.strip_prefix(piece.ok()?)));
        rest.is_some_and(<[u8]>::is_empty)
    }

    /// Its bytes without its escapes: none where that has no room, or half a surrogate pair makes it no text.
    #[inline]
    pub(super) fn unescaped<'r>(self, room: &'r mut [u8; ROOM]) -> &'r [u8]
    where
        'a: 'r,
    {
        if self.escaped {
            self.unescape(room)
        } else {
            self.raw
        }
    }

    #[cold]
    fn unescape(self, room: &mut [u8; ROOM]) -> &[u8] {
        let mut used = Some(0);
        self.pieces(|piece| {
            used = piece.ok().zip(used).and_then(|(piece, used)| {
                let end = used + piece.len();
                room.get_mut(used..end)?.copy_from_slice(piece);
                Some(end)
            });
        });
        used.and_then(|used| room.get(..used)).unwrap_or_default()
    }

    /// How many bytes of UTF-8 it is without its escapes.
    pub(in crate::providers) fn len(self) -> u64 {
        if !self.escaped {
            return self.raw.len() as u64;
        }
        let mut length = 0;
        self.pieces(|piece| length += piece.map_or(3, <[u8]>::len) as u64);
        length
    }

    /// The text without its escapes; `None` where half a surrogate pair or a wrong byte makes it no text.
    pub(in crate::providers) fn decode(self) -> Option<Cow<'a, str>> {
        if !self.escaped {
            return std::str::from_utf8(self.raw).ok().map(Cow::Borrowed);
        }
        let mut text = Some(Vec::with_capacity(self.raw.len()));
        self.pieces(|piece| match (piece, &mut text) {
            (Ok(piece), Some(text)) => text.extend_from_slice(piece),
            (..) => text = None,
        });
        text.and_then(|text| String::from_utf8(text).ok())
            .map(Cow::Owned)
    }

    /// Gives the text piece by piece: stretches without escapes, and one piece for each escape.
    fn pieces(self, mut each: impl FnMut(Result<&[u8], LoneSurrogate>)) {
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            let (plain, escape) = rest.split_at(at);
            if !plain.is_empty() {
                each(Ok(plain));
            }
            let (character, length) = unescape(escape);
            let mut utf8 = [0; 4];
            each(character.map(|c| c.encode_utf8(&mut utf8).as_bytes()));
            rest = escape.get(length..).unwrap_or_default();
        }
        if !rest.is_empty() {
            each(Ok(rest));
        }
    }
}

/// Half of a surrogate pair, which is no character. JSON's grammar lets it pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LoneSurrogate;

/// The character of the escape at the start of `text`, and the escape's length.
fn unescape(text: &[u8]) -> (Result<char, LoneSurrogate>, usize) {
    let simple = match text.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(text),
        Some(other) => char::from(*other),
        None => return (Err(LoneSurrogate), text.len()),
    };
    (Ok(simple), 2)
}

fn unicode(text: &[u8]) -> (Result<char, LoneSurrogate>, usize) {
    let first = hex(text.get(2..6));
    if let Some(character) = char::from_u32(first) {
        return (Ok(character), 6);
    }
    let second = match text.get(6..8) {
        Some(b"\\u") => hex(text.get(8..12)),
        _ => 0,
    };
    if (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second) {
        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(code).ok_or(LoneSurrogate), 12);
    }
    (Err(LoneSurrogate), 6)
}

fn hex(digits: Option<&[u8]>) -> u32 {
    digits
        .unwrap_or_default()
        .iter()
        .filter_map(|digit| char::from(*digit).to_digit(16))
        .fold(0, |number, digit| number << 4 | digit)
}

/// Whether a reader that ignores case would take `name` for `known`, which is ASCII in lower case.
pub(in crate::providers) fn folds_to(name: &[u8], known: &[u8]) -> bool {
    name == known || folded(name, |folded| (folded == known).then_some(())).is_some()
}

/// What `known` makes of a name in lower case, as a reader that ignores case has it, where that is another name in ASCII.
///
/// Go's `encoding/json` is such a reader, and folds `ſ` to `s` and the Kelvin sign to `k`.
pub(in crate::providers) fn folded<T>(
    name: &[u8],
    known: impl FnOnce(&[u8]) -> Option<T>,
) -> Option<T> {
    // Nearly all are in lower case.
    let folds = |byte: &u8| byte.is_ascii_uppercase() || !byte.is_ascii();
    if name.iter().any(folds) {
        fold(name, &mut [0; ROOM]).and_then(known)
    } else {
        None
    }
}

#[cold]
fn fold<'r>(name: &[u8], room: &'r mut [u8; ROOM]) -> Option<&'r [u8]> {
    let name = std::str::from_utf8(name).ok()?;
    let mut used = 0;
    for character in name.chars() {
        let folded = match character {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        };
        *room.get_mut(used)? = u8::try_from(folded).ok().filter(u8::is_ascii)?;
        used += 1;
    }
    room.get(..used)
}

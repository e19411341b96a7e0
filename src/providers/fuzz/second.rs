//! A second reader of JSON: `serde_json` for the grammar, member by member, copies included.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// A member's name, `None` where half a surrogate pair makes it no text, and its value as it is written.
pub(super) type Member<'a> = (Option<String>, &'a str);

/// Whether it is one JSON document.
pub(super) fn is_document(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// The members of a document that is an object, in their order.
pub(super) fn members(text: &[u8]) -> Option<Vec<Member<'_>>> {
    // Names that are read as bytes may have control characters, which a document has not.
    let Members(members) = serde_json::from_slice(text)
        .ok()
        .filter(|_| is_document(text))?;
    Some(members)
}

/// The items of an array.
pub(super) fn items(text: &str) -> Option<Vec<&str>> {
    let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(items.into_iter().map(RawValue::get).collect())
}

/// What a string means; `None` for everything else.
pub(super) fn text(value: &str) -> Option<String> {
    if !value.starts_with('"') {
        return None;
    }
    serde_json::from_str::<Name>(value).ok()?.0
}

/// A whole number without a sign, a point or an exponent.
pub(super) fn count(value: &str) -> Option<u128> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().unwrap_or(u128::MAX);
    (digits && !value.is_empty()).then_some(number)
}

/// The most objects and arrays that are open at once, counted by their brackets outside strings.
pub(super) fn depth(text: &[u8]) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    let mut quoted = false;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if quoted => _ = bytes.next(),
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                open += 1;
                most = most.max(open);
            }
            b'}' | b']' if !quoted => open = open.saturating_sub(1),
            _ => {}
        }
    }
    most
}

struct Members<'a>(Vec<Member<'a>>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(AllMembers)
    }
}

struct AllMembers;

impl<'de> Visitor<'de> for AllMembers {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Name(name), value)) = map.next_entry::<Name, &'de RawValue>()? {
            members.push((name, value.get()));
        }
        Ok(Members(members))
    }
}

/// A string that may hold half a surrogate pair, which no `String` can.
struct Name(Option<String>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_byte_buf(AnyBytes)
    }
}

struct AnyBytes;

impl Visitor<'_> for AnyBytes {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Name, E> {
        Ok(Name(String::from_utf8(bytes.to_vec()).ok()))
    }
}

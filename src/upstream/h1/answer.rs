//! The head of an answer (RFC 9112 §4 and §6.3).

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
    response::Parts,
};

use crate::upstream::head::MAX_FIELDS;

/// Fields that come to an answer on its way to the client, as a rule: what is left of its limits, and its id.
const ADDED: usize = 10;
/// A map with more room than this is not used again: what one request was large for, its connection would keep.
const MOST_ROOM: usize = 48;

/// What a head says.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) parts: Parts,
    pub(super) length: Length,
    /// Whether the connection stays when the answer has ended.
    pub(super) reusable: bool,
}

/// How the end of the body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Known(u64),
    Chunked,
    UntilClose,
}

/// Reads a whole head into `headers`, an empty map. Names and values stay where they are.
///
/// # Errors
/// It is not HTTP as we accept it.
pub(super) fn read(
    head: Bytes,
    to_head_request: bool,
    mut headers: HeaderMap,
) -> Result<Head, &'static str> {
    // RFC 9112 §2.2 lets a reader take a line feed alone for the end of a line; two readers that differ in it differ in
    // what the answer is.
    if has_a_lone_line_feed(&head) {
        return Err("a line of the answer's head ends without a carriage return");
    }
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut found = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut found, &head, &mut fields)
        .map_err(|_| "the answer's head is malformed")?;
    if parsed != httparse::Status::Complete(head.len()) {
        return Err("the answer's head is malformed");
    }
    let status = found.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or("the answer has no status")?;
    let version = match found.version {
        Some(1) => Version::HTTP_11,
        _ => Version::HTTP_10,
    };
    if headers.capacity() > MOST_ROOM {
        headers = HeaderMap::new();
    }
    headers.reserve(found.headers.len() + ADDED);
    for field in &*found.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value));
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err("a field of the answer is malformed");
        };
        headers.append(name, value);
    }
    let length = length(status, version, &headers, to_head_request)?;
    let reusable = length != Length::UntilClose && stays(version, &headers);
    let (mut parts, ()) = Response::new(()).into_parts();
    (parts.status, parts.version, parts.headers) = (status, version, headers);
    Ok(Head {
        parts,
        length,
        reusable,
    })
}

/// All pairs are looked at, because many at once are compared as fast as one.
fn has_a_lone_line_feed(head: &[u8]) -> bool {
    let next = head.get(1..).unwrap_or_default();
    let pairs = head.iter().zip(next);
    pairs.fold(head.starts_with(b"\n"), |found, (byte, next)| {
        found | (*next == b'\n') & (*byte != b'\r')
    })
}

/// RFC 9112 §6.3. Nobody is asked for another coding than chunks: one that comes all the same could not be passed on.
fn length(
    status: StatusCode,
    version: Version,
    headers: &HeaderMap,
    to_head_request: bool,
) -> Result<Length, &'static str> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    if coding.is_some() && version == Version::HTTP_10 {
        return Err("a transfer coding in HTTP/1.0");
    }
    let lengths = content_length(headers)?;
    if to_head_request
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    {
        return Ok(Length::Known(0));
    }
    match (coding, codings.next()) {
        (None, _) => Ok(lengths.map_or(Length::UntilClose, Length::Known)),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Ok(Length::Chunked)
        }
        _ => Err("a transfer coding that is not chunked"),
    }
}

/// RFC 9110 §8.6: a length may be said several times, as long as it is the same.
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, &'static str> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for number in value.as_bytes().split(|byte| *byte == b',') {
            let number = number.trim_ascii();
            let digits = number.iter().all(u8::is_ascii_digit);
            let number = std::str::from_utf8(number).ok().filter(|_| digits);
            let number: u64 = number
                .and_then(|number| number.parse().ok())
                .ok_or("a length that is none")?;
            if length.is_some_and(|length| length != number) {
                return Err("two lengths");
            }
            length = Some(number);
        }
    }
    Ok(length)
}

/// RFC 9112 §9.3.
fn stays(version: Version, headers: &HeaderMap) -> bool {
    let says = |word: &str| {
        let mut tokens = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    !says("close") && (version == Version::HTTP_11 || says("keep-alive"))
}

#[cfg(test)]
mod tests;

//! What must hold of the bytes of a provider's answer, however they arrive.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};

use super::{
    answer::{self, Length},
    chunks::{Chunks, Decoded},
    wire::end_of_head,
};

/// How a chunked body went.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    body: Vec<u8>,
    /// What stands behind the end, where there was one.
    rest: Option<Vec<u8>>,
    broken: Option<&'static str>,
}

/// A connection's bytes, behind one that says how they are cut.
pub(crate) fn answer(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else {
        return;
    };
    let piece = usize::from(*cut).max(1);
    let end = end_by_pieces(bytes, piece);
    assert_eq!(end, plain_end(bytes), "the end of the head");
    let Some(end) = end else {
        // Without a head, they are a body.
        chunked(bytes, piece);
        return;
    };
    let (head, body) = bytes.split_at(end);
    // Anything else is noticed before its end is looked for.
    if !head.starts_with(b"HTTP/1.") {
        return;
    }
    for to_head_request in [false, true] {
        let Ok(read) = answer::read(
            Bytes::copy_from_slice(head),
            to_head_request,
            HeaderMap::new(),
        ) else {
            continue;
        };
        let (status, headers) = (read.parts.status, &read.parts.headers);
        assert_eq!(read.length, plain_length(status, headers, to_head_request));
        assert!(!(read.reusable && read.length == Length::UntilClose));
        let text = head.strip_suffix(b"\r\n\r\n").expect("the end of a head");
        let lines = text.split(|byte| *byte == b'\n').count();
        assert_eq!(headers.len() + 1, lines, "every line is a field");
        assert_eq!(
            text.windows(2).filter(|pair| *pair == b"\r\n").count() + 1,
            lines
        );
        if read.length == Length::Chunked {
            chunked(body, piece);
        }
    }
}

/// Where the head ends for who gets it piece by piece.
fn end_by_pieces(bytes: &[u8], piece: usize) -> Option<usize> {
    let mut searched = 0;
    let mut ends = (0..bytes.len()).step_by(piece).map(|at| {
        let there = &bytes[..bytes.len().min(at + piece)];
        let end = end_of_head(there, searched);
        searched = there.len();
        end
    });
    ends.find_map(|end| end)
}

fn plain_end(bytes: &[u8]) -> Option<usize> {
    let empty = |end: &usize| {
        let read = &bytes[..*end];
        read.ends_with(b"\n\n") || read.ends_with(b"\n\r\n")
    };
    (1..=bytes.len()).find(empty)
}

/// RFC 9112 §6.3, rule by rule.
fn plain_length(status: StatusCode, headers: &HeaderMap, to_head_request: bool) -> Length {
    if to_head_request || matches!(status.as_u16(), 100..200 | 204 | 304) {
        return Length::Known(0);
    }
    if headers.contains_key("transfer-encoding") {
        return Length::Chunked;
    }
    let Some(length) = headers.get("content-length") else {
        return Length::UntilClose;
    };
    let first = length.to_str().expect("a length is digits");
    let first = first.split(',').next().unwrap_or_default();
    Length::Known(first.trim().parse().expect("a length is a number"))
}

/// A chunked body is the same in any pieces, and what reading it line by line gives.
fn chunked(bytes: &[u8], piece: usize) {
    let taken = take(bytes, piece);
    for other in [1, 2, bytes.len().max(1)] {
        assert_eq!(
            take(bytes, other),
            taken,
            "in pieces of {other} and {piece}"
        );
    }
    let whole = plain_chunks(bytes);
    let ended = taken.rest.map(|rest| (taken.body, rest));
    assert_eq!(ended, whole, "{:?}", taken.broken);
}

fn take(bytes: &[u8], piece: usize) -> Taken {
    let (mut chunks, mut read, mut body) = (Chunks::default(), BytesMut::new(), Vec::new());
    let mut broken = None;
    'pieces: for piece in bytes.chunks(piece) {
        read.extend_from_slice(piece);
        loop {
            match chunks.decode(&mut read) {
                Ok(Decoded::Data(data)) => body.extend_from_slice(&data),
                Ok(Decoded::More | Decoded::End) => break,
                Err(words) => {
                    broken = Some(words);
                    break 'pieces;
                }
            }
        }
    }
    let rest = chunks.is_over().then(|| read.to_vec());
    Taken { body, rest, broken }
}

/// The body, and what stands behind it, of chunks that are whole and right.
fn plain_chunks(mut bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut body = Vec::new();
    loop {
        let (line, rest) = plain_line(bytes)?;
        let text = std::str::from_utf8(line.split(|byte| *byte == b';').next()?).ok()?;
        let size = text.trim_end_matches([' ', '\t']);
        if text.len() > size.len() + 64 {
            return None;
        }
        if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            bytes = rest;
            break;
        }
        body.extend_from_slice(rest.get(..size)?);
        bytes = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
    loop {
        let (line, rest) = plain_line(bytes)?;
        if line.is_empty() {
            return Some((body, rest.to_vec()));
        }
        bytes = rest;
    }
}

/// A line that ends in CR LF and has neither inside.
fn plain_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let line = &bytes[..end];
    (!line.contains(&b'\r') && !line.contains(&b'\n')).then_some((line, &bytes[end + 2..]))
}

//! Paths that two readers could understand differently are refused, never put right.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// Whether a path means the same to everybody, whether they decode it once, twice or not at all: absolute, no empty or
/// dot segments, no encoded separators, no backslash, no NUL, no line break, no percent sign without its two digits.
pub(super) fn is_plain(path: &str) -> bool {
    let path = path.as_bytes();
    let Some(rest) = path.strip_prefix(b"/") else {
        return false;
    };
    // One slash at the end is a path of its own; two are not.
    let doubled = rest.starts_with(b"/") || rest.windows(2).any(|pair| pair == b"//");
    if doubled || !is_spelled_out(path) {
        return false;
    }
    if !path.contains(&b'%') {
        return true;
    }
    if !escapes_are_whole(path) {
        return false;
    }
    let once: Vec<u8> = percent_decode(path).collect();
    let twice: Vec<u8> = percent_decode(&once).collect();
    let slashes = |path: &[u8]| path.iter().filter(|byte| **byte == b'/').count();
    [&once, &twice]
        .iter()
        .all(|decoded| slashes(decoded) == slashes(path) && is_spelled_out(decoded))
}

/// Whether a path has anything that a provider may read as something else.
pub(super) fn may_be_undone(path: &str) -> bool {
    path.bytes()
        .any(|byte| matches!(byte, b'%' | b';' | b'A'..=b'Z'))
}

/// Whether a provider may take `path` for one below any of `prefixes`, though it is not written so: it may decode it once
/// or twice, know no capitals, or cut off what stands behind a semicolon.
pub(super) fn reads_as_below<'a>(mut prefixes: impl Iterator<Item = &'a str>, path: &str) -> bool {
    let path = path.as_bytes();
    let once: Cow<'_, [u8]> = percent_decode(path).into();
    let twice: Cow<'_, [u8]> = percent_decode(&once).into();
    let below = |prefix: &str| {
        [path, &*once, &*twice]
            .iter()
            .any(|path| folds_below(prefix, path))
    };
    prefixes.any(below)
}

fn folds_below(prefix: &str, path: &[u8]) -> bool {
    let mut segments = path.split(|byte| *byte == b'/');
    prefix.split('/').all(|wanted| {
        let segment = segments.next().unwrap_or_default();
        let name = segment.split(|byte| *byte == b';').next();
        [Some(segment), name]
            .into_iter()
            .flatten()
            .any(|segment| segment.eq_ignore_ascii_case(wanted.as_bytes()))
    })
}

/// No segment is `.` or `..`, with or without parameters behind it, and no byte is one that some reader cuts at.
fn is_spelled_out(path: &[u8]) -> bool {
    let odd = |byte: &u8| matches!(byte, b'\\' | 0 | b'\n' | b'\r');
    let dots = |segment: &[u8]| {
        let name = segment.split(|byte| *byte == b';').next();
        matches!(name, Some(b"." | b".."))
    };
    !path.iter().any(odd) && !path.split(|byte| *byte == b'/').any(dots)
}

/// RFC 3986 §2.1: two hexadecimal digits behind every percent sign.
fn escapes_are_whole(path: &[u8]) -> bool {
    let mut parts = path.split(|byte| *byte == b'%').skip(1);
    parts.all(|part| {
        let digits = part.get(..2).unwrap_or_default();
        digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit)
    })
}

#[cfg(test)]
mod tests;

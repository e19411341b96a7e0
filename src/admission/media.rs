//! What a body calls itself.

use http::{HeaderMap, HeaderValue, header};

use crate::refusal::{Code, Detail, Refusal};

/// Refuses a body that has to be read and calls itself anything else than JSON in UTF-8: a provider that believes its
/// `Content-Type` would read another call than the one that was checked. One that calls itself nothing is JSON.
///
/// # Errors
/// 400 with what to send instead.
pub fn described(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.get_all(header::CONTENT_TYPE).iter().all(is_json) {
        return Ok(());
    }
    let words =
        "The body of this endpoint is JSON in UTF-8; send `Content-Type: application/json`.";
    Err(Refusal::new(Code::InvalidHeader).with(Detail::Say(words)))
}

/// `application/json`, or a type of its family (RFC 6839 §3.1), without another character set than RFC 8259 §8.1 has.
fn is_json(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else {
        return false;
    };
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let ends = |ending: &str| {
        let at = kind.len().checked_sub(ending.len());
        at.and_then(|at| kind.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(ending))
    };
    let family = kind
        .get(.."application/".len())
        .is_some_and(|start| start.eq_ignore_ascii_case("application/"));
    let utf8 = |part: &str| match part.split_once('=') {
        Some((name, set)) if name.trim_end().eq_ignore_ascii_case("charset") => {
            let set = set.trim().trim_matches('"');
            set.eq_ignore_ascii_case("utf-8") || set.eq_ignore_ascii_case("utf8")
        }
        _ => true,
    };
    family && (kind.eq_ignore_ascii_case("application/json") || ends("+json")) && parts.all(utf8)
}

#[cfg(test)]
mod tests;

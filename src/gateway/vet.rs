//! What hyper leaves to us of a request's head: sizes, characters, the host, framing.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Version, header, request::Parts, uri::Scheme,
};
use memchr::{memchr, memchr3};

use super::{BodyLimits, path};
use crate::refusal::{Code, Detail, Refusal};

/// Methods that no route takes: one opens tunnels, the other echoes credentials.
const NEVER: [Method; 2] = [Method::CONNECT, Method::TRACE];

/// What some readers take for the fields that frame a body.
const TRANSFER_UNDERSCORE: HeaderName = HeaderName::from_static("transfer_encoding");
const LENGTH_UNDERSCORE: HeaderName = HeaderName::from_static("content_length");

/// Characters of a host, and of a path and its query (RFC 3986 §3.2.2, §3.3 and §3.4).
const OF_A_HOST: [bool; 256] = alphanumeric_and(b"-._~:[]%");
const OF_A_TARGET: [bool; 256] = alphanumeric_and(b"-._~!$&'()*+,;=:@/?%[]|");

const fn alphanumeric_and(others: &[u8]) -> [bool; 256] {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < allowed.len() {
        allowed[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        allowed[others[at] as usize] = true;
        at += 1;
    }
    allowed
}

/// What paths of any kind may be asked with, for the `Allow` field.
pub(super) const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Refuses a head that is too large, or that two readers could understand differently. `tls` is whether its connection is
/// encrypted, where that is known.
///
/// # Errors
/// 400, 405, 414, 431 or 501, as the table of refusals has it.
pub(super) fn vet(head: &Parts, tls: Option<bool>, limits: &BodyLimits) -> Result<(), Refusal> {
    if NEVER.contains(&head.method) {
        return Err(Refusal::new(Code::MethodNotAllowed).with(Detail::Allow(METHODS)));
    }
    size(head, limits)?;
    host(head)?;
    scheme(head, tls)?;
    target(head)?;
    framing(head)
}

fn size(head: &Parts, limits: &BodyLimits) -> Result<(), Refusal> {
    let target = head
        .uri
        .path_and_query()
        .map_or(1, |target| target.as_str().len());
    if target > limits.target {
        return Err(Refusal::new(Code::TargetTooLong).with(Detail::Bytes(limits.target as u64)));
    }
    // Its line has two spaces, the version and its end besides, and an empty line ends it all.
    let line = head.method.as_str().len() + target + 14;
    // Four bytes a line for the colon, the space and the line's end.
    let fields = head
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4);
    if head.headers.len() > limits.fields {
        let words = format!(
            "The request has more than {} header fields. Send fewer.",
            limits.fields
        );
        return Err(Refusal::new(Code::HeadersTooLarge).with(Detail::Explain(words.into())));
    }
    if fields.sum::<usize>() + line > limits.head {
        return Err(Refusal::new(Code::HeadersTooLarge).with(Detail::Bytes(limits.head as u64)));
    }
    Ok(())
}

/// RFC 9112 §3.2: exactly one `Host`, and the same as the target's where that names one. HTTP/2 names it in `:authority`.
fn host(head: &Parts) -> Result<(), Refusal> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Err(Code::InvalidHost.into()),
        (host, None) => host.map(HeaderValue::as_bytes),
    };
    let authority = head
        .uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    let agree = match (host, authority) {
        // HTTP/1.0 knows no such field; some load balancers still ask for health with it.
        (None, None) if head.version < Version::HTTP_11 => return Ok(()),
        (None, None) => false,
        (None, Some(_)) => head.version == Version::HTTP_2,
        (Some(_), None) => true,
        (Some(host), Some(authority)) => host.eq_ignore_ascii_case(authority),
    };
    if agree && host.or(authority).is_some_and(is_plain) {
        Ok(())
    } else {
        Err(Code::InvalidHost.into())
    }
}

/// RFC 3986 §3.2.2 and §3.2.3: a name or an address of plain characters, and perhaps a port.
fn is_plain(host: &[u8]) -> bool {
    let inner = |byte: &u8| OF_A_HOST[usize::from(*byte)];
    if host.len() > 255 || !host.iter().all(inner) {
        return false;
    }
    let end = match host.first() {
        Some(b'[') => memchr(b']', host).filter(|at| *at > 1).map(|at| at + 1),
        _ => memchr3(b':', b'[', b']', host).or(Some(host.len())),
    };
    let Some((name, rest)) = end.and_then(|end| host.split_at_checked(end)) else {
        return false;
    };
    let port = rest.strip_prefix(b":").unwrap_or_default();
    let digits = port.iter().all(u8::is_ascii_digit);
    !name.is_empty() && (rest.is_empty() || rest.starts_with(b":")) && digits
}

/// RFC 9110 §7.4: a target that names a scheme names that of its connection. Over HTTP/2 every target does (RFC 9113
/// §8.3.1), and whoever has taken the encryption off passes on what it was asked.
fn scheme(head: &Parts, tls: Option<bool>) -> Result<(), Refusal> {
    let another = match tls {
        Some(true) => head.uri.scheme() == Some(&Scheme::HTTP),
        Some(false) => head.uri.scheme() == Some(&Scheme::HTTPS),
        None => false,
    };
    if !another || head.version == Version::HTTP_2 {
        return Ok(());
    }
    let words = "The target names another scheme than that of the connection; send the path alone.";
    Err(Refusal::new(Code::InvalidTarget).with(Detail::Say(words)))
}

/// RFC 3986 §3.3 and §3.4: nothing but the characters of a path and a query, and no path with two meanings; and no scheme
/// but HTTP's own (RFC 9110 §4.2), which HTTP/2 and an absolute target name.
pub(super) fn target(head: &Parts) -> Result<(), Refusal> {
    let foreign = |scheme: &Scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS;
    if head.uri.scheme().is_some_and(foreign) {
        return Err(Code::InvalidTarget.into());
    }
    let Some(target) = head.uri.path_and_query() else {
        return Err(Code::InvalidTarget.into());
    };
    let allowed = |byte: u8| OF_A_TARGET[usize::from(byte)];
    // A backslash would be cut apart by some readers, which makes it a path with two meanings.
    if target.path().contains('\\') {
        return Err(Code::InvalidPath.into());
    }
    if target.as_str() == "*" {
        return Err(Code::InvalidTarget.into());
    }
    if !target.as_str().bytes().all(allowed) {
        let words = "The path or the query has a character that a URL must not have as it is; percent-encode it.";
        return Err(Refusal::new(Code::InvalidTarget).with(Detail::Say(words)));
    }
    if !path::is_plain(target.path()) {
        return Err(Code::InvalidPath.into());
    }
    if target.query().is_some_and(splits) {
        let words = "The query has an encoded NUL or the end of a header line in it; leave it out.";
        return Err(Refusal::new(Code::InvalidTarget).with(Detail::Say(words)));
    }
    Ok(())
}

/// Whether a query ends a string or a header line of a reader that decodes it too early. A line feed alone does neither,
/// and text has it.
fn splits(query: &str) -> bool {
    query.match_indices('%').any(|(at, _)| {
        let escape = query.as_bytes().get(at..).unwrap_or_default();
        let line_end = |end: &[u8]| end.eq_ignore_ascii_case(b"%0d%0a");
        escape.starts_with(b"%00") || escape.get(..6).is_some_and(line_end)
    })
}

fn framing(head: &Parts) -> Result<(), Refusal> {
    let headers = &head.headers;
    if headers.contains_key(TRANSFER_UNDERSCORE) || headers.contains_key(LENGTH_UNDERSCORE) {
        return Err(Code::InvalidHeader.into());
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next()
        && (codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(Code::UnsupportedTransferCoding.into());
    }
    let mut expects = headers.get_all(header::EXPECT).iter();
    if let Some(expect) = expects.next()
        && (expects.next().is_some() || !expect.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    {
        let words = "Only `Expect: 100-continue` is understood; leave the field out.";
        return Err(Refusal::new(Code::InvalidHeader).with(Detail::Say(words)));
    }
    if asks_websocket(headers)
        && (headers.contains_key(header::CONTENT_LENGTH) || codings_present(headers))
    {
        return Err(Code::InvalidFraming.into());
    }
    Ok(())
}

fn asks_websocket(headers: &HeaderMap) -> bool {
    headers
        .get(header::UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn codings_present(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
}

//! Heads on their way through, rewritten in place: what is the client's or the connection's goes, what is ours comes.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};

use super::Credential;

/// Fields of an answer's head; one with more is refused.
pub(super) const MAX_FIELDS: usize = 100;
/// Bytes of an answer's head; a longer one is refused.
pub(super) const MAX_BYTES: usize = 32 * 1024;

/// The two names under which providers name a request.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// What the provider called the request; ours has the plain name.
pub const X_UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");

/// Which content codings a provider may answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Those the client asked for.
    AsAsked,
    /// None: the answer is going to be read for its usage.
    Identity,
}

/// Names to take out are gathered eight at a time, so that no request allocates for it.
const BATCH: usize = 8;

/// Makes a client's fields those of a request to a provider. `Host` is the connection's to set: HTTP/2 has none.
pub(super) fn to_provider(
    headers: &mut HeaderMap,
    credential: Option<&Credential>,
    encoding: Encoding,
) {
    remove_named_by_connection(headers);
    remove_where(headers, |name| {
        is_hop_by_hop(name) || is_not_for_providers(name)
    });
    if encoding == Encoding::Identity {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if let Some(credential) = credential {
        headers.insert(credential.header(), credential.value().clone());
    }
}

/// Makes a provider's fields those of an answer to a client. Says whether the connection may be used again.
pub(super) fn to_client(headers: &mut HeaderMap) -> bool {
    // RFC 9112 §6.3: Transfer-Encoding overrides Content-Length, and the two together smell of response splitting.
    let chunked = headers.contains_key(TRANSFER_ENCODING);
    let ambiguous = chunked && headers.remove(CONTENT_LENGTH).is_some();
    one_content_length(headers);
    remove_named_by_connection(headers);
    remove_where(headers, |name| {
        is_hop_by_hop(name) || is_not_for_clients(name)
    });
    let theirs = headers.remove(REQUEST_ID);
    if let Some(id) = headers.remove(X_REQUEST_ID).or(theirs) {
        headers.insert(X_UPSTREAM_REQUEST_ID, id);
    }
    !ambiguous
}

/// RFC 9110 §8.6: a repeated equal length may be passed on as one. Differing ones have not passed the parser.
fn one_content_length(headers: &mut HeaderMap) {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let (Some(first), second) = (values.next(), values.next()) else {
        return;
    };
    let bytes = first.as_bytes();
    if second.is_none() && !bytes.contains(&b',') {
        return;
    }
    let one = bytes
        .split(|byte| *byte == b',')
        .next()
        .and_then(|number| HeaderValue::from_bytes(number.trim_ascii()).ok());
    match one {
        Some(one) => headers.insert(CONTENT_LENGTH, one),
        None => headers.remove(CONTENT_LENGTH),
    };
}

/// RFC 9110 §7.6.1: the fields that `Connection` names end here. This runs before anything of ours is set, so that
/// nobody can name one of ours away.
fn remove_named_by_connection(headers: &mut HeaderMap) {
    let mut index = 0;
    while let Some(value) = headers.get_all(CONNECTION).iter().nth(index).cloned() {
        for token in value.as_bytes().split(|byte| *byte == b',') {
            // `Connection` itself goes with the others, after all its lines have been read.
            match std::str::from_utf8(token.trim_ascii()) {
                Ok(name) if !name.is_empty() && !name.eq_ignore_ascii_case("connection") => {
                    headers.remove(name);
                }
                _ => {}
            }
        }
        index += 1;
    }
}

fn remove_where(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    loop {
        let mut batch = [const { None::<HeaderName> }; BATCH];
        let mut found = 0;
        for name in headers.keys().filter(|name| unwanted(name.as_str())) {
            if found == BATCH {
                break;
            }
            batch[found] = Some(name.clone());
            found += 1;
        }
        for name in batch.iter().flatten() {
            headers.remove(name);
        }
        if found < BATCH {
            return;
        }
    }
}

/// RFC 9110 §7.6.1, RFC 9113 §8.2.2, and `Proxy-*`, which concern the next hop alone.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    ) || name.starts_with("proxy-")
}

/// A client's credentials, its identity towards others, and what we say ourselves. `Expect` has been answered by the
/// time a body is read; the length is taken from the body.
fn is_not_for_providers(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "x-api-key"
            | "x-goog-api-key"
            | "api-key"
            | "x-request-id"
            | "cookie"
            | "openai-organization"
            | "openai-project"
            | "x-goog-user-project"
            | "forwarded"
            | "x-real-ip"
            | "expect"
            | "host"
            | "content-length"
    ) || name.starts_with("x-forwarded-")
}

/// What a provider says of its own origin and not of ours. Its cookies would be shared by all its clients, its `Alt-Svc`
/// would lead them past us, its `Strict-Transport-Security` would bind our host and all below it, its `NEL` would have
/// browsers tell others of our host, its `Clear-Site-Data` would empty them of what is ours, and its CORS fields would let
/// pages read what our own settings keep from them. What is left of its limits is what all tenants together left of them,
/// the organization is whoever pays it, and what another gateway says in our words is about us and not about the caller.
fn is_not_for_clients(name: &str) -> bool {
    matches!(
        name,
        "set-cookie"
            | "alt-svc"
            | "strict-transport-security"
            | "nel"
            | "report-to"
            | "reporting-endpoints"
            | "clear-site-data"
            | "openai-organization"
            | "openai-project"
            | "anthropic-organization-id"
    ) || [
        "access-control-",
        "ratelimit",
        "x-ratelimit",
        "anthropic-ratelimit-",
        "anthropic-priority-",
        "anthropic-fast-",
        "x-tokenlimit-",
        "x-endpoint-monthly-call-",
        "x-trial-endpoint-call-",
        "faregate-",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

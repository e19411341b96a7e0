//! The path and query a provider is asked for. Pure, byte for byte.

use std::borrow::Cow;

/// `base`, the path of a base URL without a slash at its end, with `target`, a path and query, after it. One `/v1` goes
/// where both have it, and none comes in; the query member `key`, a client's credential, goes.
pub(super) fn join<'a>(base: &str, target: &'a str) -> Cow<'a, str> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let kept = query.and_then(without_key);
    let dropped = if base.ends_with("/v1") && starts_with_v1(path) {
        "/v1".len()
    } else {
        0
    };
    // Most base URLs are empty or exactly `/v1`: then the client's own text is the answer.
    if base.len() == dropped && !path.is_empty() && kept.is_none() {
        return Cow::Borrowed(target);
    }
    let mut joined = String::with_capacity(base.len() + target.len() + 1);
    joined.push_str(base);
    joined.push_str(&path[dropped..]);
    if joined.is_empty() {
        joined.push('/');
    }
    match kept {
        // A query that was nothing but the credential leaves no `?` behind.
        Some(query) if query.is_empty() => {}
        Some(query) => {
            joined.push('?');
            joined.push_str(&query);
        }
        None => {
            if let Some(query) = query {
                joined.push('?');
                joined.push_str(query);
            }
        }
    }
    Cow::Owned(joined)
}

fn starts_with_v1(path: &str) -> bool {
    path.strip_prefix("/v1")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The query without its `key` members, all others as they are; `None` when there is nothing to take out.
fn without_key(query: &str) -> Option<String> {
    let is_key = |member: &&str| *member == "key" || member.starts_with("key=");
    if !query.split('&').any(|member| is_key(&member)) {
        return None;
    }
    let mut kept = String::with_capacity(query.len());
    for member in query.split('&').filter(|member| !is_key(member)) {
        if !kept.is_empty() {
            kept.push('&');
        }
        kept.push_str(member);
    }
    Some(kept)
}

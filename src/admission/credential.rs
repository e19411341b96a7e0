//! The one credential of a request, wherever the client put it.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Uri, header::AUTHORIZATION};
use percent_encoding::percent_decode_str;

use crate::refusal::{Code, Detail, Refusal};

/// Fields that carry a bare key: Anthropic's, Google's and Azure's names.
const BARE: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("api-key"),
];

/// The credential of a request. The same key in several places counts once, and an empty place is none: clients that are
/// told to use one field send the other without a value (Anthropic's SDK does with `ANTHROPIC_API_KEY=""`).
///
/// # Errors
/// 401 without a credential, 400 when two places name different ones.
pub(super) fn credential<'a>(
    headers: &'a HeaderMap,
    uri: &'a Uri,
) -> Result<Cow<'a, [u8]>, Refusal> {
    let authorization = headers
        .get_all(AUTHORIZATION)
        .into_iter()
        .map(|value| bearer(value.as_bytes()));
    let bare = BARE
        .into_iter()
        .flat_map(|name| headers.get_all(name))
        .map(http::HeaderValue::as_bytes);
    let header = authorization.chain(bare).map(Cow::Borrowed);
    let query = uri.query().into_iter().flat_map(|query| query.split('&'));
    let query = query
        .filter_map(|pair| pair.strip_prefix("key="))
        .map(|value| percent_decode_str(value).into());

    let mut found: Option<Cow<'a, [u8]>> = None;
    let named = |credential: &Cow<'_, [u8]>| !credential.is_empty();
    for credential in header.chain(query).filter(named) {
        match &found {
            None => found = Some(credential),
            Some(first) if *first == credential => {}
            Some(_) => return Err(Code::AmbiguousCredentials.into()),
        }
    }
    found.ok_or_else(|| {
        Refusal::new(Code::InvalidApiKey).with(Detail::Say(
            "No API key was sent; send yours as `Authorization: Bearer <key>`.",
        ))
    })
}

/// Everything after `Bearer`; a value of another scheme is compared whole and fits no key.
fn bearer(value: &[u8]) -> &[u8] {
    match value.split_at_checked(6) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"bearer") => match key {
            // A value's end is trimmed before it comes here.
            [] | [b' ', ..] => key.trim_ascii(),
            _ => value,
        },
        _ => value,
    }
}

#[cfg(test)]
mod tests;

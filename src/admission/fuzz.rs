//! What must hold of a request's credential: all places count, and none is preferred.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use super::credential::credential;
use crate::refusal::Code;

/// Fields that carry a credential, by the first letter of a line.
static FIELDS: [(u8, HeaderName); 5] = [
    (b'a', http::header::AUTHORIZATION),
    (b'x', HeaderName::from_static("x-api-key")),
    (b'g', HeaderName::from_static("x-goog-api-key")),
    (b'z', HeaderName::from_static("api-key")),
    (b'o', HeaderName::from_static("x-other")),
];

/// A head: the target on the first line, then a field on each, which its first letter names.
pub(crate) fn credentials(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let target = lines.next().unwrap_or_default();
    let Ok(uri) = Uri::try_from(target) else {
        return;
    };
    let fields: Vec<(HeaderName, HeaderValue)> = lines
        .filter_map(|line| {
            let (letter, value) = line.split_first()?;
            let (_, name) = FIELDS.iter().find(|(known, _)| known == letter)?;
            Some((name.clone(), HeaderValue::from_bytes(value).ok()?))
        })
        .collect();
    let found = find(fields.iter(), &uri);
    assert_eq!(found, one_by_one(&fields, &uri));
    // The order of the fields says nothing.
    assert_eq!(find(fields.iter().rev(), &uri), found);
    let twice = fields.iter().chain(&fields);
    assert_eq!(find(twice, &uri), found);
    // Nor does a place with nothing in it.
    for (_, name) in &FIELDS[..4] {
        let empty = (name.clone(), HeaderValue::from_static(""));
        assert_eq!(find(fields.iter().chain([&empty]), &uri), found);
    }
    // A field that is no credential's changes nothing.
    let other = (
        FIELDS[4].1.clone(),
        HeaderValue::from_static("Bearer other"),
    );
    assert_eq!(find(fields.iter().chain([&other]), &uri), found);
    // Another key anywhere is one too many, wherever there is one already.
    if found.is_ok() {
        for (_, name) in &FIELDS[..4] {
            let other = (name.clone(), HeaderValue::from_static("\"another\""));
            let both = find(fields.iter().chain([&other]), &uri);
            let same = found.as_deref() == Ok(b"\"another\"");
            assert!(same || both == Err(Code::AmbiguousCredentials));
        }
    }
}

fn find<'f>(
    fields: impl Iterator<Item = &'f (HeaderName, HeaderValue)>,
    uri: &Uri,
) -> Result<Vec<u8>, Code> {
    let mut headers = HeaderMap::new();
    fields.for_each(|(name, value)| _ = headers.append(name, value.clone()));
    let found = credential(&headers, uri);
    let found = found.map(std::borrow::Cow::into_owned);
    found.map_err(|refusal| refusal.code)
}

/// Every credential that there is, gathered first.
fn one_by_one(fields: &[(HeaderName, HeaderValue)], uri: &Uri) -> Result<Vec<u8>, Code> {
    let mut all = BTreeSet::new();
    for (name, value) in fields {
        let value = value.as_bytes().to_vec();
        if *name == FIELDS[0].1 {
            // The space, so that a scheme alone is one with nothing behind it.
            let spaced = [value.as_slice(), b" "].concat();
            let scheme = spaced.get(..7).unwrap_or_default();
            let bearer = scheme.eq_ignore_ascii_case(b"bearer ");
            all.insert(if bearer {
                spaced[7..].trim_ascii().to_vec()
            } else {
                value
            });
        } else if *name != FIELDS[4].1 {
            all.insert(value);
        }
    }
    for member in uri.query().unwrap_or_default().split('&') {
        if let Some(value) = member.strip_prefix("key=") {
            all.insert(percent_decode_str(value).collect());
        }
    }
    // An empty place is none.
    all.remove([].as_slice());
    match (all.len(), all.pop_first()) {
        (1, Some(only)) => Ok(only),
        (0, _) => Err(Code::InvalidApiKey),
        _ => Err(Code::AmbiguousCredentials),
    }
}

//! Edits of a body change what they should and no other member.

use bytes::Bytes;

use super::{
    ask::{limits, value},
    second::{self, Member},
};
use crate::providers::{Ask, Edits, Endpoint};

/// Another model, and a limit that is below most.
const MODEL: &str = "vendor/other-1";
const MOST: u64 = 7;

/// Every mixture of edits.
pub(super) fn edits(ask: &Ask, endpoint: Endpoint, body: &Bytes, members: &[Member<'_>]) {
    assert_eq!(ask.edit(body, &Edits::default()).as_ptr(), body.as_ptr());
    // Options that were not checked are not edited either.
    let streams = !matches!(endpoint, Endpoint::Embeddings | Endpoint::CountTokens);
    for mixture in 0..16_u8 {
        let model = (mixture & 1 != 0).then_some(MODEL);
        let alone = limits(endpoint).first().filter(|_| mixture & 8 != 0);
        let limit = alone.or_else(|| limits(endpoint).last());
        let limit = limit.filter(|_| mixture & 4 != 0);
        let wanted = Edits {
            model,
            include_usage: streams && mixture & 2 != 0,
            output_limit: limit.map(|field| (*field, MOST)),
            limit_name: alone.copied(),
        };
        check(ask, endpoint, (body, members), &wanted);
    }
}

/// Whether output limits may change.
fn limited(wanted: &Edits<'_>) -> bool {
    wanted.output_limit.is_some() || wanted.limit_name.is_some()
}

fn check(
    ask: &Ask,
    endpoint: Endpoint,
    (body, members): (&Bytes, &[Member<'_>]),
    wanted: &Edits<'_>,
) {
    let edited = ask.edit(body, wanted);
    assert!(edited.len() <= body.len() + 256, "an edit adds little");
    let now = second::members(&edited).expect("an edited object is one");
    let again = Ask::read(endpoint, &edited).expect("an edited body is read");
    assert_eq!(again.edit(&edited, wanted), edited, "twice is once");

    // The order and the bytes of everything else.
    let touched = |name: &Option<String>| {
        let is = |known: &str| name.as_deref() == Some(known);
        (wanted.model.is_some() && is("model"))
            || (wanted.include_usage && is("stream_options"))
            || (limited(wanted) && limits(endpoint).iter().any(|limit| is(limit)))
    };
    let others = |members: &[Member<'_>]| -> Vec<(Option<String>, String)> {
        let others = members.iter().filter(|(name, _)| !touched(name));
        others
            .map(|(name, value)| (name.clone(), (*value).to_owned()))
            .collect()
    };
    assert_eq!(others(members), others(&now));

    let expected = wanted
        .model
        .or_else(|| ask.model.as_ref().map(|model| model.as_str()));
    assert_eq!(again.model.as_ref().map(|model| model.as_str()), expected);
    assert_eq!((again.stream, again.answers), (ask.stream, ask.answers));
    if wanted.include_usage {
        assert_eq!(again.include_usage, Some(true));
        let options = |members: &[Member<'_>]| {
            let options = value(members, "stream_options").unwrap_or("{}");
            let mut inner = second::members(options.as_bytes()).unwrap_or_default();
            inner.retain(|(name, _)| name.as_deref() != Some("include_usage"));
            inner
                .into_iter()
                .map(|(name, value)| (name, value.to_owned()))
                .collect::<Vec<_>>()
        };
        assert_eq!(options(members), options(&now));
    }
    if wanted.output_limit.is_some() {
        let given = ask.output_limit.unwrap_or(MOST);
        assert_eq!(again.output_limit, Some(given.min(MOST)));
    } else {
        assert_eq!(again.output_limit, ask.output_limit);
    }
    if let Some(name) = wanted.limit_name.filter(|_| ask.output_limit.is_some()) {
        let read = value(&now, name).and_then(second::count);
        assert!(read.is_some(), "a limit that the provider does not read");
    }
}

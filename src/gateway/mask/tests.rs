use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{
    collection::vec,
    prelude::{Just, prop_assert_eq, prop_oneof, proptest},
};

use super::{Mask, hide_in_fields};
use crate::upstream::Credential;

const SECRET: &str = "sk-ab-sk-ab-c";

fn credential(value: &'static str) -> Credential {
    Credential::new(
        HeaderName::from_static("authorization"),
        HeaderValue::from_static(value),
    )
}

/// What comes out of the pieces, together.
fn drawn<'a>(pieces: impl Iterator<Item = &'a str>) -> String {
    let mut mask = Mask::of(&credential("Bearer sk-ab-sk-ab-c")).unwrap();
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&mask.hide(Bytes::copy_from_slice(piece.as_bytes())));
    }
    out.extend_from_slice(&mask.rest().unwrap_or_default());
    String::from_utf8(out).unwrap()
}

#[test]
fn what_is_no_secret_is_not_hidden() {
    assert!(Mask::of(&credential("Bearer none")).is_none());
    assert!(Mask::of(&credential("1234567")).is_none());
    assert!(Mask::of(&credential("12345678")).is_some());
    let mut headers = HeaderMap::new();
    headers.insert("x-said", HeaderValue::from_static("you sent sk-ab-sk-ab-c"));
    headers.insert("x-else", HeaderValue::from_static("sk-ab-sk"));
    hide_in_fields(&credential("bearer sk-ab-sk-ab-c"), &mut headers);
    assert_eq!(headers["x-said"], "");
    assert_eq!(headers["x-else"], "sk-ab-sk");
}

#[test]
fn a_text_without_it_passes_at_once_and_is_not_copied() {
    let mut mask = Mask::of(&credential("Bearer sk-ab-sk-ab-c")).unwrap();
    let text = Bytes::from_static(b"{\"error\":\"no such model\"}");
    let out = mask.hide(text.clone());
    assert_eq!((out.as_ptr(), out.len()), (text.as_ptr(), text.len()));
    assert_eq!(mask.rest(), None);
}

proptest! {
    #[test]
    fn however_it_is_cut_no_secret_comes_through(
        words in vec(prop_oneof![Just(SECRET), Just("sk-ab-"), Just("c"), Just("sk"), Just("x"), Just(" ")], 0..12),
        cuts in vec(0..60usize, 0..6),
    ) {
        let text = words.concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &text[ends[0]..ends[1]]);
        let out = drawn(pieces);
        prop_assert_eq!(out, text.replace(SECRET, &"*".repeat(SECRET.len())));
    }
}

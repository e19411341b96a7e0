use bytes::Bytes;
use proptest::{
    collection::vec,
    prelude::{Just, any, prop_assert_eq, prop_oneof, proptest},
};

use super::{EventMask, HELD};
use crate::domain::SecretFinder;

const SECRET: &str = "sk-ab-sk-ab-c";

fn mask() -> EventMask {
    EventMask::of(SecretFinder::new(SECRET.as_bytes()))
}

fn masked(text: &str) -> String {
    text.replace(SECRET, &"*".repeat(SECRET.len()))
}

/// What comes out of the pieces, together.
fn drawn<'a>(pieces: impl IntoIterator<Item = &'a str>) -> String {
    let mut mask = mask();
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&mask.hide(Bytes::copy_from_slice(piece.as_bytes())));
    }
    let held = mask.kept();
    let rest = mask.rest().unwrap_or_default();
    assert_eq!(rest.len(), held);
    out.extend_from_slice(&rest);
    String::from_utf8(out).unwrap()
}

#[test]
fn only_errors_hide_it() {
    for (event, hides) in [
        (r#"data: {"error":"sk-ab-sk-ab-c"}"#, true),
        (r#"data: {"error":null,"a":"sk-ab-sk-ab-c"}"#, false),
        (r#"data: {"type":"error","a":"sk-ab-sk-ab-c"}"#, true),
        (
            r#"data: {"choices":[{"delta":{"content":"sk-ab-sk-ab-c"}}]}"#,
            false,
        ),
        ("event: error\ndata: {\"a\":\"sk-ab-sk-ab-c\"}", true),
        ("event: other\ndata: {\"a\":\"sk-ab-sk-ab-c\"}", false),
        ("data: {\"a\":1,\ndata: \"error\":\"sk-ab-sk-ab-c\"}", true),
        // Nobody can read it, or it is no event at all.
        ("data: wrong key: sk-ab-sk-ab-c", true),
        (": wrong key: sk-ab-sk-ab-c", true),
    ] {
        for end in ["\n\n", "\r\n\r\n", "\r\r"] {
            let text = event.replace('\n', &end[..end.len() / 2]) + end;
            let expected = if hides { masked(&text) } else { text.clone() };
            assert_eq!(drawn([&text[..]]), expected);
        }
    }
}

#[test]
fn whole_events_without_it_pass_at_once_and_are_not_copied() {
    let mut mask = mask();
    let texts = [
        "data: {\"error\":\"no\"}\n\n",
        "data: a\r\n\r\n",
        "data: sk-abx",
        "\n\n",
        "\n\n",
    ];
    for text in texts.map(|text| Bytes::from_static(text.as_bytes())) {
        let out = mask.hide(text.clone());
        assert_eq!(out.as_ptr(), text.as_ptr());
    }
    assert_eq!(mask.rest(), None);
}

#[test]
fn an_event_too_long_to_be_waited_for_hides_it() {
    let long = "x".repeat(HELD);
    let text = format!(
        "data: {{\"a\":\"{SECRET}{long}{SECRET} sk-ab\"}}\n\ndata: {{\"a\":\"{SECRET}\"}}\n\n"
    );
    let (first, rest) = text.split_at(40 + HELD);
    let (own, next) = text.split_once("\n\n").unwrap();
    let mut mask = mask();
    let out = mask.hide(Bytes::copy_from_slice(first.as_bytes()));
    assert!(out.len() > HELD && mask.kept() < SECRET.len());
    let out = [out, mask.hide(Bytes::copy_from_slice(rest.as_bytes()))].concat();
    assert_eq!(out, format!("{}\n\n{next}", masked(own)).as_bytes());
}

proptest! {
    #[test]
    fn however_it_is_cut_errors_hide_it_and_nothing_else_changes(
        events in vec((any::<bool>(), vec(prop_oneof![Just(SECRET), Just("sk-ab-"), Just("c"), Just("x")], 0..5)), 0..6),
        end in prop_oneof![Just("\n\n"), Just("\r\n\r\n"), Just("\r\r"), Just("\n\r\n")],
        cuts in vec(0..300usize, 0..8),
        cut_off in 0..40usize,
    ) {
        let (mut text, mut expected) = (String::new(), String::new());
        for (error, words) in events {
            let name = if error { "error" } else { "delta" };
            let event = format!("data: {{\"{name}\":\"{}\"}}{end}", words.concat());
            expected.push_str(&if error { masked(&event) } else { event.clone() });
            text.push_str(&event);
        }
        let unfinished = &"data: {\"error\":\"sk-ab-sk-ab-c\"}"[..cut_off.min(30)];
        text.push_str(unfinished);
        expected.push_str(&masked(unfinished));
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let out = drawn(cuts.windows(2).map(|ends| &text[ends[0]..ends[1]]));
        prop_assert_eq!(&out, &expected);
        prop_assert_eq!(out.len(), text.len());
    }
}

use proptest::prelude::{Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};
use serde::de::IgnoredAny;

use super::{DEPTH, Fault, Kind, ROOM, Reader, Text, folds_to, plain, special::Block};

fn whole(text: &[u8]) -> Result<Kind, Fault> {
    let mut reader = Reader::new(text);
    let value = reader.skip()?;
    reader.end()?;
    Ok(value.kind)
}

/// Texts that are JSON, almost JSON or nothing like it.
fn almost_json() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\"a\"",
        "\"b\":",
        "1",
        "-0",
        "01",
        "1.",
        "1.5",
        "1e",
        "2E+7",
        "1e400",
        "true",
        "false",
        "null",
        "nul",
        "NaN",
        " ",
        "\n",
        "\t",
        "\"\\u00e9\"",
        "\"\\ud800\"",
        "\"\\x\"",
        "\"é\"",
        "\u{1}",
        "\"\u{1}\"",
        "{}",
        "[]",
        "[1,2]",
        "{\"a\":1}",
    ]);
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn accepts_what_another_reader_accepts(text in prop_oneof![almost_json(), any::<String>()]) {
        let other = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        prop_assert_eq!(whole(text.as_bytes()).is_ok(), other, "{:?}", text);
    }

    #[test]
    fn never_panics_on_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = whole(&bytes);
        let _ = Reader::new(&bytes).members(|reader, name| {
            folds_to(name, b"stream");
            let text = reader.skip()?.text();
            text.map(|text| (text.decode(), text.len()));
            Ok::<(), Fault>(())
        });
    }

    #[test]
    fn reads_strings_as_another_reader_does(
        pieces in prop::collection::vec(
            prop_oneof![
                "[a-zA-Z é🚪]{0,9}",
                prop::sample::select(vec!["\\n", "\\\"", "\\\\", "\\/", "\\u0041", "\\ud83d\\udeaa", "\\ud83d", "\\udeaa"])
                    .prop_map(str::to_owned),
            ],
            0..80,
        ),
    ) {
        let json = format!("\"{}\"", pieces.concat());
        let ours = Reader::new(json.as_bytes()).skip().ok().and_then(|value| value.text());
        let decoded = ours.and_then(Text::decode);
        let other = serde_json::from_str::<String>(&json).ok();
        prop_assert_eq!(decoded.as_deref(), other.as_deref());
        if let (Some(ours), Some(other)) = (ours, other) {
            prop_assert_eq!(ours.len(), other.len() as u64);
            assert!(ours.is(&other));
            assert!(!ours.is(&format!("{other}x")));
            let named = format!("{{{json}:1}}");
            let read = Reader::new(named.as_bytes()).members(|reader, name| {
                let short = json == format!("\"{other}\"") || other.len() <= ROOM;
                assert_eq!(name, if short { other.as_bytes() } else { b"" });
                reader.skip().map(drop)
            });
            prop_assert_eq!(read, Ok(()));
        }
    }

    #[test]
    fn finds_the_first_special_byte(bytes in prop::collection::vec(prop_oneof![9 => 0x20_u8..=0xff, 1 => any::<u8>()], 0..80)) {
        let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
        let expected = bytes.iter().position(special).unwrap_or(bytes.len());
        prop_assert_eq!(plain(&bytes), expected);
    }

    #[test]
    fn what_an_odd_number_of_backslashes_precedes_is_escaped(
        bytes in prop::collection::vec(prop::sample::select(&b"\\\\\\\\\"n"[..]), 128),
    ) {
        let (mut before, mut open) = (false, false);
        for block in bytes.as_chunks().0 {
            let masks = Block::of(block);
            let (escaped, opens) = masks.escaped(open);
            for (at, byte) in block.iter().enumerate() {
                // Of two backslashes the second is escaped as well, and needs no check.
                let expected = before && *byte != b'\\';
                prop_assert_eq!(escaped >> at & 1 == 1, expected, "{:?} {}", bytes, at);
                before = *byte == b'\\' && !before;
            }
            open = opens;
            prop_assert_eq!(open, before);
        }
    }

    /// Whatever stands wherever in a block: escapes across its end, broken ones, control characters, the end of the text.
    #[test]
    fn escapes_are_checked_wherever_they_stand(
        pieces in prop::collection::vec(
            prop_oneof![
                8 => "[a-z é]{0,70}",
                8 => prop::sample::select(vec!["\\n", "\\\\", "\\\"", "\\u00e9", "\\t\\t\\t"]).prop_map(str::to_owned),
                1 => prop::sample::select(vec!["\\x", "\\u00g0", "\u{1}", "\"", "\\"]).prop_map(str::to_owned),
            ],
            0..20,
        ),
        close in any::<bool>(),
    ) {
        let json = format!("[\"{}{}", pieces.concat(), if close { "\"]" } else { "" });
        let other = serde_json::from_str::<IgnoredAny>(&json);
        prop_assert_eq!(whole(json.as_bytes()).is_ok(), other.is_ok(), "{}", json);
        let mut reader = Reader::new(json.as_bytes());
        if reader.skip().is_ok() {
            prop_assert_eq!(reader.is_ascii(), json.is_ascii(), "{}", json);
        }
    }
}

#[test]
fn nesting_is_counted_and_not_recursed_on() {
    let nested = |depth: usize| [b"[".repeat(depth), b"]".repeat(depth)].concat();
    assert_eq!(whole(&nested(DEPTH)), Ok(Kind::Array));
    assert_eq!(whole(&nested(DEPTH + 1)), Err(Fault::TooDeep { at: DEPTH }));
    assert_eq!(
        whole(&b"[".repeat(10 << 20)),
        Err(Fault::TooDeep { at: DEPTH })
    );
    let objects = [b"{\"a\":".repeat(DEPTH), b"1".to_vec(), b"}".repeat(DEPTH)].concat();
    assert_eq!(whole(&objects), Ok(Kind::Object));
    // What is entered counts like what is stepped over.
    let mixed = [b"{\"a\":".to_vec(), nested(DEPTH), b"}".to_vec()].concat();
    let read = Reader::new(&mixed).members(|reader, _| reader.skip().map(drop));
    assert_eq!(read, Err(Fault::TooDeep { at: 5 + DEPTH - 1 }));
}

#[test]
fn an_answer_may_nest_as_it_likes() {
    let read = |text: &str| {
        let mut reader = Reader::of_answer(text.as_bytes());
        let mut last = None;
        reader.members(|reader, name| {
            last = (name == b"last").then_some(reader.skip()?.kind);
            Ok::<(), Fault>(())
        })?;
        reader.end().map(|()| last)
    };
    for depth in [DEPTH - 1, DEPTH, DEPTH + 1, 100_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"\\\"]\":1},", "]")] {
            let inner = format!("{}\"]}}\\\"\"{}", open.repeat(depth), close.repeat(depth));
            let whole = format!(r#"{{"a":{inner},"last":7}}"#);
            assert_eq!(read(&whole), Ok(Some(Kind::Number)), "{depth} {open}");
            let cut = whole.get(..whole.len() - close.len() - 10).expect("text");
            assert!(read(cut).is_err(), "{depth} {open}");
        }
    }
}

#[test]
fn a_fault_says_where_and_what() {
    let fault = |text: &str| whole(text.as_bytes()).expect_err("a fault");
    let syntax = |at, wanted| Fault::Syntax { at, wanted };
    assert_eq!(fault(""), syntax(0, "a value"));
    assert_eq!(fault("{\"a\" 1}"), syntax(5, "a colon"));
    assert_eq!(fault("{a:1}"), syntax(1, "a member's name in quotes"));
    assert_eq!(fault("{} {}"), syntax(3, "the end of the document"));
    assert_eq!(fault("\"abc"), syntax(4, "the closing quote of a string"));
    assert_eq!(fault("[1,]"), syntax(3, "a value"));
}

#[test]
fn counts_are_digits_alone() {
    let unsigned = |text: &str| {
        Reader::new(text.as_bytes())
            .skip()
            .ok()
            .and_then(|value| value.unsigned())
    };
    assert_eq!(unsigned("0"), Some(0));
    assert_eq!(unsigned("18446744073709551615"), Some(u64::MAX));
    assert_eq!(unsigned("18446744073709551616"), Some(u64::MAX));
    assert_eq!(unsigned(&"9".repeat(400)), Some(u64::MAX));
    for other in ["-1", "-0", "1.0", "1e3", "\"5\"", "null", "[1]"] {
        assert_eq!(unsigned(other), None, "{other}");
    }
}

#[test]
fn figures_may_have_a_fraction_of_nothing() {
    let count = |text: &str| Reader::new(text.as_bytes()).skip().expect("JSON").count();
    assert_eq!(count("50"), Some(50));
    assert_eq!(count("50.0"), Some(50));
    assert_eq!(count("0.000"), Some(0));
    assert_eq!(count("18446744073709551616.0"), Some(u64::MAX));
    for other in ["-1.0", "50.1", "5.0e1", "5e1", "\"5.0\"", "[5.0]", "null"] {
        assert_eq!(count(other), None, "{other}");
    }
}

#[test]
fn folds_what_some_readers_fold() {
    let folds = |text: &str, name: &str| {
        let mut folds = false;
        Reader::new(format!("{{{text}:1}}").as_bytes())
            .members(|reader, text| {
                folds = folds_to(text, name.as_bytes());
                reader.skip().map(drop)
            })
            .expect("an object");
        folds
    };
    assert!(folds("\"Stream\"", "stream"));
    assert!(folds("\"\u{17f}tream\"", "stream"));
    assert!(folds("\"\\u017Ftream\"", "stream"));
    assert!(folds("\"max_to\u{212a}ens\"", "max_tokens"));
    assert!(!folds("\"streams\"", "stream"));
    assert!(!folds("\"strea\"", "stream"));
    assert!(!folds("\"\\ud800stream\"", "stream"));
}

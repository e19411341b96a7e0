use std::{path::Path, time::Duration};

use proptest::prelude::{any, prop_assert_eq, proptest};

use super::Fixed;
use crate::config::{
    fields::Value,
    nearest::{nearest, suggestion},
    scalar,
    secret::fill,
    table::{COUNT, Kind, SPAN, TOKENS},
};

const FOREVER: Kind = Kind::Duration {
    zero: true,
    never: Some("off"),
};

/// What a text is, or why it is nothing.
fn read(kind: Kind, text: &str) -> String {
    match scalar::parse(kind, text, Path::new("/etc")) {
        Ok(Value::Secret(secret)) => secret.expose().to_owned(),
        Ok(value) => {
            let value = format!("{value:?}");
            let inner = value.split_once('(').map(|(_, inner)| inner.to_owned());
            inner.unwrap().strip_suffix(')').unwrap().to_owned()
        }
        Err(wrong) => format!("! {}", wrong.text),
    }
}

fn table(kind: Kind, texts: &[&str]) -> String {
    let lines: Vec<String> = texts
        .iter()
        .map(|text| format!("{text:?} => {}", read(kind, text)))
        .collect();
    lines.join("\n")
}

#[test]
fn durations_are_read_or_refused_with_a_hint() {
    insta::assert_snapshot!(table(
        SPAN,
        &[
            "100ms",
            "10s",
            "5m",
            "12h",
            "7d",
            "36500d",
            "36501d",
            "0s",
            "0",
            "10",
            "1.5s",
            "10 s",
            "-1s",
            "1w",
            "s",
            "",
            "99999999999999999999s",
            "18446744073709551615d",
        ]
    ));
    insta::assert_snapshot!(table(FOREVER, &["15s", "off", "0", "0s", "never"]));
}

#[test]
fn sizes_are_read_or_refused_with_a_hint() {
    insta::assert_snapshot!(table(
        Kind::Size { least: 1024 },
        &[
            "1024B",
            "16KiB",
            "16KB",
            "32MiB",
            "32MB",
            "1GiB",
            "1GB",
            "1024GiB",
            "1025GiB",
            "512B",
            "16",
            "16kb",
            "1.5MiB",
            "99999999999GiB",
            "",
        ]
    ));
}

#[test]
fn numbers_and_flags_are_read_or_refused_with_a_hint() {
    insta::assert_snapshot!(table(
        COUNT,
        &[
            "1",
            "+7",
            "4294967295",
            "4294967296",
            "0",
            "-1",
            "1_000",
            "1e3",
            "0x10",
            "ten",
            "",
            "-",
            "18446744073709551616",
        ]
    ));
    insta::assert_snapshot!(table(
        TOKENS,
        &["9223372036854775807", "9223372036854775808"]
    ));
    insta::assert_snapshot!(table(Kind::Flag, &["true", "False", "yes", "on", "1", ""]));
}

#[test]
fn addresses_and_networks_are_read_or_refused_with_a_hint() {
    insta::assert_snapshot!(table(
        Kind::Address,
        &[
            "127.0.0.1:8402",
            "[::1]:0",
            "0.0.0.0:65535",
            "localhost:8402",
            ":8402",
            "127.0.0.1",
            "127.0.0.1:65536",
        ]
    ));
    insta::assert_snapshot!(table(
        Kind::Network,
        &[
            "10.0.0.0/8",
            "10.1.2.3/8",
            "10.1.2.3",
            "2001:db8::/32",
            "::1",
            "10.0.0.0/33",
            "ten",
            "127.1",
        ]
    ));
}

#[test]
fn urls_are_read_or_refused_with_a_hint() {
    insta::assert_snapshot!(table(
        Kind::Url,
        &[
            "https://api.example.com",
            "https://api.example.com/",
            "http://127.0.0.1:8000/v1/",
            "HTTPS://API.example.com/V1",
            "http://[::1]:8000",
            "https://user:pass@example.com",
            "https://example.com/?a=b",
            "https://example.com/#x",
            "ftp://example.com",
            "example.com",
            "https://",
            "https:///x",
            "https://example.com:",
            "https://example.com:0",
            "https://example.com:99999",
            "https://exa mple.com",
            "https://example.com/a/../b",
            "https://example.com/%2e%2E/b",
            "https://example.com//b",
            "https://example.com/\r\nx",
            "https://exämple.com",
            "https://[::g]",
            "/v1",
            "",
        ]
    ));
    insta::assert_snapshot!(table(
        Kind::UrlTemplate,
        &[
            "https://pay.example.com/?account={account}#top",
            "https://{account}.example.com/",
            "https://pay.example.com/{id}",
            "javascript:alert(1)",
            "https://pay.example.com/\"><b>",
            "https://pay.example.com/#a b",
        ]
    ));
}

#[test]
fn instants_and_names_are_read_or_refused_with_a_hint() {
    insta::assert_snapshot!(table(
        Kind::Instant,
        &[
            "2026-11-20T00:00:00Z",
            "2026-11-20T01:00:00+01:00",
            "2026-11-20",
            "2026-13-01T00:00:00Z",
            "tomorrow",
        ]
    ));
    insta::assert_snapshot!(table(Kind::Name, &["acme", "gpt-4.1", "a b", "ü", ""]));
}

#[test]
fn variables_are_filled_in_or_named() {
    let environment = Fixed::with(&[
        ("NAME", "value: [with, syntax] # and ${MORE}"),
        ("EMPTY", ""),
    ]);
    let shown = |text: &str| match fill(text, &environment) {
        Ok(filled) => format!("{} {}", filled.text, filled.from_environment),
        Err(unfilled) => format!("! {}", unfilled.text),
    };
    let texts = [
        "plain",
        "$NAME",
        "${NAME}",
        "a${NAME}b${EMPTY}c",
        "${EMPTY:-default}",
        "${MISSING:-default}",
        "${MISSING:-}",
        "${MISSING:-a:-b}",
        "${MISSING:-${NAME}}",
        "${NAME:-${MISSING:-x}}",
        "${MISSING}",
        "$${NAME}",
        "a$$${NAME}",
        "${NAME",
        "${}",
        "${1A}",
        "${A B}",
        "${:-x}",
    ];
    insta::assert_snapshot!(
        texts
            .map(|text| format!("{text} => {}", shown(text)))
            .join("\n")
    );
}

#[test]
fn the_nearest_known_word_is_found() {
    let words = ["requests_per_minute", "tokens_per_minute", "id", "per"];
    let near = |word| nearest(word, words);
    assert_eq!(near("request_per_minute"), Some("requests_per_minute"));
    assert_eq!(near("Tokens_Per_Minute"), Some("tokens_per_minute"));
    assert_eq!(near("di"), Some("id"));
    assert_eq!(near("colour"), None);
    assert_eq!(near(""), None);
    assert_eq!(near(&"x".repeat(100_000)), None);
    let words: Vec<String> = (10..40).map(|number| format!("w{number}")).collect();
    let known = |most| suggestion("colour", words[..most].iter().map(String::as_str)).unwrap();
    assert!(known(25).ends_with(", w33, w34"), "{}", known(25));
    assert!(
        known(30).ends_with(", w33, w34 and 5 more"),
        "{}",
        known(30)
    );
}

proptest! {
    #[test]
    fn durations_are_what_they_say(number in 1..36_500_u64) {
        for (unit, seconds) in [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)] {
            let value = scalar::parse(SPAN, &format!("{number}{unit}"), Path::new(""));
            let Ok(Value::Duration(Some(duration))) = value else { panic!("{value:?}") };
            prop_assert_eq!(duration, Duration::from_secs(number * seconds));
        }
    }

    #[test]
    fn a_text_without_variables_stays(text in "[^$]*") {
        prop_assert_eq!(fill(&text, &Fixed::default()).unwrap().text, text);
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        for kind in [SPAN, FOREVER, COUNT, Kind::Size { least: 1 }, Kind::Address, Kind::Url, Kind::UrlTemplate,
            Kind::Network, Kind::Instant, Kind::Name, Kind::Flag, Kind::Path, Kind::Secret] {
            let _ = scalar::parse(kind, &text, Path::new(""));
        }
        let _ = fill(&text, &Fixed::default());
    }
}

#[test]
fn what_is_too_large_is_told_how_large_it_may_be() {
    for (kind, text, most) in [
        (Kind::Money, "9223372036.854775808", "9223372036.854775807"),
        (
            Kind::Price { per_million: true },
            "1152921504607",
            "1152921504606.846976",
        ),
        (
            Kind::Price { per_million: false },
            "1152922",
            "1152921.504606846976",
        ),
        (Kind::Factor, "1000.000001", "1000"),
    ] {
        let said = read(kind, text);
        assert!(said.starts_with("! is too large: at most"), "{said}");
        assert!(said.contains(most), "{said}");
        assert!(!read(kind, most).starts_with('!'), "{most}");
    }
}

#[test]
fn what_is_out_of_its_bounds_is_called_that() {
    let size = Kind::Size { least: 64 << 20 };
    for (kind, text, words) in [
        (
            SPAN,
            "99999999999999999999s",
            "! is longer than a hundred years",
        ),
        (size, "99999999999999999999GiB", "! is larger than 1024GiB"),
        (size, "1MiB", "! must be at least 64MiB"),
        (Kind::Size { least: 1024 }, "5B", "! must be at least 1KiB"),
        (Kind::Size { least: 1000 }, "5B", "! must be at least 1000B"),
        (Kind::Price { per_million: true }, "-1", "! is below zero"),
        (
            Kind::Price { per_million: false },
            "-0.005",
            "! is below zero",
        ),
        (Kind::Factor, "-1.2", "! is below zero"),
    ] {
        assert_eq!(read(kind, text), words, "{text}");
    }
}

//! What an access record may be made of: texts that others write, names, the longest of both.

use super::{accessed, record};
use crate::{
    domain::{AccountId, KeyId, ModelName, NanoUsd, PlanId, ProviderId},
    telemetry::{
        AccessRecord,
        format::Style,
        line::{LINE_BYTES, Object},
    },
};

#[test]
fn what_others_write_is_escaped_in_an_access_record() {
    let evil = "a\nb\r\x1b[2J\u{9b}31m\u{202e}\0\"\\end";
    let record = AccessRecord {
        client_request_id: Some(evil),
        upstream_request_id: Some(evil),
        trace_id: Some(evil),
        method: evil,
        path: evil,
        route: Some(evil),
        user_agent: Some(evil),
        ..record()
    };
    let line = accessed(Style::Json, &record);
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    for name in [
        "client_request_id",
        "upstream_request_id",
        "trace_id",
        "method",
        "path",
        "route",
        "user_agent",
    ] {
        assert_eq!(value[name], evil, "{name} is escaped, not lost");
    }
    // A method is a token (RFC 9110 §9.1): people get it as it is.
    let method = "POST";
    let people = accessed(
        Style::Pretty { color: false },
        &AccessRecord { method, ..record },
    );
    for line in [line, people] {
        let body = line.trim_end_matches('\n');
        assert!(!body.chars().any(char::is_control), "{body:?}");
        assert!(!body.contains('\u{202e}'), "{body:?}");
    }
}

#[test]
fn a_name_has_nothing_to_escape() {
    let has_to_be_escaped = |c: char| {
        let mut line = String::new();
        Object::open(&mut line).text("c", &c.to_string());
        line != format!("{{\"c\":\"{c}\"")
    };
    for c in (0..=0x3000).filter_map(char::from_u32) {
        let name = c.to_string();
        let is_name = AccountId::parse(&name).is_ok()
            || KeyId::parse(&name).is_ok()
            || PlanId::parse(&name).is_ok()
            || ProviderId::parse(&name).is_ok()
            || ModelName::parse(&name).is_ok();
        assert!(!(is_name && has_to_be_escaped(c)), "{c:?}");
    }
    assert!(has_to_be_escaped('"') && has_to_be_escaped('\u{1b}'));
}

#[test]
fn an_address_reads_as_everywhere_else() {
    for address in [
        "0.0.0.0",
        "10.0.200.9",
        "255.255.255.255",
        "2001:db8::1",
        "::ffff:192.0.2.7",
    ] {
        let client = address.parse().unwrap();
        let line = accessed(Style::Json, &AccessRecord { client, ..record() });
        assert!(
            line.contains(&format!("\"client\":\"{address}\"")),
            "{line}"
        );
    }
}

#[test]
fn an_access_record_with_the_longest_texts_is_whole() {
    let long = "\u{1}".repeat(5000);
    let longest = "a".repeat(64);
    let account = AccountId::parse(&longest).unwrap();
    let key = KeyId::parse(&longest).unwrap();
    let plan = PlanId::parse(&longest).unwrap();
    let provider = ProviderId::parse(&longest).unwrap();
    let model = ModelName::parse(&"a".repeat(128)).unwrap();
    let line = accessed(
        Style::Json,
        &AccessRecord {
            client_request_id: Some(&long),
            upstream_request_id: Some(&long),
            trace_id: Some(&long),
            method: &long,
            path: &long,
            route: Some(&long),
            account: Some(&account),
            key: Some(&key),
            plan: Some(&plan),
            provider: Some(&provider),
            model: Some(&model),
            status: u16::MAX,
            input_tokens: Some(u64::MAX),
            output_tokens: Some(u64::MAX),
            cost: Some(NanoUsd::from_nanos(i64::MIN)),
            queue_ms: Some(u64::MAX),
            first_byte_ms: Some(u64::MAX),
            total_ms: u64::MAX,
            bytes_in: u64::MAX,
            bytes_out: u64::MAX,
            user_agent: Some(&long),
            ..record()
        },
    );
    assert!(line.len() < LINE_BYTES, "{}", line.len());
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(value["user_agent"].as_str().unwrap().ends_with('…'));
}

#[test]
fn a_line_for_people_has_no_longer_text_than_one_for_programs() {
    let method = "M".repeat(15_000);
    let record = AccessRecord {
        method: &method,
        ..record()
    };
    let line = accessed(Style::Pretty { color: false }, &record);
    assert!(line.contains("M… /"), "{line}");
    assert!(
        line.ends_with(&format!(" id={}\n", record.request_id)),
        "{line}"
    );
    // Short ones stand in a column.
    let method = "GET";
    let line = accessed(
        Style::Pretty { color: false },
        &AccessRecord { method, ..record },
    );
    assert!(line.contains(" ms GET  /"), "{line}");
}

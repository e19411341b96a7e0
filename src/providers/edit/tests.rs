use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json, value::RawValue};

use super::Edits;
use crate::providers::{Ask, Endpoint};

fn edit(endpoint: Endpoint, body: &str, edits: Edits<'_>) -> String {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let ask = Ask::read(endpoint, &body).expect("a body");
    String::from_utf8(ask.edit(&body, &edits).to_vec()).expect("text")
}

fn chat(body: &str, edits: Edits<'_>) -> String {
    edit(Endpoint::ChatCompletions, body, edits)
}

#[test]
fn no_edit_is_the_same_handle() {
    let body = Bytes::from_static(br#"{ "model" : "a", "max_tokens": 5 }"#);
    let ask = Ask::read(Endpoint::ChatCompletions, &body).expect("a body");
    let same = Edits {
        model: Some("a"),
        include_usage: false,
        output_limit: Some(("max_completion_tokens", 5)),
        limit_name: Some("max_tokens"),
    };
    for edits in [Edits::default(), same] {
        assert_eq!(ask.edit(&body, &edits).as_ptr(), body.as_ptr());
    }
}

#[test]
fn only_the_member_changes() {
    let model = Edits {
        model: Some("b\"c"),
        ..Edits::default()
    };
    assert_eq!(
        chat("{ \"x\":1.0, \"model\" :\t\"a\" , \"y\" : 1e400}", model),
        "{ \"x\":1.0, \"model\" :\t\"b\\\"c\" , \"y\" : 1e400}"
    );
    assert_eq!(chat("{}", model), r#"{"model":"b\"c"}"#);
}

#[test]
fn usage_is_asked_for_over_everything() {
    let usage = Edits {
        include_usage: true,
        ..Edits::default()
    };
    let cases = [
        ("{}", r#"{"stream_options":{"include_usage":true}}"#),
        (
            r#"{"n":1}"#,
            r#"{"stream_options":{"include_usage":true},"n":1}"#,
        ),
        (
            r#"{"stream_options":null}"#,
            r#"{"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options":{ }}"#,
            r#"{"stream_options":{"include_usage":true }}"#,
        ),
        (
            r#"{"stream_options":{"x":1}}"#,
            r#"{"stream_options":{"include_usage":true,"x":1}}"#,
        ),
        (
            r#"{"stream_options":{"x":1,"include_usage":null}}"#,
            r#"{"stream_options":{"x":1,"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":false,"x":1}}"#,
            r#"{"stream_options":{"include_usage":true,"x":1}}"#,
        ),
    ];
    for (before, after) in cases {
        assert_eq!(chat(before, usage), after);
    }
}

#[test]
fn a_limit_is_lowered_where_it_was_given() {
    let limit = |body, most| {
        let edits = Edits {
            output_limit: Some(("max_completion_tokens", most)),
            ..Edits::default()
        };
        chat(body, edits)
    };
    assert_eq!(limit("{}", 7), r#"{"max_completion_tokens":7}"#);
    assert_eq!(limit(r#"{"max_tokens":9}"#, 7), r#"{"max_tokens":7}"#);
    assert_eq!(limit(r#"{"max_tokens":5}"#, 7), r#"{"max_tokens":5}"#);
    assert_eq!(
        limit(r#"{"max_tokens":9,"max_completion_tokens":8}"#, 7),
        r#"{"max_tokens":7,"max_completion_tokens":7}"#
    );
    assert_eq!(
        limit(r#"{"max_completion_tokens":null}"#, 7),
        r#"{"max_completion_tokens":7}"#
    );
    assert_eq!(
        limit(r#"{"max_tokens":null}"#, 7),
        r#"{"max_completion_tokens":7,"max_tokens":null}"#
    );
    let all = Edits {
        model: Some("m"),
        include_usage: true,
        output_limit: Some(("max_tokens", 1)),
        limit_name: None,
    };
    assert_eq!(
        chat("{}", all),
        r#"{"model":"m","stream_options":{"include_usage":true},"max_tokens":1}"#
    );
}

#[test]
fn a_limit_gets_the_one_name_that_is_read() {
    let renamed = |body, most: Option<u64>| {
        let edits = Edits {
            output_limit: most.map(|most| ("max_tokens", most)),
            limit_name: Some("max_tokens"),
            ..Edits::default()
        };
        chat(body, edits)
    };
    for (before, most, after) in [
        (
            r#"{"max_completion_tokens":9}"#,
            None,
            r#"{"max_tokens":9}"#,
        ),
        (
            r#"{"max_completion_tokens":9}"#,
            Some(7),
            r#"{"max_tokens":7}"#,
        ),
        (
            r#"{ "max_completion\u005ftokens" : 9 , "x":1}"#,
            Some(7),
            r#"{ "max_tokens" : 7 , "x":1}"#,
        ),
        (
            r#"{"max_tokens":null,"max_completion_tokens":9}"#,
            Some(7),
            r#"{"max_tokens":7,"max_completion_tokens":7}"#,
        ),
        (
            r#"{"max_tokens":1,"max_completion_tokens":9}"#,
            None,
            r#"{"max_tokens":1,"max_completion_tokens":9}"#,
        ),
        (
            r#"{"max_completion_tokens":null}"#,
            None,
            r#"{"max_completion_tokens":null}"#,
        ),
        ("{}", Some(7), r#"{"max_tokens":7}"#),
    ] {
        assert_eq!(renamed(before, most), after);
    }
}

fn member() -> impl Strategy<Value = (String, String)> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let number = prop_oneof![
        Just("null".to_owned()),
        any::<u32>().prop_map(|n| n.to_string())
    ];
    prop_oneof![
        Just(pair("model", "\"gpt\"")),
        Just(pair("mod\\u0065l", "\"g\\u0070t\"")),
        number.clone().prop_map(|n| ("max_tokens".to_owned(), n)),
        number.prop_map(|n| ("max_completion_tokens".to_owned(), n)),
        Just(pair("max_output_tokens", "12")),
        prop::sample::select(vec![
            "null",
            "{}",
            "{\"x\": [1.50]}",
            "{ \"include_usage\" : false }",
            "{\"x\":1,\"include_usage\":true}",
            "{\"include_usage\":null , \"y\":{}}"
        ])
        .prop_map(|v| ("stream_options".to_owned(), v.to_owned())),
        (
            "[a-z]{4,5}",
            prop::sample::select(vec!["1.0", "1E5", "\"\\u0041\\/\"", "[ 1 , {} ]", "true"])
        )
            .prop_map(|(name, value)| (format!("x_{name}"), value.to_owned())),
    ]
}

fn body() -> impl Strategy<Value = String> {
    let space = prop::sample::select(vec!["", " ", "\n  ", "\t"]);
    (prop::collection::vec(member(), 0..7), space).prop_map(|(members, space)| {
        // Each name once, whatever its spelling.
        let unique: BTreeMap<String, (String, String)> = members
            .into_iter()
            .map(|(name, value)| (name.replace("\\u0065", "e"), (name, value)))
            .collect();
        let written: Vec<String> = unique
            .into_values()
            .map(|(name, value)| format!("{space}\"{name}\"{space}:{space}{value}{space}"))
            .collect();
        format!("{space}{{{space}{}}}{space}", written.join(","))
    })
}

proptest! {
    #[test]
    fn just_those_members_change(
        body in body(),
        model in prop::option::of("[a-z/:]{1,9}"),
        include_usage: bool,
        limit in prop::option::of((prop::sample::select(vec!["max_tokens", "max_completion_tokens"]), any::<u32>())),
        renamed in prop::option::of(Just("max_tokens")),
    ) {
        // Where one name alone is read, nothing else is written.
        let limit = limit.map(|(field, most)| (renamed.unwrap_or(field), most));
        let edits = Edits {
            model: model.as_deref(),
            include_usage,
            output_limit: limit.map(|(field, most)| (field, u64::from(most))),
            limit_name: renamed,
        };
        let edited = chat(&body, edits);
        let mut expected: Value = serde_json::from_str(&body).expect("JSON");
        if let Some(model) = &model {
            expected["model"] = json!(model);
        }
        if include_usage {
            if !expected["stream_options"].is_object() {
                expected["stream_options"] = json!({});
            }
            expected["stream_options"]["include_usage"] = json!(true);
        }
        if let Some((field, most)) = limit {
            let mut given = false;
            for name in ["max_tokens", "max_completion_tokens"] {
                if let Some(own) = expected.get(name).and_then(Value::as_u64) {
                    given = true;
                    expected[name] = json!(own.min(u64::from(most)));
                }
            }
            if !given {
                expected[field] = json!(most);
            }
        }
        if let Some(name) = renamed
            && let Some(given) = expected["max_completion_tokens"].as_u64()
            && !expected[name].is_number()
        {
            let members = expected.as_object_mut().expect("an object");
            // A name that is there as null gets the number; else the other one is given it.
            if members.insert(name.to_owned(), json!(given)).is_none_or(|was| was != Value::Null) {
                members.remove("max_completion_tokens");
            }
        }
        let parsed: Value = serde_json::from_str(&edited).expect("JSON");
        prop_assert_eq!(&parsed, &expected);
        // Unknown members are the same byte for byte.
        let raw = |text: &str| {
            let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).expect("an object");
            let unknown = members.into_iter().filter(|(name, _)| name.starts_with("x_"));
            unknown.map(|(name, value)| (name, value.get().to_owned())).collect::<Vec<_>>()
        };
        prop_assert_eq!(raw(&edited), raw(&body));
        // Edited again with the same, nothing is left to do.
        prop_assert_eq!(chat(&edited, edits), edited);
    }
}

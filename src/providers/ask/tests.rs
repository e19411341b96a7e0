mod extras;
mod inputs;

use bytes::Bytes;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

use super::{Ask, AskError};
use crate::providers::Endpoint;

fn read(endpoint: Endpoint, body: &str) -> Result<Ask, AskError> {
    Ask::read(endpoint, &Bytes::copy_from_slice(body.as_bytes()))
}

fn chat(body: &str) -> Result<Ask, AskError> {
    read(Endpoint::ChatCompletions, body)
}

fn ambiguous(body: &str, member: &'static str) {
    assert_eq!(chat(body), Err(AskError::Ambiguous { member }), "{body}");
}

#[test]
fn reads_a_chat() {
    let body = r#"{"model":"gpt-4o-mini","stream":true,"max_completion_tokens":100,"n":3,"user":"u-1",
        "tools":[{"type":"function","function":{"name":"f"}}],"messages":[{"role":"user","content":"Hi"}]}"#;
    let ask = chat(body).expect("a chat");
    assert_eq!(ask.model().expect("a model").as_str(), "gpt-4o-mini");
    assert!(ask.stream && ask.tools && !ask.opaque_input);
    assert_eq!((ask.output_limit, ask.answers), (Some(100), 3));
    assert_eq!(ask.end_user.as_deref(), Some("u-1"));
    assert_eq!(ask.input_bytes, body.len() as u64);
    assert!(ask.lacks_usage());
}

#[test]
fn two_copies_of_what_decides_are_refused() {
    ambiguous(r#"{"model":"a","model":"a"}"#, "model");
    ambiguous(r#"{"model":"a","Model":"b"}"#, "model");
    ambiguous(r#"{"MODEL":"b"}"#, "model");
    ambiguous(r#"{"model":"a","mod\u0065l":"b"}"#, "model");
    ambiguous(r#"{"max_tokens":1,"max_to\u212aens":2}"#, "max_tokens");
    ambiguous("{\"stream\":false,\"\u{17f}tream\":true}", "stream");
    ambiguous(r#"{"messages":[],"messages":[]}"#, "messages");
    ambiguous(r#"{"n":1,"N":9}"#, "n");
    let nested = r#"{"stream_options":{"include_usage":false,"include_usage":true}}"#;
    ambiguous(nested, "stream_options.include_usage");
    // An escape alone makes no second copy.
    let ask = chat(r#"{"mod\u0065l":"a"}"#).expect("one model");
    assert_eq!(ask.model().expect("a model").as_str(), "a");
    // What decides nothing may come twice.
    assert!(chat(r#"{"temperature":1,"temperature":2,"Seed":1}"#).is_ok());
}

#[test]
fn substitutes_for_the_model_are_seen() {
    for body in [
        r#"{"model":"a","fallbacks":[{"model":"b","max_tokens":9}]}"#,
        r#"{"model":"a","fallbacks":"default","fallbacks":null}"#,
        r#"{"model":"a","Models":["b"]}"#,
    ] {
        assert!(
            read(Endpoint::Messages, body)
                .expect("a message")
                .substitutes,
            "{body}"
        );
    }
    let none = r#"{"model":"a","models":[],"fallbacks":null,"metadata":{"models":["b"]}}"#;
    assert!(!chat(none).expect("a chat").substitutes);
}

#[test]
fn what_is_no_json_object_is_refused() {
    let not_json = |body: &[u8], at: usize| {
        let error = Ask::read(Endpoint::ChatCompletions, &Bytes::copy_from_slice(body));
        match error {
            Err(AskError::NotJson { at: place, .. }) => assert_eq!(place, at, "{body:?}"),
            other => panic!("{body:?}: {other:?}"),
        }
    };
    not_json(b"", 0);
    not_json(b"\xef\xbb\xbf{}", 0);
    not_json(b"{} {}", 3);
    not_json(b"{\"n\":NaN}", 5);
    not_json(b"{\"a\":\"\xff\"}", 6);
    not_json(b"{\"a\":\"x", 7);
    not_json(b"{'a':1}", 1);
    not_json(&b"\xff\xfe{\0}\0"[..], 0);
    for body in ["[]", "1", "\"model\"", "null", "[{\"model\":\"a\"}]"] {
        assert_eq!(chat(body), Err(AskError::NotAnObject), "{body}");
    }
    let deep = format!("{{\"x\":{}", "[".repeat(10_000));
    assert!(matches!(chat(&deep), Err(AskError::TooDeep { .. })));
    let deep = format!("{{\"messages\":{}", "[{\"content\":".repeat(10_000));
    assert!(matches!(chat(&deep), Err(AskError::TooDeep { .. })));
    let members = |count: usize| {
        let members: Vec<String> = (0..count).map(|at| format!("\"k{at}\":[1,{{}}]")).collect();
        members.join(",")
    };
    assert!(chat(&format!("{{{}}}", members(100_000))).is_ok());
    assert!(chat(&format!("{{\"metadata\":{{{}}}}}", members(99_999))).is_ok());
    for many in [
        format!("{{{}}}", members(100_001)),
        format!("{{\"x\":{{{}}}}}", members(100_000)),
        format!(
            "{{\"x\":[{{{}}},{{{}}}]}}",
            members(50_000),
            members(50_000)
        ),
    ] {
        assert!(matches!(chat(&many), Err(AskError::TooMany { .. })));
    }
}

#[test]
fn errors_say_what_to_change() {
    let text = |body: &[u8]| {
        let error = Ask::read(Endpoint::ChatCompletions, &Bytes::copy_from_slice(body));
        error.expect_err("an error").to_string()
    };
    let lines: Vec<String> = [
        &b"{\"a\" 1}"[..],
        b"\xef\xbb\xbf{}",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\n\"}",
        b"[]",
        br#"{"model":"a","model":"b"}"#,
        br#"{"max_tokens":-1}"#,
        br#"{"model":"a b"}"#,
        &b"[".repeat(200),
    ]
    .map(text)
    .into();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn wrong_types_are_named() {
    let wrong = |body: &str, member: &'static str| match chat(body) {
        Err(AskError::WrongType { member: named, .. }) => assert_eq!(named, member, "{body}"),
        other => panic!("{body}: {other:?}"),
    };
    for value in ["-1", "1.5", "1e400", "\"5\"", "true", "[1]", "{}"] {
        wrong(&format!("{{\"max_tokens\":{value}}}"), "max_tokens");
    }
    wrong(r#"{"n":0}"#, "n");
    wrong(r#"{"stream":"true"}"#, "stream");
    wrong(r#"{"stream":1}"#, "stream");
    wrong(r#"{"stream_options":[]}"#, "stream_options");
    wrong(
        r#"{"stream_options":{"include_usage":1}}"#,
        "stream_options.include_usage",
    );
    wrong(r#"{"model":null}"#, "model");
    wrong(r#"{"model":"\ud800"}"#, "model");
    assert!(matches!(
        chat(r#"{"model":"a b"}"#),
        Err(AskError::ModelName(_))
    ));
    let missing = chat("{}").expect("an object");
    assert_eq!(missing.model(), Err(AskError::ModelMissing));
}

#[test]
fn each_endpoint_has_its_limits() {
    let limit = |endpoint, body| read(endpoint, body).expect("a body").output_limit;
    let all = r#"{"max_tokens":1,"max_completion_tokens":2,"max_output_tokens":3}"#;
    assert_eq!(limit(Endpoint::ChatCompletions, all), Some(2));
    assert_eq!(limit(Endpoint::Completions, all), Some(1));
    assert_eq!(limit(Endpoint::Responses, all), Some(3));
    assert_eq!(limit(Endpoint::Messages, all), Some(1));
    assert_eq!(limit(Endpoint::Embeddings, all), None);
    // A provider may heed either, so the larger one counts.
    let both = r#"{"max_tokens":9,"max_completion_tokens":2}"#;
    assert_eq!(limit(Endpoint::ChatCompletions, both), Some(9));
    let huge = r#"{"max_tokens":9223372036854775808}"#;
    assert_eq!(limit(Endpoint::Messages, huge), Some(1 << 63));
    let huger = r#"{"max_tokens":99999999999999999999999}"#;
    assert_eq!(limit(Endpoint::Messages, huger), Some(u64::MAX));
    assert_eq!(limit(Endpoint::Messages, r#"{"max_tokens":null}"#), None);
    // What an endpoint does not know is the provider's business.
    assert_eq!(limit(Endpoint::Embeddings, r#"{"max_tokens":"x"}"#), None);
    let answers = |endpoint, body| read(endpoint, body).expect("a body").answers;
    assert_eq!(answers(Endpoint::Completions, r#"{"n":2,"best_of":5}"#), 5);
    assert_eq!(answers(Endpoint::Messages, r#"{"n":5}"#), 1);
    for (body, prompts) in [
        (r#"{"prompt":"a"}"#, 1),
        (r#"{"prompt":[]}"#, 1),
        (r#"{"prompt":["a"],"n":3}"#, 3),
        (r#"{"n":3,"prompt":["a","b"]}"#, 6),
        // One text as numbers, and two.
        (r#"{"prompt":[1,2,3]}"#, 1),
        (r#"{"prompt":["a","b","c"],"prompt":"d"}"#, 3),
        (r#"{"prompt":[[1,2],[3]],"best_of":2}"#, 4),
    ] {
        assert_eq!(answers(Endpoint::Completions, body), prompts, "{body}");
        assert!(answers(Endpoint::ChatCompletions, body) <= 3, "{body}");
    }
}

#[test]
fn prompts_come_back_of_completions_alone() {
    let echoed = |endpoint, body: &str| read(endpoint, body).expect("a body").echoed();
    let body = r#"{"prompt":["a","b"],"echo":true,"n":2}"#;
    assert_eq!(echoed(Endpoint::Completions, body), 4 * body.len() as u64);
    assert_eq!(echoed(Endpoint::ChatCompletions, body), 0);
    for no in ["false", "null"] {
        assert_eq!(echoed(Endpoint::Completions, &body.replace("true", no)), 0);
    }
}

#[test]
fn usage_lacks_only_where_it_must_be_asked_for() {
    let lacks = |endpoint, body| read(endpoint, body).expect("a body").lacks_usage();
    let chat = Endpoint::ChatCompletions;
    assert!(lacks(chat, r#"{"stream":true}"#));
    assert!(lacks(chat, r#"{"stream":true,"stream_options":null}"#));
    let told_not_to = r#"{"stream":true,"stream_options":{"include_usage":false}}"#;
    assert!(lacks(chat, told_not_to));
    let told_to = r#"{"stream":true,"stream_options":{"include_usage":true}}"#;
    assert!(!lacks(chat, told_to));
    assert!(!lacks(chat, r#"{"stream":false}"#));
    assert!(!lacks(Endpoint::Responses, r#"{"stream":true}"#));
    assert!(!lacks(Endpoint::Messages, r#"{"stream":true}"#));
}

#[test]
fn the_end_user_is_named_in_several_ways_and_bounded() {
    let user = |body| chat(body).expect("a body").end_user;
    assert_eq!(
        user(r#"{"metadata":{"user_id":"m"}}"#).as_deref(),
        Some("m")
    );
    assert_eq!(user(r#"{"safety_identifier":"s"}"#).as_deref(), Some("s"));
    assert_eq!(user(r#"{"user":5,"metadata":[]}"#), None);
    let long = format!(r#"{{"user":"{}"}}"#, "é".repeat(200));
    assert_eq!(user(&long).map(|user| user.len()), Some(256));
    let odd = format!(r#"{{"user":"x{}"}}"#, "é".repeat(200));
    assert_eq!(user(&odd).map(|user| user.len()), Some(255));
}

#[test]
fn what_decides_is_found_behind_all_other_members() {
    let members: String = (1..100_000).map(|i| format!("\"k{i}\":0,")).collect();
    let ask = chat(&format!("{{{members}\"model\":\"a\"}}")).expect("an object");
    assert_eq!(ask.model().expect("a model").as_str(), "a");
}

fn member() -> impl Strategy<Value = (String, Value)> {
    let names = [
        "model",
        "max_tokens",
        "max_completion_tokens",
        "stream",
        "n",
        "temperature",
        "models",
        "x",
    ];
    let value = prop_oneof![
        any::<Option<bool>>().prop_map(|flag| json!(flag)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        "[a-z\"\\\\]{0,8}".prop_map(|text| json!(text)),
        Just(json!({"model": "inner", "n": [1, {"stream": true}]})),
    ];
    (prop::sample::select(names.to_vec()), value).prop_map(|(name, value)| (name.to_owned(), value))
}

proptest! {
    #[test]
    fn agrees_with_another_reader(members in prop::collection::vec(member(), 0..6)) {
        let text: Vec<String> = members.iter().map(|(name, value)| format!("{}: {value}", json!(name))).collect();
        let text = format!("{{ {} }}", text.join(" ,"));
        let other: Value = serde_json::from_str(&text).expect("JSON");
        match chat(&text) {
            Ok(ask) => {
                let model = ask.model.as_ref().map(|model| model.as_str());
                prop_assert_eq!(model, other["model"].as_str());
                prop_assert_eq!(ask.stream, other["stream"].as_bool().unwrap_or(false));
                let limit = other["max_tokens"].as_u64().max(other["max_completion_tokens"].as_u64());
                prop_assert_eq!(ask.output_limit, limit);
                prop_assert_eq!(ask.answers, other["n"].as_u64().unwrap_or(1));
            }
            Err(AskError::Ambiguous { member }) => {
                assert!(members.iter().filter(|(name, _)| name == member).count() > 1);
            }
            Err(AskError::WrongType { member, .. }) => {
                let value = &members.iter().find(|(name, _)| name == member).expect("the member").1;
                let right = match member {
                    "model" => value.is_string(),
                    "stream" => value.is_boolean() || value.is_null(),
                    "n" => value.as_u64().is_some_and(|n| n > 0) || value.is_null(),
                    _ => value.is_u64() || value.is_null(),
                };
                assert!(!right, "{member} {value}");
            }
            Err(AskError::ModelName(_)) => {}
            Err(other) => panic!("{text}: {other:?}"),
        }
    }
}

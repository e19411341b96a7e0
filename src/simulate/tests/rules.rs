//! The pure rules: tokens, prose, schemas, caching, tools, pace.

use std::{future::poll_fn, pin::Pin, time::Duration};

use bytes::Bytes;
use http_body::Body;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::simulate::{
    answer::{Answer, Finish, Shape, Wish},
    arguments::example,
    chance::Chance,
    count::{Tokens, clip, count},
    fields::Fields,
    paced::Paced,
    prompt::{Input, Prompt},
    prose,
    reply::Frame,
    tools,
};

fn chance() -> Chance {
    Chance::of(1, &[])
}

#[test]
fn tokens_are_four_bytes_of_a_word() {
    assert_eq!(count(""), 0);
    assert_eq!(count("Hello world"), 4);
    assert_eq!(count("a b c"), 3);
    assert_eq!(count("end \n"), 2);
    let tokens: Vec<String> = Tokens::of("Grüße  für alle".to_owned()).collect();
    assert_eq!(tokens, ["Grü", "ße", "  für", " alle"]);
}

proptest! {
    #[test]
    fn tokens_add_up_to_the_text(text in any::<String>(), limit in 0_u64..20) {
        let tokens: Vec<String> = Tokens::of(text.clone()).collect();
        prop_assert_eq!(tokens.concat(), text.as_str());
        prop_assert_eq!(tokens.len() as u64, count(&text));
        prop_assert!(count(&text) <= text.len() as u64);
        prop_assert_eq!(count(clip(&text, limit)), count(&text).min(limit));
    }

    #[test]
    fn an_answer_keeps_to_its_limit(question in any::<String>(), limit in 1_u64..200, words in 0_u64..100) {
        let wish = Wish { question, limit: Some(limit), thinking_words: words, ..Wish::default() };
        let answer = Answer::compose(&wish, &mut chance());
        prop_assert!(answer.tokens() <= limit);
        prop_assert!(answer.finish != Finish::Length || answer.tokens() == limit);
    }
}

#[test]
fn an_answer_has_the_words_asked_for() {
    for (question, words) in [
        ("Write 300 words about rain", 300),
        ("a 5-word answer", 5),
        ("in 1 word", 1),
        ("99999999 words", 20_000),
    ] {
        let text = prose::answer(question, &mut chance());
        assert_eq!(text.split_whitespace().count(), words, "{question}");
    }
    let free = prose::answer("in other words", &mut chance());
    assert!((20..=80).contains(&free.split_whitespace().count()));
}

#[test]
fn a_stop_text_ends_the_answer_before_it() {
    let wish = Wish {
        question: "x".to_owned(),
        stops: vec![
            "never there".to_owned(),
            " answer".to_owned(),
            String::new(),
        ],
        ..Wish::default()
    };
    let answer = Answer::compose(&wish, &mut chance());
    assert_eq!(answer.content, "This is a simulated");
    assert_eq!(answer.finish, Finish::StopText(" answer".to_owned()));
}

#[test]
fn a_schema_is_filled_in() {
    let schema = json!({
        "type": "object",
        "required": ["city", "when", "list", "count", "kind", "self", "maybe"],
        "properties": {
            "city": {"type": "string"},
            "when": {"type": "string", "format": "date"},
            "list": {"type": "array", "items": {"type": "boolean"}, "minItems": 2},
            "count": {"type": "integer", "minimum": 3, "maximum": 3},
            "kind": {"const": "fixed"},
            "self": {"$ref": "#/$defs/leaf"},
            "maybe": {"type": ["null", "number"], "minimum": 0.5},
            "unneeded": {"type": "string"},
        },
        "$defs": {"leaf": {"enum": ["only"]}},
    });
    let value = example(&schema, &mut chance());
    assert!(value["city"].is_string());
    assert_eq!(value["when"], "2026-01-15");
    assert_eq!(value["list"].as_array().unwrap().len(), 2);
    assert_eq!(value["count"], 3);
    assert_eq!(value["kind"], "fixed");
    assert_eq!(value["self"], "only");
    assert_eq!(value["maybe"], 0.5);
    assert!(value.get("unneeded").is_none());
}

#[test]
fn odd_schemas_end() {
    let endless = json!({"properties": {"again": {"$ref": "#"}}});
    assert!(example(&endless, &mut chance()).is_object());
    for odd in [
        json!(null),
        json!({"enum": []}),
        json!({"type": 7}),
        json!({"type": "integer", "minimum": i64::MAX}),
        json!({"type": "integer", "maximum": i64::MIN, "minimum": i64::MAX}),
        json!({"type": "array", "minItems": u64::MAX}),
        json!({"type": "string", "minLength": u64::MAX, "maxLength": 0}),
        json!({"$ref": "#/nowhere"}),
        json!({"anyOf": []}),
    ] {
        example(&odd, &mut chance());
    }
}

#[test]
fn the_marked_part_before_the_last_message_is_read_and_the_rest_written() {
    let marked = json!({"type": "text", "text": "four", "cache_control": {"type": "ephemeral"}});
    let mut prompt = Prompt::default();
    prompt.preface(&marked);
    prompt.message(&json!({"role": "user", "content": "a b c"}));
    let input = prompt.input();
    assert_eq!((input.total, input.cached, input.written), (4, 1, 0));

    prompt.message(&json!({"role": "user", "content": [{"type": "text", "text": "d"}, marked, {"type": "text", "text": "e"}]}));
    let expected = Input {
        total: 7,
        cached: 4,
        written: 2,
    };
    assert_eq!(prompt.input(), expected);
}

#[test]
fn what_is_not_text_counts_a_fixed_amount() {
    let mut prompt = Prompt::default();
    prompt.message(&json!({"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "text", "text": "what"},
    ]}));
    assert_eq!(prompt.input().total, 257);
    assert_eq!(prompt.question(), "what");
}

fn check_tool(choice: Value, last: Value, expected: Option<&str>) {
    let body = json!({
        "tools": [
            {"type": "web_search"},
            {"type": "function", "function": {"name": "get_weather"}},
            {"name": "run_query", "input_schema": {}},
        ],
        "tool_choice": choice,
    });
    let fields = Fields::parse(body.to_string().as_bytes()).unwrap();
    let mut prompt = Prompt::default();
    prompt.message(&last);
    let tool = tools::wanted(&fields, &prompt).unwrap();
    assert_eq!(tool.as_ref().map(|tool| tool.name.as_str()), expected);
}

#[test]
fn a_tool_is_called_when_it_is_asked_for() {
    let says = |text: &str| json!({"role": "user", "content": text});
    check_tool(json!(null), says("Hello"), None);
    check_tool(
        json!("auto"),
        says("The Weather, please"),
        Some("get_weather"),
    );
    check_tool(json!("auto"), says("use a tool"), Some("get_weather"));
    check_tool(
        json!({"type": "auto"}),
        says("that query"),
        Some("run_query"),
    );
    check_tool(json!("required"), says("Hello"), Some("get_weather"));
    check_tool(json!({"type": "any"}), says("Hello"), Some("get_weather"));
    check_tool(
        json!({"type": "tool", "name": "run_query"}),
        says("Hello"),
        Some("run_query"),
    );
    check_tool(json!("none"), says("weather"), None);
    check_tool(
        json!("auto"),
        json!({"role": "tool", "content": "weather: fine"}),
        None,
    );
}

#[test]
fn a_tool_that_is_not_there_cannot_be_chosen() {
    let body = br#"{"tools":[{"name":"a"}],"tool_choice":{"type":"tool","name":"b"}}"#;
    let fields = Fields::parse(body).unwrap();
    assert!(tools::wanted(&fields, &Prompt::default()).is_err());
}

#[test]
fn a_schema_as_response_format_shapes_the_answer() {
    let format = json!({"type": "json_schema", "json_schema": {"schema": {"const": 7}}});
    let wish = Wish {
        shape: Shape::of(Some(&format)),
        ..Wish::default()
    };
    assert_eq!(Answer::compose(&wish, &mut chance()).content, "7");
}

#[tokio::test(start_paused = true)]
async fn a_stream_keeps_its_pace() {
    let frame = Frame {
        data: Bytes::from_static(b"x"),
        tokens: 3,
    };
    let frames = vec![frame; 7];
    let started = Instant::now();
    let mut body = Paced::stream(Box::new(frames.into_iter()), 10);
    while poll_fn(|cx| Pin::new(&mut body).poll_frame(cx))
        .await
        .is_some()
    {}
    // 21 tokens, the first of them at once.
    assert_eq!(
        started.elapsed().as_millis(),
        Duration::from_secs(2).as_millis()
    );
}

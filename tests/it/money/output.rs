//! Output limits that make no sense, and what is held for those that do.

use serde_json::{Value, json};

use super::{credit, gated, priced};
use crate::{
    fixture::{KEY, provider, refused, served},
    harness::{Gate, Gateway, within},
};

const ENDPOINTS: [(&str, &str, &str); 5] = [
    ("/v1/chat/completions", "m", "max_tokens"),
    ("/v1/chat/completions", "m", "max_completion_tokens"),
    ("/v1/completions", "m", "max_tokens"),
    ("/v1/responses", "m", "max_output_tokens"),
    ("/v1/messages", "c", "max_tokens"),
];

#[tokio::test]
async fn an_output_limit_is_a_number_of_tokens_or_the_body_is_refused() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let gateway = Gateway::start(&priced(&upstream, "credit: required", "credit: 10")).await;
    for (path, model, field) in ENDPOINTS {
        for wrong in [
            "-1", "-0", "\"5\"", "1.5", "5.0", "5e2", "1e400", "true", "[5]", "{}", "NaN",
        ] {
            let body = format!(r#"{{"model":"{model}","{field}":{wrong}}}"#);
            let answer = gateway.call("POST", path).bearer(KEY).json(&body);
            let answer = answer.send().await;
            refused(&answer, 400, "invalid_json");
        }
    }
    assert!(upstream.seen().is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_held_is_what_the_provider_may_do() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let gateway = Gateway::start(&priced(&upstream, "credit: required", "credit: 10")).await;
    for (path, model, field) in ENDPOINTS {
        let prices = match path {
            "/v1/messages" => (3000, 15_000),
            _ => (1000, 4000),
        };
        // The model says at most 500, whatever is asked of it.
        for (asked, held, sent) in [
            ("1", 1, 1),
            ("499", 499, 499),
            ("501", 500, 500),
            ("2147483648", 500, 500),
            ("9223372036854775808", 500, 500),
            ("99999999999999999999999999", 500, 500),
            ("null", 500, 500),
            ("", 500, 500),
        ] {
            let member = match asked {
                "" => String::new(),
                asked => format!(r#","{field}":{asked}"#),
            };
            let body = format!(r#"{{"model":"{model}"{member}}}"#);
            let (balance, nothing) = credit(&gateway).await;
            assert_eq!(nothing, 0);
            let call = gateway.call("POST", path).bearer(KEY).json(&body);
            let call = tokio::spawn(call.send());
            upstream.arrival().await;
            let expected = body.len() as i64 * prices.0 + held * prices.1;
            assert_eq!(credit(&gateway).await, (balance, expected), "{path} {body}");
            gate.open();
            served(&within("the answer", call).await.unwrap());
            let forwarded = upstream.seen().pop().unwrap().json();
            let limits: Vec<&Value> = ["max_tokens", "max_completion_tokens", "max_output_tokens"]
                .iter()
                .filter_map(|field| forwarded.get(field))
                .filter(|limit| !limit.is_null())
                .collect();
            assert_eq!(limits, [sent], "{path} {body}");
            let after = balance - 9 * prices.0 - 2 * prices.1;
            assert_eq!(credit(&gateway).await, (after, 0));
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_the_body_asks_beyond_one_answer_is_held_for() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let gateway = Gateway::start(&priced(&upstream, "credit: required", "credit: 100")).await;
    let window = 100_000;
    for (path, body, input, outputs) in [
        (
            "/v1/chat/completions",
            r#"{"model":"m","max_tokens":100,"n":3}"#,
            0,
            300,
        ),
        (
            "/v1/completions",
            r#"{"model":"m","max_tokens":100,"n":2,"best_of":4}"#,
            0,
            400,
        ),
        (
            "/v1/chat/completions",
            r#"{"model":"m","max_tokens":7,"max_completion_tokens":100}"#,
            0,
            100,
        ),
        (
            "/v1/chat/completions",
            r#"{"model":"m","max_tokens":1,"tools":[{"type":"function","function":{"name":"f"}}]}"#,
            1024,
            1,
        ),
        (
            "/v1/chat/completions",
            r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}"#,
            window,
            1,
        ),
        (
            "/v1/responses",
            r#"{"model":"m","max_output_tokens":1,"previous_response_id":"resp_1"}"#,
            window,
            1,
        ),
        ("/v1/embeddings", r#"{"model":"m","input":"hi"}"#, 0, 0),
    ] {
        let call = gateway.call("POST", path).bearer(KEY).json(body);
        let call = tokio::spawn(call.send());
        upstream.arrival().await;
        let input = match input {
            0 => body.len() as i64,
            1024 => body.len() as i64 + 1024,
            window => window,
        };
        let (_, held) = credit(&gateway).await;
        assert_eq!(held, input * 1000 + outputs * 4000, "{path} {body}");
        gate.open();
        served(&within("the answer", call).await.unwrap());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn no_limit_is_written_that_the_window_cannot_hold() {
    let upstream = provider().await;
    let yaml = priced(&upstream, "credit: required", "credit: 10");
    let yaml = yaml.replace(
        "context_window: 100000, max_output_tokens: 500",
        "context_window: 4096",
    );
    let gateway = Gateway::start(&yaml).await;
    let word = "word ".repeat(600);
    for (content, at_least) in [("hi", 3900), (word.as_str(), 3000)] {
        for path in ["/v1/chat/completions", "/v1/responses"] {
            let body = json!({
                "model": "m", "messages": [{"role": "user", "content": content}], "input": content,
            });
            let answer = gateway
                .call("POST", path)
                .bearer(KEY)
                .json(&body.to_string());
            served(&answer.send().await);
            let sent = upstream.seen().pop().unwrap().json();
            let written = ["max_completion_tokens", "max_output_tokens"];
            let written = written
                .iter()
                .find_map(|field| sent[field].as_u64())
                .unwrap();
            // Six hundred words, once or twice, are as many tokens.
            let most = if content == "hi" {
                4096 - 2
            } else {
                4096 - 600
            };
            assert!(
                (at_least.min(most - 1200)..most).contains(&written),
                "{path}: {written}"
            );
        }
    }
    gateway.stop().await;
}

/// Each prompt has a window of its own, so what the longest one leaves is left to all of them.
#[tokio::test]
async fn several_prompts_do_not_share_a_window() {
    let upstream = provider().await;
    let yaml = priced(&upstream, "credit: required", "credit: 10").replace(
        "context_window: 100000, max_output_tokens: 500",
        "context_window: 4096",
    );
    let gateway = Gateway::start(&yaml).await;
    let (short, long) = ("word ".repeat(200), "word ".repeat(400));
    let numbers = vec![1234; 400];
    for (prompt, at_least, most) in [
        (json!([short, long, short, short]), 2000, 4096 - 400),
        (json!([long, long, long]), 2000, 4096 - 400),
        (json!([numbers, numbers, numbers]), 2000, 4096 - 400),
        (json!(long), 2000, 4096 - 400),
    ] {
        let body = json!({"model": "m", "prompt": prompt}).to_string();
        let call = gateway.call("POST", "/v1/completions").bearer(KEY);
        served(&call.json(&body).send().await);
        let sent = upstream.seen().pop().unwrap().json();
        let written = sent["max_tokens"].as_u64().unwrap();
        assert!((at_least..=most).contains(&written), "{written}");
    }
    gateway.stop().await;
}

/// Six bytes of an escape are far less than a token and a half, and such a prompt does not fill the window.
#[tokio::test]
async fn an_estimate_that_leaves_nothing_of_the_window_is_not_believed() {
    let upstream = provider().await;
    let yaml = priced(&upstream, "credit: required", "credit: 10").replace(
        "context_window: 100000, max_output_tokens: 500",
        "context_window: 32768",
    );
    let gateway = Gateway::start(&yaml).await;
    let text = "\\u0442".repeat(22_000);
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#);
    served(&gateway.chat(KEY, &body).send().await);
    let sent = upstream.seen().pop().unwrap().json();
    let written = sent["max_completion_tokens"].as_u64().unwrap();
    assert_eq!(written, 16_384);
    gateway.stop().await;
}

/// Each of them may fill the window by itself.
#[tokio::test]
async fn several_texts_are_held_for_beyond_one_window() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let yaml = priced(&upstream, "credit: required", "credit: 10").replace(
        "context_window: 100000, max_output_tokens: 500",
        "context_window: 1000, max_output_tokens: 500",
    );
    let gateway = Gateway::start(&yaml).await;
    let (short, long) = ("word ".repeat(100), "word ".repeat(2000));
    let embeddings = |input: Value| {
        let body = json!({"model": "m", "input": input});
        ("/v1/embeddings", body, 0)
    };
    let completions = |prompt: Value, answers| {
        let body = json!({"model": "m", "max_tokens": 1, "prompt": prompt});
        ("/v1/completions", body, answers)
    };
    let several = json!([short, short, short, short, short]);
    for ((path, body, answers), windows) in [
        (embeddings(several.clone()), 5),
        (embeddings(json!([long, "a", [1, 2]])), 3),
        (embeddings(json!(long)), 1),
        (embeddings(json!(vec![7; 2000])), 1),
        (completions(several, 5), 5),
        (completions(json!([long, "a"]), 2), 2),
        (completions(json!(long), 1), 1),
    ] {
        let body = body.to_string();
        let call = gateway.call("POST", path).bearer(KEY).json(&body);
        let call = tokio::spawn(call.send());
        upstream.arrival().await;
        let input = (body.len() as i64).min(windows * 1000);
        let (_, held) = credit(&gateway).await;
        assert_eq!(held, input * 1000 + answers * 4000, "{path} {windows}");
        gate.open();
        served(&within("the answer", call).await.unwrap());
    }
    gateway.stop().await;
}

//! Providers that write more than they were asked for.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use tempfile::TempDir;

use super::{adds_up, credit, kept, priced};
use crate::{
    fixture::{KEY, served},
    harness::{Answer, Gateway, Step, Upstream, sse},
};

const DOLLAR: i64 = 1_000_000_000;
/// What a call may write, and events of a token each that the provider writes all the same.
const ASKED: usize = 10;
const WRITTEN: usize = 60;

fn chat(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

fn completion(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"text\":\"{text}\"}}]}}\n\n")
}

fn response(text: &str) -> String {
    format!(
        "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"delta\":\"{text}\"}}\n\n"
    )
}

fn message(text: &str) -> String {
    format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n"
    )
}

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":50,\"output_tokens\":1}}}\n\n";

const PAY: &str = "payment: {pay_url: \"https://pay.example.com/?account={account}\"}\n";

type Event = fn(&str) -> String;

/// Endpoint, model, the member of the output limit, an event, and the tokens that the provider says it read.
const STREAMS: [(&str, &str, &str, Event, Option<i64>); 4] = [
    ("/v1/chat/completions", "m", "max_tokens", chat, None),
    ("/v1/completions", "m", "max_tokens", completion, None),
    ("/v1/responses", "m", "max_output_tokens", response, None),
    ("/v1/messages", "c", "max_tokens", message, Some(50)),
];

#[tokio::test]
async fn a_stream_that_is_longer_than_what_was_held_is_cut_and_charged() {
    for (path, model, field, event, said) in STREAMS {
        let start = if said.is_some() {
            START
        } else {
            ": begins\n\n"
        };
        let mut frames = vec![start.to_owned()];
        frames.extend((0..WRITTEN).map(|at| event(&format!("w{at:03}"))));
        let steps = sse(&frames.iter().map(String::as_str).collect::<Vec<_>>());
        for (plan, account, code) in [
            (
                "credit: required",
                "credit: 1",
                "insufficient_credit_for_request",
            ),
            ("budgets: [{usd: 1, per: day}]", "", "budget_exceeded"),
            (
                "budgets: [{usd: 1, per: day}], quotas: [{tokens: 1000000, per: day}]",
                "",
                "request_exceeds_limit",
            ),
        ] {
            let mut steps = steps.clone();
            // It would go on for ever.
            *steps.last_mut().unwrap() = Step::Hang;
            let upstream = Upstream::start(move |_| steps.clone()).await;
            let folder = TempDir::new().unwrap();
            let yaml = [&priced(&upstream, plan, account), PAY].concat();
            let gateway = Gateway::start(&kept(&yaml, &folder)).await;
            let body = json!({"model": model, field: ASKED, "stream": true}).to_string();
            let call = gateway.call("POST", path).bearer(KEY).json(&body);
            let answer = call.send().await;
            served(&answer);
            // One event too many at most, then the one that says why, and nothing more.
            let expected = frames[..=ASKED + 1].concat();
            let (passed, told) = answer.text().split_at(expected.len());
            assert_eq!(passed, expected, "{path}");
            let told = told.strip_suffix("\n\n").unwrap();
            let (name, data) = told.split_once("data: ").unwrap();
            let error: serde_json::Value = serde_json::from_str(data).unwrap();
            if path == "/v1/messages" {
                assert_eq!((name, &error["type"]), ("event: error\n", &json!("error")));
                assert_eq!(error["error"]["details"]["error_code"], code, "{error}");
            } else {
                assert_eq!(name, "", "{told}");
                assert_eq!(error["error"]["code"], code, "{error}");
            }
            assert!(
                told.contains("https://pay.example.com/?account=a"),
                "{told}"
            );
            assert!(!told.contains("[DONE]") && !answer.broken);
            upstream.all_closed().await;
            let row = gateway.calls(1).await.remove(0);
            let prices = if said.is_some() { (3, 15) } else { (1, 4) };
            let input = said.unwrap_or_else(|| (body.len() as i64 + 3) / 4);
            let cost = input * prices.0 * 1000 + (ASKED as i64 + 1) * prices.1 * 1000;
            assert_eq!(row["cost_nano_usd"], cost, "{path}: {row}");
            assert_eq!(
                (&row["overrun"], &row["estimated"], &row["outcome"]),
                (&json!(true), &json!(true), &json!("upstream_failed"))
            );
            gateway.nothing_held(KEY).await;
            if account.contains("credit") {
                assert_eq!(credit(&gateway).await, (DOLLAR - cost, 0));
            }
            gateway.stop().await;
            adds_up(&folder, 1);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_seen_while_it_is_written_is_charged_when_it_is_told() {
    // Reasoning that is not shown: the usage at the end is the first that is heard of it.
    let hidden = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":5000,\"completion_tokens_details\":{\"reasoning_tokens\":4999}}}\n\n";
    let upstream = Upstream::start(move |_| sse(&[&chat("hi"), hidden, "data: [DONE]\n\n"])).await;
    let folder = TempDir::new().unwrap();
    let plan = "credit: required";
    let yaml = priced(&upstream, plan, "credit: 0.001").replace(
        "{input: 1, output: 4}",
        "{input: 1, output: 4, reasoning: 3}",
    );
    let gateway = Gateway::start(&kept(&yaml, &folder)).await;
    let body = json!({"model": "m", "max_tokens": ASKED, "stream": true}).to_string();
    let answer = gateway.chat(KEY, &body).send().await;
    assert_eq!(answer.text(), chat("hi") + "data: [DONE]\n\n");
    let row = gateway.calls(1).await.remove(0);
    let cost = 9 * 1000 + 4000 + 4999 * 3000;
    assert_eq!(row["cost_nano_usd"], cost, "{row}");
    assert_eq!(
        (&row["overrun"], &row["estimated"], &row["outcome"]),
        (&json!(true), &json!(false), &json!("completed"))
    );
    assert_eq!(credit(&gateway).await, (DOLLAR / 1000 - cost, 0));
    gateway.stop().await;
    adds_up(&folder, 1);
}

/// The stream that a call gets which is paid from a dollar.
async fn streamed(upstream: &Upstream, folder: &TempDir) -> (Gateway, Answer) {
    let yaml = priced(upstream, "credit: required", "credit: 1");
    let gateway = Gateway::start(&kept(&yaml, folder)).await;
    let body = json!({"model": "m", "max_tokens": ASKED, "stream": true}).to_string();
    let answer = gateway.chat(KEY, &body).send().await;
    (gateway, answer)
}

#[tokio::test]
async fn a_compressed_stream_that_is_too_long_does_not_end_like_a_whole_one() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    for at in 0..WRITTEN {
        gzip.write_all(chat(&format!("w{at:03}")).as_bytes())
            .unwrap();
    }
    gzip.flush().unwrap();
    let packed = gzip.get_ref();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n",
        packed.len()
    );
    let steps = vec![
        Step::Send([head.as_bytes(), packed, b"\r\n"].concat()),
        Step::Hang,
    ];
    let upstream = Upstream::start(move |_| steps.clone()).await;
    let folder = TempDir::new().unwrap();
    let (gateway, answer) = streamed(&upstream, &folder).await;
    assert!(answer.broken);
    let row = gateway.calls(1).await.remove(0);
    assert_eq!(
        (&row["overrun"], &row["outcome"]),
        (&json!(true), &json!("upstream_failed"))
    );
    gateway.nothing_held(KEY).await;
    gateway.stop().await;
    adds_up(&folder, 1);
}

#[tokio::test]
async fn each_prompt_of_a_list_is_held_for() {
    let body =
        json!({"model": "m", "prompt": ["a", "b", "c"], "max_tokens": ASKED, "stream": true})
            .to_string();
    // Three whole answers, and more than that.
    for (written, overrun) in [(3 * ASKED, false), (3 * ASKED + 2, true)] {
        let mut frames: Vec<String> = (0..written).map(|_| completion("w")).collect();
        frames.push("data: [DONE]\n\n".to_owned());
        let upstream =
            Upstream::start(move |_| sse(&frames.iter().map(String::as_str).collect::<Vec<_>>()))
                .await;
        let folder = TempDir::new().unwrap();
        let yaml = priced(&upstream, "credit: required", "credit: 1");
        let gateway = Gateway::start(&kept(&yaml, &folder)).await;
        let call = gateway.call("POST", "/v1/completions").bearer(KEY);
        let answer = call.json(&body).send().await;
        served(&answer);
        assert_eq!(answer.text().ends_with("data: [DONE]\n\n"), !overrun);
        let row = gateway.calls(1).await.remove(0);
        assert_eq!(row["overrun"], overrun, "{row}");
        let held = body.len() + 3 * ASKED * 4;
        assert_eq!(row["held_nano_usd"], held as i64 * 1000, "{row}");
        gateway.nothing_held(KEY).await;
        gateway.stop().await;
        adds_up(&folder, 1);
    }
}

/// With `echo`, the prompts come back before what is written behind them.
#[tokio::test]
async fn prompts_that_are_echoed_are_no_output_that_is_too_long() {
    let prompt = "word ".repeat(400);
    let usage =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":400,\"completion_tokens\":1}}\n\n";
    let echoed = completion(&prompt);
    let steps = sse(&[&echoed, &completion("w"), usage, "data: [DONE]\n\n"]);
    let upstream = Upstream::start(move |_| steps.clone()).await;
    let gateway = Gateway::start(&priced(&upstream, "credit: required", "credit: 1")).await;
    let body =
        json!({"model": "m", "prompt": prompt, "max_tokens": 1, "echo": true, "stream": true});
    let call = gateway.call("POST", "/v1/completions").bearer(KEY);
    let answer = call.json(&body.to_string()).send().await;
    assert!(
        answer.text().ends_with("data: [DONE]\n\n"),
        "{}",
        answer.text()
    );
    let row = gateway.calls(1).await.remove(0);
    assert_eq!(row["cost_nano_usd"], 400 * 1000 + 4000, "{row}");
    assert_eq!(row["overrun"], false, "{row}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_stream_that_says_itself_that_it_is_too_long_is_cut() {
    let chunk = |said: usize| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"w\"}}}}],\
             \"usage\":{{\"prompt_tokens\":9,\"completion_tokens\":{said}}}}}\n\n"
        )
    };
    let frames = [5, 10, 300, 400].map(chunk);
    let expected = frames[..3].concat();
    let steps = sse(&[&frames.concat(), "data: [DONE]\n\n"]);
    let upstream = Upstream::start(move |_| steps.clone()).await;
    let folder = TempDir::new().unwrap();
    let (gateway, answer) = streamed(&upstream, &folder).await;
    let told = answer.text().strip_prefix(&*expected).unwrap();
    assert!(told.contains("insufficient_credit_for_request"), "{told}");
    assert!(!told.contains("[DONE]"), "{told}");
    let row = gateway.calls(1).await.remove(0);
    assert_eq!(row["overrun"], true, "{row}");
    assert_eq!(row["cost_nano_usd"], 9 * 1000 + 300 * 4000, "{row}");
    gateway.stop().await;
    adds_up(&folder, 1);
}

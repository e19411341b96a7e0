//! What a call is charged when it has ended, however it ended, and what goes back.

use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{adds_up, budgets, credit, kept, nanos, priced};
use crate::{
    fixture::{KEY, refused, served},
    harness::{Gate, Gateway, Step, Upstream, end, head, json as whole, piece, sse, within},
};

const CHAT: &str = r#"{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}"#;
const STREAM: &str = r#"{"model":"m","max_tokens":10,"stream":true}"#;
const DOLLAR: i64 = 1_000_000_000;

/// Our own count of a body's input.
fn input(body: &str) -> i64 {
    (body.len() as i64 + 3) / 4
}

/// A gateway whose calls are paid from a dollar and counted by a budget.
async fn paid(upstream: &Upstream, folder: &TempDir) -> Gateway {
    let plan = "credit: required, budgets: [{usd: 5, per: day}]";
    Gateway::start(&kept(&priced(upstream, plan, "credit: 1"), folder)).await
}

/// Checks that the credit, the budget and the one row say that the only call cost this.
async fn costs(gateway: &Gateway, cost: i64) -> Value {
    let call = gateway.calls(1).await.remove(0);
    gateway.nothing_held(KEY).await;
    assert_eq!(call["cost_nano_usd"], cost, "{call}");
    assert_eq!(credit(gateway).await, (DOLLAR - cost, 0), "{call}");
    assert_eq!(budgets(gateway).await, [("plan".to_owned(), cost, 0)]);
    call
}

fn usage(input: &str, output: &str) -> String {
    format!(
        r#"{{"choices":[{{"message":{{"content":"0123456789abcdef"}}}}],"usage":{{"prompt_tokens":{input},"completion_tokens":{output}}}}}"#
    )
}

#[tokio::test]
async fn what_cannot_be_read_costs_no_more_than_the_provider_was_told_to_write() {
    // Ten thousand tokens of text, if it is text.
    let half = format!("{{\"choices\":[{{\"logprobs\":\"{}", "0".repeat(40_000));
    let steps = vec![
        Step::Send(
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999\r\n\r\n{half}")
                .into(),
        ),
        Step::Close,
    ];
    let upstream = Upstream::start(move |_| steps.clone()).await;
    let folder = TempDir::new().unwrap();
    let gateway = paid(&upstream, &folder).await;
    assert!(gateway.chat(KEY, CHAT).send().await.broken);
    let call = costs(&gateway, input(CHAT) * 1000 + 100 * 4000).await;
    assert_eq!(
        (&call["overrun"], &call["estimated"]),
        (&false.into(), &true.into())
    );
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_not_used_comes_back_and_what_is_used_beyond_is_charged() {
    // Less than was held, all of it, and more: by the provider's own word.
    for (output, overrun) in [(2, false), (100, false), (101, false), (300_000, true)] {
        let body = usage("9", &output.to_string());
        let upstream = Upstream::start(move |_| whole("200 OK", &body)).await;
        let folder = TempDir::new().unwrap();
        let gateway = paid(&upstream, &folder).await;
        served(&gateway.chat(KEY, CHAT).send().await);
        let call = costs(&gateway, 9 * 1000 + output * 4000).await;
        assert_eq!(call["overrun"], overrun, "{call}");
        assert_eq!(call["estimated"], false);
        assert_eq!(call["held_nano_usd"], CHAT.len() as i64 * 1000 + 100 * 4000);
        if overrun {
            // The one way below zero, and the next call hears of it before its body is read.
            let refusal = gateway.chat(KEY, "no JSON").send().await;
            refused(&refusal, 402, "credit_exhausted");
            let stands = &refusal.value()["billing"]["credit"];
            assert_eq!(nanos(&stands["balance"]), DOLLAR - 9000 - output * 4000);
        }
        gateway.stop().await;
        adds_up(&folder, 1);
    }
}

#[tokio::test]
async fn figures_that_make_no_sense_are_charged_by_our_own_count() {
    let stream = |usages: &[&str]| {
        let mut frames = vec![
            "data: {\"choices\":[{\"delta\":{\"content\":\"0123456789abcdef\"}}]}\n\n".to_owned(),
        ];
        for usage in usages {
            frames.push(format!("data: {{\"choices\":[],\"usage\":{usage}}}\n\n"));
        }
        frames.push("data: [DONE]\n\n".to_owned());
        sse(&frames.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let document = |usage: &str| {
        whole(
            "200 OK",
            &format!(
                r#"{{"choices":[{{"message":{{"content":"0123456789abcdef"}}}}],"usage":{usage}}}"#
            ),
        )
    };
    let senseless = [
        "null",
        "{}",
        "\"many\"",
        r#"{"prompt_tokens":-5,"completion_tokens":-700000,"total_tokens":-12}"#,
        r#"{"prompt_tokens":"5","completion_tokens":"7"}"#,
        r#"{"prompt_tokens":5.5,"completion_tokens":7}"#,
        r#"{"prompt_tokens":9223372036854775807,"completion_tokens":1}"#,
        r#"{"prompt_tokens":1099511627777,"completion_tokens":1}"#,
        r#"{"prompt_tokens":99999999999999999999999999,"completion_tokens":1}"#,
        r#"{"completion_tokens":5}"#,
    ];
    let mut cases: Vec<(&str, Vec<Step>)> = Vec::new();
    for usage in senseless {
        cases.push((CHAT, document(usage)));
        cases.push((STREAM, stream(&[usage])));
    }
    cases.push((STREAM, stream(&[])));
    // Shrinking.
    let (more, less) = (
        r#"{"prompt_tokens":50,"completion_tokens":9}"#,
        r#"{"prompt_tokens":5,"completion_tokens":2}"#,
    );
    cases.push((STREAM, stream(&[more, less])));
    for (body, steps) in cases {
        let sent = format!("{:?}", steps.iter().map(text).collect::<Vec<_>>());
        let upstream = Upstream::start(move |_| steps.clone()).await;
        let folder = TempDir::new().unwrap();
        let gateway = paid(&upstream, &folder).await;
        served(&gateway.chat(KEY, body).send().await);
        // 16 bytes of text are four tokens.
        let cost = input(body) * 1000 + 4 * 4000;
        let call = costs(&gateway, cost).await;
        assert_eq!(call["estimated"], true, "{sent}");
        assert_eq!(call["outcome"], "completed", "{sent}");
        gateway.stop().await;
        adds_up(&folder, 1);
    }
}

fn text(step: &Step) -> String {
    match step {
        Step::Send(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

#[tokio::test]
async fn a_failure_of_the_providers_costs_nothing_and_a_refusal_of_the_call_its_own_price() {
    // The status that the provider answers with, that our client gets, and whether the request keeps its price.
    for (status, expected, kept_price) in [
        ("500 Internal Server Error", 500, false),
        ("502 Bad Gateway", 502, false),
        ("503 Service Unavailable", 503, false),
        ("529 Overloaded", 503, false),
        ("401 Unauthorized", 502, false),
        ("403 Forbidden", 502, false),
        ("402 Payment Required", 503, false),
        ("429 Too Many Requests", 503, false),
        ("302 Found", 502, false),
        ("400 Bad Request", 400, true),
        ("404 Not Found", 404, true),
        ("409 Conflict", 409, true),
        ("422 Unprocessable Entity", 422, true),
    ] {
        let upstream = Upstream::start(move |_| {
            whole(
                status,
                r#"{"error":{"message":"no","type":"x","code":"y"}}"#,
            )
        })
        .await;
        let folder = TempDir::new().unwrap();
        let plan =
            "credit: required, budgets: [{usd: 5, per: day}], quotas: [{requests: 10, per: day}]";
        let yaml = kept(&priced(&upstream, plan, "credit: 1"), &folder).replace(
            "  m: {input: 1, output: 4}",
            "  m: {input: 1, output: 4, request: 0.02}",
        );
        let gateway = Gateway::start(&yaml).await;
        let answer = gateway.chat(KEY, CHAT).send().await;
        assert_eq!(answer.status, expected, "{status}: {}", answer.text());
        let cost = if kept_price { DOLLAR / 50 } else { 0 };
        let call = costs(&gateway, cost).await;
        assert_eq!(call["estimated"], false, "{status}");
        assert_eq!(
            call["held_nano_usd"],
            DOLLAR / 50 + CHAT.len() as i64 * 1000 + 400_000
        );
        let limits = gateway.limits(KEY).await;
        let quota = &limits["limits"][0];
        assert_eq!(
            (&quota["unit"], &quota["used"]),
            (&json!("requests"), &json!(u8::from(kept_price))),
            "{status}"
        );
        gateway.stop().await;
        adds_up(&folder, 1);
    }
}

#[tokio::test]
async fn a_provider_that_is_not_reached_or_breaks_off_is_charged_what_it_may_bill() {
    let piece = "data: {\"choices\":[{\"delta\":{\"content\":\"0123456789abcdef\"}}]}\n\n";
    let begun = || sse(&[piece, piece])[..3].to_vec();
    let seen = input(STREAM) * 1000 + 8 * 4000;
    for (steps, cost, outcome) in [
        // Nothing of an answer came, and the call may be under way there.
        (vec![Step::Close], input(STREAM) * 1000, "indeterminate"),
        (vec![Step::Reset], input(STREAM) * 1000, "indeterminate"),
        (
            [begun(), vec![Step::Reset]].concat(),
            seen,
            "upstream_failed",
        ),
        (
            [begun(), vec![Step::Close]].concat(),
            seen,
            "upstream_failed",
        ),
        // By an event of its own.
        (
            sse(&[piece, piece, "data: {\"error\":{\"message\":\"no\"}}\n\n"]),
            seen,
            "upstream_failed",
        ),
    ] {
        let upstream = Upstream::start(move |_| steps.clone()).await;
        let folder = TempDir::new().unwrap();
        let gateway = paid(&upstream, &folder).await;
        gateway.chat(KEY, STREAM).send().await;
        let call = costs(&gateway, cost).await;
        assert_eq!(call["outcome"], outcome, "{call}");
        assert_eq!(call["estimated"], true, "{call}");
        gateway.stop().await;
        adds_up(&folder, 1);
    }
    // Nobody listens: the provider cannot have it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let upstream = Upstream::start(|_| Vec::new()).await;
    let folder = TempDir::new().unwrap();
    let plan = "credit: required, budgets: [{usd: 5, per: day}]";
    let yaml = kept(&priced(&upstream, plan, "credit: 1"), &folder);
    let yaml = yaml.replace(&format!("{}/v1", upstream.url()), &gone);
    let gateway = Gateway::start(&yaml).await;
    refused(
        &gateway.chat(KEY, STREAM).send().await,
        502,
        "upstream_unreachable",
    );
    costs(&gateway, 0).await;
    gateway.stop().await;
    adds_up(&folder, 1);
}

#[tokio::test]
async fn a_price_that_changes_meanwhile_changes_nothing() {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |_| {
        let mut steps = sse(&[
            "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n",
            "data: [DONE]\n\n",
        ]);
        steps.insert(2, Step::Wait(opened.clone()));
        steps
    })
    .await;
    let folder = TempDir::new().unwrap();
    let plan = "credit: required, budgets: [{usd: 5, per: day}]";
    let yaml = kept(&priced(&upstream, plan, "credit: 1"), &folder);
    let dearer = yaml
        .replace("{input: 1, output: 4}", "{input: 100, output: 400}")
        .replace("plans: {p: {", "plans: {p: {price_factor: 2, ");
    let mut gateway = Gateway::start(&yaml).await;
    let call = tokio::spawn(gateway.chat(KEY, STREAM).send());
    upstream.arrival().await;
    gateway.reload(&dearer).await;
    gate.open();
    served(&within("the answer", call).await.unwrap());
    let old = costs(&gateway, 7 * 1000 + 3 * 4000).await;
    gateway.pass(Duration::from_millis(1));
    gate.open();
    served(&gateway.chat(KEY, STREAM).send().await);
    let new = gateway.calls(2).await.remove(0);
    assert_eq!(new["cost_nano_usd"], 2 * (7 * 100_000 + 3 * 400_000));
    assert_ne!(old["price_version"], new["price_version"]);
    gateway.stop().await;
    adds_up(&folder, 2);
}

#[tokio::test]
async fn a_price_for_a_later_day_holds_from_then_on() {
    let upstream = Upstream::start(|_| whole("200 OK", &usage("1000", "10"))).await;
    let plan = "credit: required, price_factor: 1.1";
    let yaml = priced(&upstream, plan, "credit: 1").replace(
        "  m: {input: 1, output: 4}",
        "  m: {versions: [{input: 1, output: 4}, {effective: 2026-11-21T00:00:00Z, input: 0.000333, output: 0.5, tiers: [{above: 999, input: 0.000777}]}]}",
    );
    let gateway = Gateway::start(&yaml).await;
    served(&gateway.chat(KEY, CHAT).send().await);
    gateway.pass(Duration::from_secs(12 * 3600));
    served(&gateway.chat(KEY, CHAT).send().await);
    let calls = gateway.calls(2).await;
    assert_eq!(
        calls[1]["cost_nano_usd"],
        (1000 * 1000 + 10 * 4000) * 11 / 10
    );
    // (1000 × 0.777 + 10 × 500) × 1.1 billionths, rounded up once: 6354.7.
    assert_eq!(calls[0]["cost_nano_usd"], 6355);
    assert_eq!(calls[0]["price_version"], "2026-11-21");
    assert_ne!(calls[1]["price_version"], calls[0]["price_version"]);
    gateway.stop().await;
}

#[tokio::test]
async fn our_own_count_of_the_input_is_never_above_what_was_held_for_it() {
    // A picture of half a million bytes is no more than the model can read, 100,000 tokens.
    let picture = "A".repeat(500_000);
    let image = json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{picture}")}});
    let body =
        json!({"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": [image]}]});
    let body = body.to_string();
    let silent = r#"{"choices":[{"message":{"content":"0123456789abcdef"}}]}"#;
    for (steps, cost) in [
        (vec![Step::Close], 100_000 * 1000),
        (whole("200 OK", silent), 100_000 * 1000 + 4 * 4000),
    ] {
        let upstream = Upstream::start(move |_| steps.clone()).await;
        let folder = TempDir::new().unwrap();
        let gateway = paid(&upstream, &folder).await;
        gateway.chat(KEY, &body).send().await;
        let call = costs(&gateway, cost).await;
        assert_eq!(call["overrun"], false, "{call}");
        assert_eq!(call["held_nano_usd"], 100_000 * 1000 + 10 * 4000);
        gateway.stop().await;
        adds_up(&folder, 1);
    }
}

/// Some providers keep whoever waits for a slow answer awake with blanks.
#[tokio::test]
async fn a_document_that_comes_slowly_is_charged_as_it_says() {
    let gates: [Gate; 3] = Default::default();
    let script = gates.clone();
    let upstream = Upstream::start(move |_| {
        let wait = |at: usize| Step::Wait(script[at].clone());
        vec![
            head("application/json"),
            piece("\n"),
            wait(0),
            piece("\n"),
            wait(1),
            piece(r#"{"usage":{"prompt_"#),
            wait(2),
            piece(r#"tokens":10,"completion_tokens":5}}"#),
            end(),
        ]
    })
    .await;
    let folder = TempDir::new().unwrap();
    let yaml = priced(&upstream, "credit: required", "credit: 1");
    let gateway = Gateway::start(&kept(&yaml, &folder)).await;
    let body = r#"{"model":"m","max_tokens":100}"#;
    let mut answer = gateway.chat(KEY, body).open().await;
    for gate in gates {
        answer.frame().await.unwrap().unwrap();
        // Longer than checkpoints are apart.
        gateway.pass(Duration::from_secs(2));
        gate.open();
    }
    while let Some(frame) = answer.frame().await {
        frame.unwrap();
    }
    let row = gateway.calls(1).await.remove(0);
    let figures = (&row["estimated"], &row["cost_nano_usd"]);
    assert_eq!(
        figures,
        (&json!(false), &json!(10 * 1000 + 5 * 4 * 1000)),
        "{row}"
    );
    gateway.stop().await;
    adds_up(&folder, 1);
}

#[tokio::test]
async fn a_refusal_of_the_call_that_cannot_be_read_keeps_its_price() {
    let upstream = Upstream::start(|_| {
        let head = "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-encoding: br\r\n\
                    content-length: 4\r\n\r\n";
        vec![Step::Send([head.as_bytes(), b"\x8b\x00\x80\x03"].concat())]
    })
    .await;
    let routes =
        "routes: [{path: /paid, provider: up, strip_prefix: true, price_per_request: 0.25}]\n";
    let yaml = priced(&upstream, "credit: required", "credit: 1") + routes;
    let gateway = Gateway::start(&yaml).await;
    let call = gateway.call("GET", "/paid/v1/files/none").bearer(KEY);
    let answer = call.header("accept-encoding", "gzip, br").send().await;
    assert_eq!(answer.status, 404, "{}", answer.text());
    let call = &gateway.calls(1).await[0];
    assert_eq!(call["status"], 404, "{call}");
    assert_eq!(call["cost_nano_usd"], DOLLAR / 4, "{call}");
    assert_eq!(credit(&gateway).await, (DOLLAR * 3 / 4, 0));
    gateway.stop().await;
}

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use super::STREAM;
use crate::{
    fixture::{CHAT, MESSAGE, answer, file},
    harness::{Answer, Call, Gateway, Seen, Step, Upstream, sse},
};

const A: &str = "the-key-of-account-a-0001";
const B: &str = "the-key-of-account-b-0001";
const DELTA: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// Both on one plan, at one provider: whatever they could share is there to be shared.
const TENANTS: &str = "\
plans:
  p:
    credit: required
    rate_limits: {requests_per_minute: 12, tokens_per_minute: 100000, concurrent_requests: 2}
    quotas: [{tokens: 20000, per: day}, {requests: 16, per: month}]
    budgets: [{usd: 0.5, per: month}]
prices: {m: {input: 1, output: 4}, big: {input: 1, output: 4}, c: {input: 3, output: 15}}
accounts:
  - {id: a, plan: p, credit: 0.10, keys: [{id: ka, key: the-key-of-account-a-0001}]}
  - {id: b, plan: p, credit: 0.10, keys: [{id: kb, key: the-key-of-account-b-0001}]}
";

fn script(seen: &Seen) -> Vec<Step> {
    let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    match (body["stream"] == true, body["user"].as_str()) {
        (_, Some("reset")) => vec![Step::Reset],
        (_, Some("bill")) => crate::harness::json(
            "402 Payment Required",
            r#"{"error":{"message":"pay us","code":"billing"}}"#,
        ),
        (true, _) => sse(&[DELTA, USAGE, DONE]),
        (false, _) => answer(seen),
    }
}

/// What a tenant asks, one after the other: what is served, what is refused in every way, and what fails.
fn asks(gateway: &Gateway, key: &str) -> Vec<Call> {
    let call = |method, path| gateway.call(method, path).bearer(key);
    let chat = |body: &str| call("POST", "/v1/chat/completions").json(body);
    let named = |user: &str| CHAT.replace("\"m\",", &format!("\"m\",\"user\":\"{user}\","));
    vec![
        call("GET", "/v1/faregate/limits"),
        chat(CHAT),
        chat(STREAM),
        call("POST", "/v1/messages").json(MESSAGE),
        call("GET", "/v1/models"),
        chat(&CHAT.replace("\"m\"", "\"unknown\"")),
        chat(r#"{"model":"m","#),
        chat(r#"{"model":"m","model":"c"}"#),
        call("POST", "/v1/faregate/preflight").json(CHAT),
        chat(r#"{"model":"big","max_tokens":90000,"messages":[]}"#),
        chat(&named("reset")),
        chat(&named("bill")),
        call("GET", "/v1/../secret"),
        call("DELETE", "/v1/chat/completions"),
        chat(CHAT),
        call("GET", "/v1/faregate/limits"),
        chat(STREAM),
        chat(CHAT),
        chat(CHAT),
        chat(CHAT).header("accept", "text/html"),
        chat(CHAT).header("accept", "application/problem+json"),
        call("GET", "/v1/faregate/limits"),
    ]
}

/// Whether the first `bytes` of a text look like one of our ids.
fn id_length(text: &str) -> Option<usize> {
    let id = text.get(..36)?;
    let dashes = [8, 13, 18, 23];
    let fits = |(at, byte): (usize, u8)| {
        if dashes.contains(&at) {
            byte == b'-'
        } else {
            byte.is_ascii_hexdigit()
        }
    };
    id.bytes().enumerate().all(fits).then_some(36)
}

/// The text without request ids.
fn nameless(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match id_length(rest) {
            Some(length) => {
                shown.push_str("<id>");
                rest = &rest[length..];
            }
            None => {
                shown.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    shown
}

/// An answer as text: everything but dates and ids.
fn shown(answer: &Answer) -> String {
    let mut fields = BTreeMap::new();
    for (name, value) in &answer.headers {
        if name != "date" {
            let values: &mut Vec<_> = fields.entry(name.as_str()).or_default();
            values.push(value.to_str().unwrap());
        }
    }
    let mut text = format!("{}\n", answer.status);
    for (name, values) in fields {
        writeln!(text, "{name}: {values:?}").unwrap();
    }
    writeln!(text, "broken: {}\n{}", answer.broken, answer.text()).unwrap();
    nameless(&text)
}

/// Everything that tenant A gets and everything that is said about it, alone or beside B, who has done as much before
/// and does as much again with each of A's calls.
async fn transcript(beside: bool) -> Vec<String> {
    let upstream = Upstream::start(script).await;
    let server = "server: {listen: \"127.0.0.1:0\", public_url: \"https://ai.example.com\"}\n";
    let gateway = Gateway::start(&(server.to_owned() + &file(&upstream, TENANTS))).await;
    if beside {
        for call in asks(&gateway, B) {
            call.send().await;
        }
    }
    let mut lines = Vec::new();
    let others = asks(&gateway, B).len();
    for (turn, call) in asks(&gateway, A).into_iter().enumerate() {
        if !beside {
            lines.push(shown(&call.send().await));
            continue;
        }
        // Something else of B's each time, before, beside and after.
        let mut asked = asks(&gateway, B);
        let second = asked.swap_remove((turn * 7 + 3) % (others - 1));
        let first = asked.swap_remove((turn * 5) % (others - 1));
        let left = gateway.chat(B, STREAM).open().await;
        let (answer, _, _) = tokio::join!(call.send(), first.send(), second.send());
        drop(left);
        lines.push(shown(&answer));
    }
    // A's own rate has nothing left for questions.
    gateway.pass(Duration::from_secs(60));
    gateway.nothing_held(A).await;
    gateway.pass(Duration::from_secs(60));
    lines.push(gateway.limits(A).await.to_string());
    let page = gateway
        .admin("GET", "/admin/v1/calls?account=a")
        .send()
        .await;
    let mut calls = Vec::new();
    for mut call in page.value()["data"].as_array().unwrap().clone() {
        // Times are the machine's.
        for time in ["queue_ms", "first_byte_ms", "total_ms"] {
            call.as_object_mut().unwrap().remove(time);
        }
        calls.push(nameless(&call.to_string()));
    }
    // The clock stands still, so their order is that of their ids.
    calls.sort();
    lines.extend(calls);
    gateway.stop().await;
    lines
}

#[tokio::test]
async fn what_one_tenant_gets_is_the_same_byte_for_byte_whatever_the_other_does() {
    let alone = transcript(false).await;
    let beside = transcript(true).await;
    for (alone, beside) in alone.iter().zip(&beside) {
        assert_eq!(alone, beside);
    }
    assert_eq!(alone.len(), beside.len());
    // The script does what it says: there is something to differ in.
    let all = alone.join("\n");
    for seen in [
        "200 OK",
        "400 Bad Request",
        "402 Payment Required",
        "404 Not Found",
        "405 Method Not Allowed",
        "429 Too Many Requests",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "text/event-stream",
        "application/problem+json",
        "text/html",
    ] {
        assert!(all.contains(seen), "no {seen} in\n{all}");
    }
    assert!(!all.contains(B) && !all.contains("\"b\""), "{all}");
}

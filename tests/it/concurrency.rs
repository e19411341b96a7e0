use crate::{
    fixture::{CHAT, KEY, MESSAGE, planned, provider, refused, served},
    harness::{Gate, Gateway, Step, Upstream, end, head, piece, within},
};

const STREAM: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

/// A provider whose answers stop in the middle until the gate is opened: whole ones, and streams.
async fn gated(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |seen| {
        let wait = Step::Wait(gate.clone());
        if seen.json()["stream"] == true {
            let begin = piece("data: {\"choices\":[{\"delta\":{\"content\":\"hel\"}}]}\n\n");
            return vec![
                head("text/event-stream"),
                begin,
                wait,
                piece("data: [DONE]\n\n"),
                end(),
            ];
        }
        let whole =
            r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;
        let (begin, end) = whole.split_at(20);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
        let begin = format!("{head}{}\r\n\r\n{begin}", whole.len());
        vec![Step::Send(begin.into()), wait, Step::Send(end.into())]
    })
    .await
}

/// Calls at once, as the key reads them.
async fn seats(gateway: &Gateway) -> u64 {
    let limits = gateway.limits(KEY).await;
    let concurrency = limits["limits"]
        .as_array()
        .unwrap()
        .iter()
        .find(|limit| limit["kind"] == "concurrency");
    concurrency.unwrap()["used"].as_u64().unwrap()
}

async fn free(gateway: &Gateway, taken: u64) {
    within("a seat was given back", async {
        while seats(gateway).await != taken {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_seat_is_held_until_the_body_ends() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let plan = "{rate_limits: {concurrent_requests: 2}}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    for body in [CHAT, STREAM] {
        let first = gateway.chat(KEY, body).open().await;
        assert_eq!(first.status(), 200);
        let second = gateway.chat(KEY, body).open().await;
        // Both heads are here, both bodies are not.
        let refusal = gateway.chat(KEY, body).send().await;
        refused(&refusal, 429, "concurrency_limit_exceeded");
        assert_eq!(refusal.header("retry-after"), Some("1"));
        assert_eq!(refusal.header("retry-after-ms"), Some("1000"));
        assert_eq!(refusal.header("x-should-retry"), None);
        assert_eq!(refusal.value()["billing"]["limit"]["used"], 2);
        assert_eq!(seats(&gateway).await, 2);
        // What only tells about the key takes no seat.
        served(&gateway.call("GET", "/v1/models").bearer(KEY).send().await);
        gate.open();
        let read = http_body_util::BodyExt::collect(first.into_body());
        within("the first body ended", read).await.unwrap();
        free(&gateway, 1).await;
        let third = gateway.chat(KEY, body).open().await;
        assert_eq!(third.status(), 200);
        for answer in [second, third] {
            gate.open();
            let read = http_body_util::BodyExt::collect(answer.into_body());
            within("a body ended", read).await.unwrap();
        }
        free(&gateway, 0).await;
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_seat() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let plan = "{rate_limits: {concurrent_requests: 1}}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    for _ in 0..3 {
        let answer = gateway.chat(KEY, STREAM).open().await;
        assert_eq!(seats(&gateway).await, 1);
        drop(answer);
        free(&gateway, 0).await;
    }
    // An answer that is no stream is read to its end, which the provider bills anyway; until then the call goes on.
    let answer = gateway.chat(KEY, CHAT).open().await;
    drop(answer);
    refused(
        &gateway.chat(KEY, CHAT).send().await,
        429,
        "concurrency_limit_exceeded",
    );
    gate.open();
    free(&gateway, 0).await;
    let calls = gateway.calls(4).await;
    let drained = calls
        .iter()
        .find(|call| call["estimated"] == false)
        .unwrap();
    assert_eq!(
        (&drained["tokens"]["output"], &drained["outcome"]),
        (&2.into(), &"client_closed".into())
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_call_refused_after_its_seat_gives_it_back() {
    let upstream = provider().await;
    let plan = "{models: [m], rate_limits: {concurrent_requests: 1}, quotas: [{tokens: 100000, per: day}]}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    for _ in 0..3 {
        refused(
            &gateway.chat(KEY, r#"{"model":"nope"}"#).send().await,
            404,
            "model_not_found",
        );
        refused(&gateway.chat(KEY, "[]").send().await, 400, "invalid_json");
        let much = r#"{"model":"m","max_tokens":200000,"n":500}"#;
        refused(
            &gateway.chat(KEY, much).send().await,
            402,
            "request_exceeds_limit",
        );
        let message = gateway
            .call("POST", "/v1/messages")
            .bearer(KEY)
            .json(MESSAGE)
            .send()
            .await;
        assert_eq!(message.status, 403);
        served(&gateway.chat(KEY, CHAT).send().await);
    }
    assert_eq!(seats(&gateway).await, 0);
    gateway.stop().await;
}

#[tokio::test]
async fn keys_and_accounts_sit_apart() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let rest = "\
plans: {p: {rate_limits: {concurrent_requests: 3}, per_key: {rate_limits: {concurrent_requests: 2}}}}
accounts:
  - {id: a, plan: p, keys: [{id: a1, key: the-first-key-of-account-a}, {id: a2, key: the-second-key-of-account-a}]}
  - {id: b, plan: p, keys: [{id: b1, key: the-only-key-of-account-b}]}
";
    let gateway = Gateway::start(&crate::fixture::file(&upstream, rest)).await;
    let mut open = Vec::new();
    let mut results = Vec::new();
    for key in ["first", "first", "first", "second", "second"] {
        let answer = gateway
            .chat(&format!("the-{key}-key-of-account-a"), STREAM)
            .open()
            .await;
        results.push(answer.status().as_u16());
        open.push(answer);
    }
    assert_eq!(results, [200, 200, 429, 200, 429]);
    let other = gateway
        .chat("the-only-key-of-account-b", STREAM)
        .open()
        .await;
    assert_eq!(other.status(), 200);
    drop((open, other));
    gateway.stop().await;
}

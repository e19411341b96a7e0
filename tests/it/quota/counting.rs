//! What is counted in the end, over failures, restarts and crowds.

use serde_json::json;

use super::{CHAT, Gateway, KEY, MESSAGE, chat, file, planned, provider, refused, served, used};
use crate::{
    fixture::ACCOUNT,
    harness::{Call, Step, Upstream, json as whole, within},
};

const PLAN: &str = "{quotas: [{requests: 100, per: day}, {tokens: 100000, per: day}]}";

async fn counted(gateway: &Gateway) -> (u64, u64) {
    let (requests, tokens) = (
        used(gateway, "requests").await,
        used(gateway, "tokens").await,
    );
    assert_eq!((requests[0].2, tokens[0].2), (0, 0), "nothing is held");
    (requests[0].1, tokens[0].1)
}

#[tokio::test]
async fn what_never_happened_is_given_back() {
    for (steps, status, code) in [
        (
            whole(
                "500 Internal Server Error",
                r#"{"error":{"message":"oh","code":"oh"}}"#,
            ),
            500,
            "oh",
        ),
        (
            whole(
                "503 Service Unavailable",
                r#"{"error":{"message":"oh","code":"oh"}}"#,
            ),
            503,
            "upstream_overloaded",
        ),
        (whole("401 Unauthorized", "{}"), 502, "upstream_auth"),
        (
            whole("429 Too Many Requests", "{}"),
            503,
            "upstream_overloaded",
        ),
        (
            whole("402 Payment Required", "{}"),
            503,
            "upstream_unavailable",
        ),
        (
            vec![Step::Send(b"nonsense\r\n\r\n".to_vec()), Step::Close],
            502,
            "upstream_invalid_response",
        ),
    ] {
        let upstream = Upstream::start(move |_| steps.clone()).await;
        let gateway = Gateway::start(&planned(&upstream, PLAN)).await;
        let answer = chat(&gateway).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{}",
            answer.text()
        );
        if code != "upstream_invalid_response" {
            assert_eq!(counted(&gateway).await, (0, 0), "{code}");
        }
        gateway.stop().await;
    }
    // Nobody there at all.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let upstream = provider().await;
    let yaml =
        planned(&upstream, PLAN).replace(&upstream.address.to_string(), &address.to_string());
    let gateway = Gateway::start(&yaml).await;
    refused(&chat(&gateway).await, 502, "upstream_unreachable");
    assert_eq!(counted(&gateway).await, (0, 0));
    let calls = gateway.calls(1).await;
    assert_eq!(calls[0]["outcome"], "upstream_failed");
    gateway.stop().await;
}

#[tokio::test]
async fn a_mistake_of_the_callers_counts_as_a_request_and_charges_what_is_reported() {
    let silent = r#"{"error":{"message":"no","code":"no"}}"#;
    let reported = r#"{"error":{"message":"no","code":"no"},"usage":{"prompt_tokens":7,"completion_tokens":0,"total_tokens":7}}"#;
    for (status, body, tokens) in [
        ("400 Bad Request", silent, 0),
        ("404 Not Found", silent, 0),
        ("422 Unprocessable Content", silent, 0),
        ("400 Bad Request", reported, 7),
    ] {
        let upstream = Upstream::answering(status, body).await;
        let gateway = Gateway::start(&planned(&upstream, PLAN)).await;
        let answer = chat(&gateway).await;
        assert_eq!(answer.status.as_str(), &status[..3]);
        assert_eq!(answer.text(), body);
        assert_eq!(counted(&gateway).await, (1, tokens), "{body}");
        let calls = gateway.calls(1).await;
        assert_eq!(
            (&calls[0]["estimated"], &calls[0]["status"]),
            (&json!(false), &json!(answer.status.as_u16()))
        );
        gateway.stop().await;
    }
}

#[tokio::test]
async fn every_endpoint_counts_its_tokens_and_those_without_count_nothing() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, PLAN)).await;
    let post = |path: &str, body: &str| gateway.call("POST", path).bearer(KEY).json(body).send();
    let mut expected = (0, 0);
    for (path, body, requests, tokens) in [
        ("/v1/chat/completions", CHAT, 1, 11),
        ("/v1/completions", r#"{"model":"m","prompt":"hi"}"#, 1, 11),
        ("/v1/responses", r#"{"model":"m","input":"hi"}"#, 1, 11),
        ("/v1/messages", MESSAGE, 1, 11),
        ("/v1/embeddings", r#"{"model":"m","input":"hi"}"#, 1, 9),
        ("/v1/messages/count_tokens", MESSAGE, 0, 0),
    ] {
        served(&post(path, body).await);
        expected = (expected.0 + requests, expected.1 + tokens);
        assert_eq!(counted(&gateway).await, expected, "{path}");
    }
    served(&gateway.call("GET", "/v1/models").bearer(KEY).send().await);
    assert_eq!(counted(&gateway).await, expected);
    gateway.stop().await;
}

#[tokio::test]
async fn counters_survive_a_restart() {
    let upstream = provider().await;
    let directory = tempfile::tempdir().unwrap();
    let store = format!(
        "store: {{url: \"sqlite:{}/faregate.db\"}}\n",
        directory.path().display()
    );
    let rest = format!(
        "{store}plans:\n  p: {{quotas: [{{requests: 5, per: day}}, {{tokens: 100000, per: month}}], per_key: {{quotas: [{{requests: 9, per: week}}]}}}}\n{ACCOUNT}"
    );
    let yaml = file(&upstream, &rest);
    let gateway = Gateway::start(&yaml).await;
    let made = gateway.make_key(r#"{"account":"a","id":"made"}"#).await;
    for _ in 0..2 {
        served(&chat(&gateway).await);
    }
    served(&gateway.chat(&made, CHAT).send().await);
    let clock = gateway.clock.clone();
    gateway.stop().await;

    let gateway = Gateway::start_at(&yaml, clock.clone()).await;
    assert_eq!(
        used(&gateway, "requests").await,
        [("key".into(), 2, 0), ("plan".into(), 3, 0)]
    );
    assert_eq!(used(&gateway, "tokens").await, [("plan".into(), 33, 0)]);
    served(&chat(&gateway).await);
    served(&gateway.chat(&made, CHAT).send().await);
    refused(&chat(&gateway).await, 402, "quota_exhausted");
    gateway.stop().await;

    // A day later only the week and the month go on.
    clock.advance(std::time::Duration::from_secs(86_400));
    let gateway = Gateway::start_at(&yaml, clock).await;
    assert_eq!(
        used(&gateway, "requests").await,
        [("key".into(), 3, 0), ("plan".into(), 0, 0)]
    );
    assert_eq!(used(&gateway, "tokens").await, [("plan".into(), 55, 0)]);
    served(&chat(&gateway).await);
    assert_eq!(gateway.calls(6).await.len(), 6);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once_against_fifty_admit_fifty() {
    let upstream = provider().await;
    for _ in 0..3 {
        let gateway =
            Gateway::start(&planned(&upstream, "{quotas: [{requests: 50, per: day}]}")).await;
        let before = upstream.seen().len();
        let clients: Vec<_> = (0..50)
            .map(|_| {
                let address = gateway.address;
                tokio::spawn(async move {
                    let mut admitted = 0;
                    for _ in 0..20 {
                        let call = Call::new(address, "POST", "/v1/chat/completions");
                        let answer = call.bearer(KEY).json(CHAT).send().await;
                        match answer.status.as_u16() {
                            200 => admitted += 1,
                            402 => assert_eq!(answer.code(), "quota_exhausted"),
                            other => panic!("{other} {}", answer.text()),
                        }
                    }
                    admitted
                })
            })
            .collect();
        let mut admitted = 0;
        for client in clients {
            admitted += within("a client ended", client).await.unwrap();
        }
        assert_eq!((admitted, upstream.seen().len() - before), (50, 50));
        assert_eq!(used(&gateway, "requests").await, [("plan".into(), 50, 0)]);
        assert_eq!(gateway.calls(50).await.len(), 50);
        gateway.stop().await;
    }
}

/// A counter is its key's, whoever pays for it now.
#[tokio::test]
async fn a_key_that_moves_takes_what_it_has_used_along() {
    let upstream = provider().await;
    let key = "{id: k, key: the-key-of-account-a-0001, quotas: [{requests: 2, per: day}]}";
    let yaml = |first: &str, second: &str| {
        let accounts = format!(
            "plans: {{p: {{}}}}\naccounts: [{{id: a, plan: p, keys: [{first}]}}, {{id: b, plan: p, keys: [{second}]}}]\n"
        );
        file(&upstream, &accounts)
    };
    let body = r#"{"model":"m"}"#;
    let mut gateway = Gateway::start(&yaml(key, "")).await;
    for _ in 0..2 {
        served(&gateway.chat(KEY, body).send().await);
    }
    assert_eq!(gateway.chat(KEY, body).send().await.status, 402);
    for moved in [yaml("", key), yaml(key, "")] {
        gateway.reload(&moved).await;
        assert_eq!(gateway.chat(KEY, body).send().await.status, 402);
    }
    gateway.stop().await;
}

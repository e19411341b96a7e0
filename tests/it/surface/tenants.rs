//! Two accounts at one gateway: what one does and has is nothing to the other.

use serde_json::Value;

use crate::{
    fixture::{CHAT, answer, file, refused, served},
    harness::{Gateway, Upstream, json},
};

const A: &str = "the-key-of-account-a-0001";
const B: &str = "the-key-of-account-b-0001";

const REST: &str = "\
plans: {p: {quotas: [{requests: 100, per: day}, {tokens: 100000, per: day}]}}
accounts:
  - {id: a, plan: p, keys: [{id: ka, key: the-key-of-account-a-0001}]}
  - {id: b, plan: p, keys: [{id: kb, key: the-key-of-account-b-0001}]}
routes:
  - {path: /}
  - {path: /openai, provider: up, strip_prefix: true, meter: requests}
  - {path: /only-a, provider: up, strip_prefix: true, meter: requests, accounts: [a]}
";

#[tokio::test]
async fn nothing_is_kept_for_the_next_one() {
    // The answer says which of the requests it answers.
    let upstream = {
        let number = std::sync::atomic::AtomicU64::new(0);
        Upstream::start(move |seen| {
            let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let tag = format!("etag: \"same\"\r\ncache-control: public, max-age=3600\r\nx-number: {number}\r\ncontent-type");
            let mut steps = answer(seen);
            if let Some(crate::harness::Step::Send(bytes)) = steps.first_mut() {
                *bytes = String::from_utf8(bytes.clone()).unwrap().replacen("content-type", &tag, 1).into_bytes();
            }
            steps
        })
        .await
    };
    let gateway = Gateway::start(&file(&upstream, REST)).await;
    let mut numbers = Vec::new();
    for (key, host) in [
        (A, "one.test"),
        (B, "one.test"),
        (A, "two.test"),
        (A, "one.test"),
        (B, "two.test"),
    ] {
        let raw = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             if-none-match: \"same\"\r\nidempotency-key: same\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{CHAT}",
            CHAT.len()
        );
        let answer = crate::harness::raw_until_close(gateway.address, raw.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let number = answer
            .lines()
            .find_map(|line| line.strip_prefix("x-number: "));
        numbers.push(number.unwrap().to_owned());
    }
    // The same prompt five times is five calls: nobody gets the answer of another.
    assert_eq!(numbers, ["0", "1", "2", "3", "4"]);
    for key in [A, B] {
        let list = gateway
            .call("GET", "/openai/v1/files")
            .bearer(key)
            .send()
            .await;
        served(&list);
    }
    assert_eq!(upstream.count(), 7);
    gateway.all_settled(&upstream, A).await;
    gateway.stop().await;
}

#[tokio::test]
async fn what_belongs_to_one_account_is_not_there_for_another() {
    let upstream = Upstream::start(|seen| match seen.target.as_str() {
        "/v1/files/file-of-a" => json("200 OK", r#"{"id":"file-of-a"}"#),
        _ => answer(seen),
    })
    .await;
    let gateway = Gateway::start(&file(&upstream, REST)).await;
    for _ in 0..3 {
        served(&gateway.chat(A, CHAT).send().await);
    }
    gateway.calls(3).await;
    // The page about limits is the asking key's own, whatever else is named.
    let used = |page: &Value| {
        let limits = page["limits"].as_array().unwrap().iter();
        limits
            .map(|limit| limit["used"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    let b = gateway.limits(B).await;
    assert_eq!(
        (&b["account"], used(&b).iter().sum::<u64>()),
        (&Value::from("b"), 0),
        "{b:#}"
    );
    for query in ["account=a", "key=ka", "key_id=ka", "id=a"] {
        let path = format!("/v1/faregate/limits?{query}");
        let page = gateway.call("GET", &path).bearer(B).send().await;
        if page.status == 200 {
            assert_eq!(page.value()["account"], "b", "{query}");
        } else {
            // `?key=` is a credential, and another one than the header's.
            refused(&page, 400, "ambiguous_credentials");
        }
        assert!(!page.text().contains("\"ka\""), "{}", page.text());
    }
    let id = gateway.calls(3).await[0]["id"].as_str().unwrap().to_owned();
    for path in [
        format!("/v1/faregate/calls/{id}"),
        format!("/v1/faregate/usage/{id}"),
        "/v1/faregate/accounts/a".to_owned(),
        "/v1/faregate/keys/ka".to_owned(),
        format!("/admin/v1/calls/{id}"),
    ] {
        let answer = gateway.call("GET", &path).bearer(B).send().await;
        refused(&answer, 404, "route_not_found");
    }
    // Objects at the provider are everybody's who may use the route; a route can be one account's.
    served(
        &gateway
            .call("GET", "/only-a/v1/files/file-of-a")
            .bearer(A)
            .send()
            .await,
    );
    let answer = gateway
        .call("GET", "/only-a/v1/files/file-of-a")
        .bearer(B)
        .send()
        .await;
    refused(&answer, 403, "permission_denied");
    assert!(!answer.text().contains("file-of-a"), "{}", answer.text());
    gateway.all_settled(&upstream, B).await;
    gateway.stop().await;
}

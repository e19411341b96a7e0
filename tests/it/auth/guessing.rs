//! Addresses that guess keys: told to wait, and nobody else with them.

use std::time::Duration;

use crate::{
    fixture::{CHAT, KEY, MESSAGE, planned, provider, refused, served},
    harness::{Answer, Call, Gateway, within},
};

fn wrong(number: usize) -> String {
    format!("no-key-that-anybody-has-{number}")
}

fn yaml(upstream: &crate::harness::Upstream, server: &str) -> String {
    let server = format!("server: {{listen: \"127.0.0.1:0\"{server}}}\n");
    server + &planned(upstream, "{}")
}

/// So many guesses one after the other; how many were answered with 401, and the last answer.
async fn guess(gateway: &Gateway, tries: usize, from: Option<&str>) -> (usize, Answer) {
    let mut unknown = 0;
    let mut last = None;
    for number in 0..tries {
        let call = gateway.chat(&wrong(number), CHAT);
        let call = match from {
            Some(from) => call.header("x-forwarded-for", from),
            None => call,
        };
        let answer = call.send().await;
        unknown += usize::from(answer.status == 401);
        last = Some(answer);
    }
    (unknown, last.unwrap())
}

#[tokio::test]
async fn the_fifty_first_wrong_key_waits_and_a_right_one_never_does() {
    let upstream = provider().await;
    let gateway = Gateway::start(&yaml(&upstream, "")).await;
    let (unknown, last) = guess(&gateway, 60, None).await;
    assert_eq!(unknown, 50);
    refused(&last, 429, "rate_limit_exceeded");
    assert_eq!(last.header("retry-after"), Some("1"));
    assert_eq!(last.header("retry-after-ms"), Some("50"));
    assert_eq!(last.header("x-should-retry"), None);
    assert_eq!(last.header("www-authenticate"), None);
    let said = last.value()["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        said,
        "Too many wrong API keys came from this address; check the key before you send it again. Try again in 1 second."
    );
    assert!(last.value()["billing"]["account"].is_null());
    // In the dialect of whoever asks, at every door that takes a key.
    let message = gateway.call("POST", "/v1/messages").json(MESSAGE);
    let message = message.header("x-api-key", &wrong(1)).send().await;
    refused(&message, 429, "rate_limit_exceeded");
    assert_eq!(message.value()["error"]["type"], "rate_limit_error");
    for path in ["/v1/models", "/v1/faregate/limits"] {
        let answer = gateway.call("GET", path).bearer(&wrong(2)).send().await;
        refused(&answer, 429, "rate_limit_exceeded");
    }
    // Whoever has a key is served, and whoever sends none is told so.
    for _ in 0..20 {
        served(&gateway.chat(KEY, CHAT).send().await);
    }
    let none = gateway.call("POST", "/v1/chat/completions").json(CHAT);
    refused(&none.send().await, 401, "invalid_api_key");

    gateway.pass(Duration::from_secs(1));
    assert_eq!(guess(&gateway, 30, None).await.0, 20);
    gateway.pass(Duration::from_secs(60));
    assert_eq!(guess(&gateway, 60, None).await.0, 50);
    assert_eq!(upstream.seen().len(), 20);
    gateway.stop().await;
}

#[tokio::test]
async fn behind_a_proxy_the_client_is_who_guesses() {
    let upstream = provider().await;
    let gateway = Gateway::start(&yaml(&upstream, ", trusted_proxies: [127.0.0.0/8]")).await;
    assert_eq!(guess(&gateway, 60, Some("203.0.113.1")).await.0, 50);
    assert_eq!(guess(&gateway, 60, Some("203.0.113.2")).await.0, 50);
    assert_eq!(guess(&gateway, 60, Some("2001:db8:0:1::1")).await.0, 50);
    // An IPv6 customer has all addresses of a /64.
    assert_eq!(guess(&gateway, 10, Some("2001:db8:0:1:ffff::2")).await.0, 0);
    assert_eq!(guess(&gateway, 10, Some("2001:db8:0:2::1")).await.0, 10);
    // What a client claims of itself makes it nobody else.
    assert_eq!(
        guess(&gateway, 10, Some("198.51.100.7, 203.0.113.1"))
            .await
            .0,
        0
    );
    gateway.stop().await;
}

#[tokio::test]
async fn the_limit_is_the_files() {
    let upstream = provider().await;
    let limits = |limits: &str| yaml(&upstream, &format!(", limits: {{{limits}}}"));
    let mut gateway = Gateway::start(&limits("wrong_keys_at_once: 5")).await;
    assert_eq!(guess(&gateway, 10, None).await.0, 5);
    // What a reload leaves as it is goes on counting, and what it changes starts fresh.
    gateway
        .reload(&limits("wrong_keys_at_once: 5, head: 8KiB"))
        .await;
    assert_eq!(guess(&gateway, 10, None).await.0, 0);
    gateway.reload(&limits("wrong_keys_at_once: 7")).await;
    assert_eq!(guess(&gateway, 10, None).await.0, 7);
    gateway.reload(&limits("wrong_keys_per_second: 0")).await;
    assert_eq!(guess(&gateway, 200, None).await.0, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn a_flood_of_guesses_from_many_tasks_passes_no_more_than_its_share() {
    let upstream = provider().await;
    let gateway = Gateway::start(&yaml(&upstream, "")).await;
    let guessers = (0..8).map(|task| {
        let address = gateway.address;
        tokio::spawn(async move {
            let mut unknown = 0;
            for number in 0..50 {
                let call = Call::new(address, "POST", "/v1/chat/completions");
                let call = call.bearer(&wrong(task * 50 + number)).json(CHAT);
                unknown += usize::from(call.send().await.status == 401);
            }
            unknown
        })
    });
    let guessers: Vec<_> = guessers.collect();
    for _ in 0..10 {
        served(&gateway.chat(KEY, CHAT).send().await);
    }
    let mut unknown = 0;
    for guesser in guessers {
        unknown += within("the guesses ended", guesser).await.unwrap();
    }
    assert_eq!(unknown, 50);
    gateway.stop().await;
}

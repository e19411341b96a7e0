use crate::{
    fixture::{CHAT, KEY, MESSAGE, planned, provider, refused, served},
    harness::{Call, Gateway},
};

const ORIGIN: &str = "https://app.example.com";

async fn gateway(origins: &str) -> Gateway {
    let upstream = provider().await;
    let server = format!("server: {{listen: \"127.0.0.1:0\", cors: {{origins: [{origins}]}}}}\n");
    Gateway::start(&(server + &planned(&upstream, "{quotas: [{requests: 1, per: day}]}"))).await
}

fn preflight(gateway: &Gateway, path: &str, origin: &str) -> Call {
    gateway
        .call("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization, content-type, x-stainless-lang",
        )
}

#[tokio::test]
async fn a_listed_page_may_ask_and_read_everything() {
    let gateway = gateway("\"https://app.example.com\"").await;
    // Before the real request a browser asks, without a key.
    let asked = preflight(&gateway, "/v1/chat/completions", ORIGIN)
        .send()
        .await;
    assert_eq!((asked.status.as_u16(), asked.body.len()), (204, 0));
    assert_eq!(asked.header("access-control-allow-origin"), Some(ORIGIN));
    assert!(
        asked
            .header("access-control-allow-methods")
            .unwrap()
            .contains("POST")
    );
    assert_eq!(
        asked.header("access-control-allow-headers"),
        Some("authorization, content-type, x-stainless-lang")
    );
    assert_eq!(asked.header("access-control-allow-credentials"), None);
    assert_eq!(asked.headers.get_all("vary").iter().count(), 1);
    let chat = || gateway.chat(KEY, CHAT).header("origin", ORIGIN).send();
    for status in [200, 402] {
        let answer = chat().await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
        let vary: Vec<_> = answer
            .headers
            .get_all("vary")
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect();
        assert!(vary.contains(&"Origin"), "{vary:?}");
        let exposed = answer.header("access-control-expose-headers").unwrap();
        // What a page has to read of it, whatever it is.
        for name in [
            "x-request-id",
            "retry-after",
            "retry-after-ms",
            "ratelimit",
            "ratelimit-policy",
            "link",
            "x-should-retry",
            "faregate-notice",
        ] {
            assert!(exposed.split(", ").any(|exposed| exposed == name), "{name}");
        }
        for (name, _) in &answer.headers {
            let ours = name.as_str().starts_with("x-ratelimit")
                || name.as_str().starts_with("anthropic-ratelimit");
            assert!(!ours || exposed.contains(name.as_str()), "{name}");
        }
    }
    refused(&chat().await, 402, "quota_exhausted");
    let message = gateway
        .call("POST", "/v1/messages")
        .bearer(KEY)
        .json(MESSAGE);
    let message = message.header("origin", ORIGIN).send().await;
    let exposed = message.header("access-control-expose-headers").unwrap();
    for name in message
        .headers
        .keys()
        .filter(|name| name.as_str().contains("ratelimit"))
    {
        assert!(exposed.split(", ").any(|exposed| exposed == name), "{name}");
    }
    let broken = gateway
        .call("POST", "/v1//x")
        .header("origin", ORIGIN)
        .send()
        .await;
    assert_eq!(broken.header("access-control-allow-origin"), Some(ORIGIN));
    gateway.stop().await;
}

/// What a cache keeps of a page that is not listed, or of no page at all, is no answer for one that is (Fetch standard, "CORS
/// protocol and HTTP caches").
#[tokio::test]
async fn an_answer_to_anybody_says_that_it_depends_on_who_asks() {
    for (origins, varies) in [
        ("", false),
        ("\"https://app.example.com\"", true),
        ("\"*\"", true),
    ] {
        let gateway = gateway(origins).await;
        for origin in [None, Some("https://other.example"), Some(ORIGIN)] {
            for path in ["/problems/quota_exhausted", "/v1/models", "/nowhere"] {
                let mut call = gateway.call("GET", path).bearer(KEY);
                if let Some(origin) = origin {
                    call = call.header("origin", origin);
                }
                let answer = call.send().await;
                let vary = answer.headers.get_all("vary").iter();
                let says = vary.filter(|value| *value == "Origin").count();
                assert_eq!(says, usize::from(varies), "{origins} {origin:?} {path}");
            }
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn another_page_may_not() {
    for origins in ["", "\"https://app.example.com\""] {
        let gateway = gateway(origins).await;
        let other = "https://app.example.com.evil.example";
        let asked = preflight(&gateway, "/v1/chat/completions", other)
            .send()
            .await;
        assert_eq!(asked.header("access-control-allow-origin"), None);
        let answer = gateway.chat(KEY, CHAT).header("origin", other).send().await;
        served(&answer);
        assert_eq!(answer.header("access-control-allow-origin"), None);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_star_lets_every_page_in_and_a_preflight_reaches_nobody() {
    let gateway = gateway("\"*\"").await;
    for path in ["/v1/chat/completions", "/healthz", "/nowhere"] {
        let asked = preflight(&gateway, path, "null").send().await;
        assert_eq!(asked.status, 204, "{path}");
        assert_eq!(asked.header("access-control-allow-origin"), Some("null"));
    }
    // Without the question's own field it is a method like others.
    let plain = gateway
        .call("OPTIONS", "/v1/chat/completions")
        .header("origin", "null")
        .send()
        .await;
    refused(&plain, 405, "method_not_allowed");
    assert_eq!(gateway.limits(KEY).await["limits"][0]["used"], 0);
    gateway.stop().await;
}

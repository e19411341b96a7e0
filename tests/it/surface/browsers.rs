//! Web pages of others in the browser of somebody who may do everything.

use crate::{
    fixture::{CHAT, KEY, planned, provider, refused},
    harness::{Call, Gateway, TOKEN},
};

const PAGE: &str = "https://evil.example";

#[tokio::test]
async fn a_page_of_others_cannot_act_for_whoever_looks_at_it() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{quotas: [{requests: 1, per: day}]}")).await;
    let admin =
        |method: &str, path: &str| Call::new(gateway.admin, method, path).header("origin", PAGE);
    // What a browser sends of itself: cookies, its own authentication, forms in three codings, a token in the address.
    for (method, path) in [
        ("GET", "/admin/v1/keys"),
        ("POST", "/admin/v1/keys"),
        ("DELETE", "/admin/v1/keys/k"),
    ] {
        let with_token =
            format!("{path}?token={TOKEN}&access_token={TOKEN}&authorization=Bearer%20{TOKEN}");
        for call in [
            admin(method, path).header(
                "cookie",
                &format!("token={TOKEN}; authorization=Bearer {TOKEN}"),
            ),
            admin(method, path).header("authorization", &format!("Basic {TOKEN}")),
            admin(method, path).header("x-api-key", TOKEN),
            admin(method, path).header("x-csrf-token", TOKEN),
            admin(method, &with_token),
            admin(method, path)
                .header("content-type", "text/plain")
                .body(format!("token={TOKEN}")),
            admin(method, path)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(format!("token={TOKEN}")),
        ] {
            let answer = call.send().await;
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text());
            assert!(!answer.headers.contains_key("set-cookie"));
        }
        // Nor may a page ask whether it may, or read what it got.
        let asked = admin("OPTIONS", path)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "authorization");
        let asked = asked.send().await;
        assert_eq!(asked.status, 401);
        let right = admin("GET", path).bearer(TOKEN).send().await;
        for answer in [&asked, &right] {
            let named = answer
                .headers
                .keys()
                .find(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(named, None, "{method} {path}");
        }
    }
    // In public a key is asked for as well, and never taken from a cookie.
    let chat = |key: Option<&str>| {
        let call = gateway
            .call("POST", "/v1/chat/completions")
            .header("origin", PAGE);
        match key {
            Some(key) => call.bearer(key),
            None => call.header("cookie", &format!("key={KEY}; authorization=Bearer {KEY}")),
        }
    };
    refused(&chat(None).json(CHAT).send().await, 401, "invalid_api_key");
    // A page may send a text or a form to anybody without being asked; neither is a call.
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
    ] {
        let answer = chat(Some(KEY))
            .header("content-type", kind)
            .body(CHAT)
            .send()
            .await;
        refused(&answer, 400, "invalid_header");
    }
    let served = chat(Some(KEY)).json(CHAT).send().await;
    assert_eq!(served.status, 200, "{}", served.text());
    assert!(!served.headers.contains_key("access-control-allow-origin"));
    gateway.stop().await;
}

#[tokio::test]
async fn our_pages_are_nobodys_frame_and_run_nothing() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{quotas: [{requests: 1, per: day}]}")).await;
    let chat = || {
        gateway
            .chat(KEY, CHAT)
            .header("accept", "text/html,*/*;q=0.8")
    };
    assert_eq!(chat().send().await.status, 200);
    let page = |path: &str| gateway.call("GET", path).header("accept", "text/html");
    for (call, status) in [
        (chat(), 402),
        (page("/problems"), 200),
        (page("/problems/quota_exhausted"), 200),
        (page("/nothing"), 404),
        (page("/v1/models"), 401),
    ] {
        let answer = call.send().await;
        assert_eq!(answer.status, status);
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        let text = answer.text().to_ascii_lowercase();
        for word in [
            "<script",
            "<iframe",
            "<form",
            "javascript:",
            " onload=",
            " onclick=",
            " src=",
        ] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
    gateway.stop().await;
}

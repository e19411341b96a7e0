mod guessing;
mod life;
mod strangers;

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    fixture::{CHAT, KEY, MESSAGE, file, planned, provider, refused, served},
    harness::{Answer, Call, Gateway},
};

/// Every place that a client's SDK puts its key.
const PLACES: [&str; 5] = [
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "?key=",
];

/// A call of `method` and `path` with a key in each of `places`.
fn with(gateway: &Gateway, method: &str, path: &str, places: &[(&str, &str)]) -> Call {
    let query = places.iter().filter(|(place, _)| *place == "?key=");
    let query: Vec<String> = query.map(|(_, key)| format!("key={key}")).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let mut call = gateway.call(method, &format!("{path}{mark}{}", query.join("&")));
    for (place, key) in places {
        call = match *place {
            "?key=" => call,
            "authorization" => call.bearer(key),
            name => call.header(name, key),
        };
    }
    call
}

#[tokio::test]
async fn a_key_is_taken_in_every_place_and_goes_no_further() {
    let upstream = provider().await;
    let plan = "{quotas: [{requests: 1000, per: day}], models: [m]}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    for (turn, place) in PLACES.into_iter().enumerate() {
        let chat = with(&gateway, "POST", "/v1/chat/completions", &[(place, KEY)]);
        served(&chat.json(CHAT).send().await);
        // The same list of models, the same counter, whatever the place.
        let message = with(&gateway, "POST", "/v1/messages", &[(place, KEY)]);
        let answer = message.json(MESSAGE).send().await;
        assert_eq!(answer.status, 403, "{place}: {}", answer.text());
        let limits = with(&gateway, "GET", "/v1/faregate/limits", &[(place, KEY)]);
        let limits = limits.send().await.value();
        assert_eq!(limits["limits"][0]["used"], turn + 1, "{place}");
        let models = with(&gateway, "GET", "/v1/models", &[(place, KEY)]);
        served(&models.send().await);
    }
    for seen in upstream.seen() {
        let everything = format!("{seen:?}");
        assert!(!everything.contains(KEY), "{everything}");
        assert_eq!(seen.headers["authorization"], "Bearer sk-upstream");
        assert_eq!(seen.target, "/v1/chat/completions");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn two_different_credentials_are_ambiguous_and_the_same_twice_is_one() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{}")).await;
    for first in PLACES {
        for second in PLACES {
            let pair = |other: &'static str| [(first, KEY), (second, other)];
            let chat = |pair: [(&str, &str); 2]| {
                with(&gateway, "POST", "/v1/chat/completions", &pair).json(CHAT)
            };
            // A client that is told to use one field may send another without a value.
            for other in [KEY, ""] {
                served(&chat(pair(other)).send().await);
            }
            let answer = chat(pair("another-key-of-nobody-at-all")).send().await;
            refused(&answer, 400, "ambiguous_credentials");
        }
    }
    // Everything after `Bearer `, and other schemes are no keys of ours.
    let scheme = gateway
        .call("GET", "/v1/models")
        .header("authorization", KEY);
    served(&scheme.send().await);
    let scheme = gateway
        .call("GET", "/v1/models")
        .header("authorization", &format!("Basic {KEY}"));
    refused(&scheme.send().await, 401, "invalid_api_key");
    gateway.stop().await;
}

/// An answer without what is different in every one.
fn common(answer: &Answer) -> (u16, Value) {
    let mut body = answer.value();
    for name in ["instance", "request_id"] {
        body[name] = Value::Null;
    }
    (answer.status.as_u16(), body)
}

#[tokio::test]
async fn unknown_and_revoked_keys_get_one_answer_and_expired_ones_a_date() {
    let upstream = provider().await;
    let rest = "\
plans: {p: {}}
accounts:
  - id: a
    plan: p
    keys:
      - {id: k, key: the-key-of-account-a-0001}
      - {id: late, key: a-key-that-ends-at-one-o-clock, expires_at: 2026-11-20T13:00:00Z}
";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    let secret = gateway.make_key(r#"{"account":"a","id":"made"}"#).await;
    served(&gateway.chat(&secret, CHAT).send().await);
    let gone = gateway.admin("DELETE", "/admin/v1/keys/made").send().await;
    served(&gone);

    let revoked = gateway.chat(&secret, CHAT).send().await;
    let unknown = gateway.chat("no-key-that-anybody-has", CHAT).send().await;
    refused(&unknown, 401, "invalid_api_key");
    assert_eq!(common(&revoked), common(&unknown));
    let none = gateway
        .call("POST", "/v1/chat/completions")
        .json(CHAT)
        .send()
        .await;
    refused(&none, 401, "invalid_api_key");
    for answer in [&revoked, &unknown, &none] {
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(
            answer.value()["billing"]["account"].is_null(),
            "{}",
            answer.text()
        );
    }

    let late = "a-key-that-ends-at-one-o-clock";
    gateway.pass(Duration::from_millis(3_599_999));
    served(&gateway.chat(late, CHAT).send().await);
    gateway.pass(Duration::from_millis(1));
    let expired = gateway.chat(late, CHAT).send().await;
    refused(&expired, 401, "invalid_api_key");
    assert!(
        expired.text().contains("2026-11-20T13:00:00Z"),
        "{}",
        expired.text()
    );
    // Every other door has the same lock.
    for path in ["/v1/models", "/v1/faregate/limits"] {
        let answer = gateway.call("GET", path).bearer(late).send().await;
        refused(&answer, 401, "invalid_api_key");
    }
    assert_eq!(upstream.seen().len(), 2);
    gateway.stop().await;
}

#[tokio::test]
async fn disabled_keys_and_accounts_are_refused_until_they_are_enabled() {
    let upstream = provider().await;
    let rest = "\
plans: {p: {}}
accounts:
  - {id: a, plan: p, keys: [{id: off, key: a-key-that-is-disabled-0001, disabled: true}]}
  - {id: b, plan: p, disabled: true, keys: [{id: b, key: a-key-of-a-disabled-account}]}
";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    for key in ["a-key-that-is-disabled-0001", "a-key-of-a-disabled-account"] {
        let answer = gateway.chat(key, CHAT).send().await;
        refused(&answer, 403, "permission_denied");
        assert!(answer.text().contains("disabled"), "{}", answer.text());
    }
    let secret = gateway
        .make_key(r#"{"account":"a","id":"made","disabled":true}"#)
        .await;
    refused(
        &gateway.chat(&secret, CHAT).send().await,
        403,
        "permission_denied",
    );
    for (disabled, status) in [(false, 200), (true, 403), (false, 200)] {
        let body = json!({ "disabled": disabled }).to_string();
        served(
            &gateway
                .admin("PATCH", "/admin/v1/keys/made")
                .json(&body)
                .send()
                .await,
        );
        assert_eq!(gateway.chat(&secret, CHAT).send().await.status, status);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn only_trusted_hops_say_where_a_call_comes_from() {
    let upstream = provider().await;
    let rest = "\
plans: {p: {}}
accounts:
  - id: a
    plan: p
    keys:
      - {id: office, key: a-key-for-the-office-only-1, allowed_ips: [203.0.113.0/24, \"2001:db8::/32\"]}
      - {id: here, key: a-key-for-this-machine-only, allowed_ips: [\"::ffff:127.0.0.1\"]}
";
    let proxied = format!(
        "server: {{listen: \"127.0.0.1:0\", trusted_proxies: [127.0.0.0/8, \"::ffff:10.0.0.0/104\"]}}\n{}",
        file(&upstream, rest)
    );
    let direct = Gateway::start(&file(&upstream, rest)).await;
    let gateway = Gateway::start(&proxied).await;
    let (office, here) = ("a-key-for-the-office-only-1", "a-key-for-this-machine-only");
    let cases: [(&[&str], u16); 16] = [
        (&[], 403),
        (&["203.0.113.9"], 200),
        // What a client says itself stands to the left of what the proxy added.
        (&["203.0.113.9, 198.51.100.1"], 403),
        (&["198.51.100.1, 203.0.113.9"], 200),
        (&["203.0.113.9, 10.1.2.3"], 200),
        (&["203.0.113.9, 198.51.100.1, 10.1.2.3"], 403),
        (&["203.0.113.9", "198.51.100.1"], 403),
        (&["198.51.100.1", "203.0.113.9", "10.1.2.3"], 200),
        (&["203.0.113.9, nonsense, 10.1.2.3"], 403),
        (&["nonsense, 203.0.113.9"], 200),
        (&["2001:db8::7"], 200),
        (&["::ffff:203.0.113.9"], 200),
        // Some proxies write the port too, as Azure's application gateways do.
        (&["203.0.113.9:51234"], 200),
        (&["203.0.113.9, 198.51.100.1:51234"], 403),
        (&["[2001:db8::7]:51234"], 200),
        (&["[2001:db8::7], 10.1.2.3:443"], 200),
    ];
    for (lines, status) in cases {
        let mut call = gateway.chat(office, CHAT);
        for line in lines {
            call = call.header("x-forwarded-for", line);
        }
        let answer = call.send().await;
        assert_eq!(answer.status, status, "{lines:?}: {}", answer.text());
        if status == 403 {
            refused(&answer, 403, "permission_denied");
        }
    }
    // Without trusted proxies the field is a client's claim and nothing more; nor do others of its kind count.
    for name in [
        "x-forwarded-for",
        "x-real-ip",
        "forwarded",
        "true-client-ip",
    ] {
        let forged = direct
            .chat(office, CHAT)
            .header(name, "203.0.113.9")
            .send()
            .await;
        refused(&forged, 403, "permission_denied");
        if name != "x-forwarded-for" {
            let forged = gateway
                .chat(office, CHAT)
                .header(name, "203.0.113.9")
                .send()
                .await;
            refused(&forged, 403, "permission_denied");
        }
    }
    let forged = direct
        .chat(here, CHAT)
        .header("x-forwarded-for", "203.0.113.9")
        .send()
        .await;
    served(&forged);
    // And nobody has the proxy's own address by coming through it.
    for from in ["198.51.100.1", "198.51.100.1:51234", "[2001:db8::1]:51234"] {
        let through = gateway
            .chat(here, CHAT)
            .header("x-forwarded-for", from)
            .send()
            .await;
        refused(&through, 403, "permission_denied");
    }
    direct.stop().await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_can_name_neither_its_check_nor_its_host_away() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{}")).await;
    // What `Connection` names ends here, but only after it was read.
    let named = gateway
        .chat("no-key-that-anybody-has", CHAT)
        .header("connection", "authorization, x-api-key, x-request-id");
    refused(&named.send().await, 401, "invalid_api_key");
    let named = gateway
        .call("POST", "/v1/chat/completions")
        .header(
            "connection",
            "x-api-key, authorization, content-type, x-request-id",
        )
        .header("x-api-key", KEY)
        .json(CHAT);
    let answer = named.send().await;
    served(&answer);
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(
        upstream.seen()[0].headers["authorization"],
        "Bearer sk-upstream"
    );
    // Fields that make other servers see another path, host or method.
    for (name, value) in [
        ("x-original-url", "/healthz"),
        ("x-rewrite-url", "/healthz"),
        ("x-forwarded-host", "elsewhere.example"),
        ("x-forwarded-prefix", "/admin"),
        ("x-http-method-override", "GET"),
        ("x-custom-host", "elsewhere.example"),
        ("openai-organization", "org-of-somebody"),
    ] {
        served(&gateway.chat(KEY, CHAT).header(name, value).send().await);
        let seen = upstream.seen().pop().unwrap();
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            ("POST", "/v1/chat/completions")
        );
        assert_eq!(seen.headers["host"], upstream.address.to_string());
        assert!(!seen.headers.contains_key("openai-organization"));
        assert!(!seen.headers.contains_key("x-forwarded-host"));
    }
    gateway.stop().await;
}

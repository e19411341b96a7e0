//! Names of models: where they go, and whose they are.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::json;

use crate::{
    fixture::{ACCOUNT, KEY, file, planned, provider, refused},
    harness::Gateway,
};

/// What is a path, a query, a line break, a template or another host to whoever puts a name into a URL.
const ODD: [&str; 20] = [
    "a/b",
    "../m",
    "m/../big",
    "m?x=y",
    "m#x",
    "m%2f..",
    "%2e%2e",
    "m\r\nx: y",
    "m\u{0}",
    "m\n",
    "m ",
    " m",
    "m\\..\\x",
    "//evil.test/m",
    "http://evil.test/m",
    "@evil.test",
    "m:generateContent",
    "\u{1f600}",
    "{{m}}",
    "${HOME}",
];

#[tokio::test]
async fn a_name_is_a_name_wherever_it_goes() {
    let upstream = provider().await;
    let url = upstream.url();
    // Every name is taken here, and goes to the provider as it is.
    let yaml = format!(
        "providers: {{up: {{kind: openai, base_url: \"{url}/v1\", api_key: sk-upstream}}}}\nplans: {{p: {{}}}}\n{ACCOUNT}\
         routes: [{{path: /}}, {{path: /openai, provider: up, strip_prefix: true}}]\n"
    );
    let gateway = Gateway::start(&yaml).await;
    let long = "x".repeat(4 << 10);
    for name in ODD.into_iter().chain([long.as_str()]) {
        for path in ["/v1/chat/completions", "/openai/v1/chat/completions"] {
            let before = upstream.count();
            let body = json!({"model": name, "messages": []}).to_string();
            let answer = gateway
                .call("POST", path)
                .bearer(KEY)
                .json(&body)
                .send()
                .await;
            if upstream.count() == before {
                assert!(
                    matches!(answer.status.as_u16(), 400 | 404),
                    "{name:?}: {}",
                    answer.text()
                );
                continue;
            }
            let seen = upstream.seen().pop().unwrap();
            assert_eq!(
                (seen.method.as_str(), seen.target.as_str()),
                ("POST", "/v1/chat/completions"),
                "{name:?}"
            );
            assert_eq!(seen.json()["model"], name);
            assert_eq!(seen.headers["host"], upstream.address.to_string());
        }
        // In a path it is one segment, or it is refused.
        let escaped = utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
        let before = upstream.count();
        let answer = gateway
            .call("GET", &format!("/v1/models/{escaped}"))
            .bearer(KEY)
            .send()
            .await;
        if upstream.count() == before {
            assert!(
                matches!(answer.status.as_u16(), 400 | 404 | 414),
                "{name:?}: {}",
                answer.text()
            );
            continue;
        }
        let target = upstream.seen().pop().unwrap().target;
        let segment = target.strip_prefix("/v1/models/").unwrap();
        assert!(!segment.contains(['/', '?', '#', '\\']), "{target}");
        assert_eq!(percent_decode_str(segment).decode_utf8().unwrap(), name);
    }
    gateway.all_settled(&upstream, KEY).await;
    gateway.stop().await;
}

#[tokio::test]
async fn who_may_use_one_model_may_not_use_another_by_any_spelling() {
    let upstream = provider().await;
    let rest = "\
plans: {p: {models: [m]}, all: {}}
accounts: [{id: a, plan: p, keys: [{id: k, key: the-key-of-account-a-0001}]}]
routes: [{path: /}, {path: /openai, provider: up, strip_prefix: true}]
";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    for name in [
        // The one that is not in the plan, by its names at both sides, in other cases and other letters that look the same.
        "big",
        "real-big",
        "BIG",
        "Big",
        "big ",
        " big",
        "big\u{200b}",
        "\u{feff}big",
        "b\u{456}g",
        "\u{ff42}\u{ff49}\u{ff47}",
        "bi\u{301}g",
        "big\u{0}",
        "big\n",
        "m,big",
        "m|big",
        "m/big",
        "up/big",
        "openai/big",
        "big:latest",
        "big@m",
        // The one that is, so written that some provider might take it for another.
        "M",
        "m ",
        " m",
        "m\u{200b}",
        "m\u{0}big",
        "\u{ff4d}",
        "m\u{202e}gib",
    ] {
        for path in ["/v1/chat/completions", "/openai/v1/chat/completions"] {
            let body = json!({"model": name, "messages": []}).to_string();
            let answer = gateway
                .call("POST", path)
                .bearer(KEY)
                .json(&body)
                .send()
                .await;
            let status = answer.status.as_u16();
            assert!(
                matches!(status, 400 | 402 | 403 | 404),
                "{name:?} on {path}: {status} {}",
                answer.text()
            );
        }
    }
    assert_eq!(upstream.count(), 0);
    gateway.all_settled(&upstream, KEY).await;
    gateway.stop().await;
}

#[tokio::test]
async fn another_provider_is_no_way_around_the_models_of_a_plan() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{models: [m]}")).await;
    // A model of the other dialect, by either path and either name.
    for (path, model) in [
        ("/v1/messages", "c"),
        ("/v1/messages", "real-c"),
        ("/v1/chat/completions", "c"),
        ("/v1/responses", "big"),
        ("/v1/completions", "big"),
        ("/v1/embeddings", "big"),
        ("/v1/messages/count_tokens", "c"),
    ] {
        let body =
            json!({"model": model, "max_tokens": 5, "messages": [], "input": "x", "prompt": "x"})
                .to_string();
        let answer = gateway
            .call("POST", path)
            .bearer(KEY)
            .json(&body)
            .send()
            .await;
        assert!(
            matches!(answer.status.as_u16(), 400 | 403 | 404),
            "{path} {model}: {}",
            answer.text()
        );
    }
    refused(
        &gateway
            .chat(KEY, r#"{"model":"big","messages":[]}"#)
            .send()
            .await,
        403,
        "permission_denied",
    );
    assert_eq!(upstream.count(), 0);
    gateway.stop().await;
}

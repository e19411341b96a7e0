//! Bodies that two readers could understand differently, and bodies that name a host.

use tokio::net::TcpListener;

use crate::{
    fixture::{CHAT, KEY, file, planned, provider, refused, served},
    harness::{Gateway, Upstream},
};

#[tokio::test]
async fn a_client_names_no_host_in_its_body_its_fields_or_its_query() {
    let upstream = provider().await;
    // Nobody has to come here: not for a base URL, not for an image, not for a callback.
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = format!("http://{}", elsewhere.local_addr().unwrap());
    let routes = "routes: [{path: /}, {path: /openai, provider: up, strip_prefix: true}]\n";
    let gateway = Gateway::start(&(planned(&upstream, "{}") + routes)).await;
    for member in [
        "api_base",
        "base_url",
        "baseUrl",
        "api_url",
        "endpoint",
        "custom_host",
        "host",
        "proxy",
        "proxies",
        "callback_url",
        "webhook",
        "custom_llm_provider",
        "api_key",
        "organization",
        "extra_headers",
        "litellm_params",
        "mock_response",
    ] {
        for value in [
            format!("\"{there}\""),
            format!("{{\"api_base\":\"{there}\"}}"),
            format!("[\"{there}\"]"),
        ] {
            let body = format!(r#"{{"model":"m","{member}":{value},"messages":[]}}"#);
            let answer = gateway.chat(KEY, &body).send().await;
            served(&answer);
            assert_eq!(
                upstream.seen().pop().unwrap().target,
                "/v1/chat/completions",
                "{member}"
            );
        }
    }
    let image = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{there}/x.png"}}}}]}}]}}"#
    );
    served(&gateway.chat(KEY, &image).send().await);
    for name in [
        "x-portkey-custom-host",
        "x-custom-host",
        "x-api-base",
        "x-base-url",
        "x-upstream-host",
        "x-forwarded-host",
        "x-forwarded-server",
        "x-host",
        "x-real-host",
        "x-original-host",
        "x-original-url",
        "x-rewrite-url",
        "forwarded",
        "proxy",
        "x-proxy-url",
        "x-llm-provider",
        "helicone-target-url",
        "helicone-openai-api-base",
        "x-target-url",
        "api-base",
        "destination",
        "via",
        "max-forwards",
    ] {
        for path in [
            "/v1/chat/completions",
            "/openai/v1/chat/completions",
            "/openai/v1/files",
        ] {
            let call = gateway.call("POST", path).bearer(KEY).json(CHAT);
            served(&call.header(name, &there).send().await);
            let seen = upstream.seen().pop().unwrap();
            assert_eq!(seen.headers["host"], upstream.address.to_string(), "{name}");
            assert_eq!(seen.headers["authorization"], "Bearer sk-upstream");
        }
    }
    for query in [
        format!("api_base={there}"),
        format!("base_url={there}&host={there}"),
    ] {
        let path = format!("/v1/chat/completions?{query}");
        served(
            &gateway
                .call("POST", &path)
                .bearer(KEY)
                .json(CHAT)
                .send()
                .await,
        );
    }
    // Whatever was asked for, nobody went there.
    let visited = futures_util::FutureExt::now_or_never(elsewhere.accept());
    assert!(visited.is_none(), "somebody went where a client said");
    gateway.all_settled(&upstream, KEY).await;
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_checked_is_what_is_forwarded() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{models: [m]}")).await;
    // Each has a second meaning for some reader: the last of two members, the one without regard to case, what an escape
    // stands for, what follows the first document, what another character set makes of the bytes.
    for body in [
        r#"{"model":"m","model":"big"}"#,
        r#"{"model":"big","model":"m"}"#,
        r#"{"model":"m","Model":"big"}"#,
        r#"{"model":"m","MODEL":"big"}"#,
        r#"{"model":"m","mod\u0065l":"big"}"#,
        r#"{"m\u006fdel":"m","model":"big"}"#,
        r#"{"model":"m","messages":[],"messages":[1]}"#,
        r#"{"model":"m","stream":false,"Stream":true}"#,
        r#"{"model":"m","max_tokens":1,"max_tokens":9}"#,
        r#"{"model":"m","n":1,"N":100}"#,
        "{\"model\":\"m\"}{\"model\":\"big\"}",
        "{\"model\":\"m\"}\n{\"model\":\"big\"}",
        "\u{feff}{\"model\":\"m\"}",
        "{\"model\":\"m\"}\u{0}",
        "{\"model\":\"m\",}",
        "{'model':'m'}",
        "{model:\"m\"}",
        "{\"model\":\"m\" /* big */}",
        "{\"model\":\"m\",\"x\":NaN}",
        "{\"model\":\"m\",\"x\":1e}",
        "{\"model\":\"m\",\"x\":01}",
        "{\"model\":\"m\",\"x\":\"\t\"}",
        "{\"model\":\"m\",\"x\":\"\\x41\"}",
        "{\"model\":\"m\",\"x\":\"\\ud800\"}",
        "[{\"model\":\"m\"}]",
        "\"model\"",
        "{\"\\u006dodel\":\"big\",\"model\":\"m\"}",
    ] {
        let answer = gateway.chat(KEY, body).send().await;
        if body.contains("ud800") && answer.status == 200 {
            // A lone surrogate is no text, and no reader of ours needs it: it passes as it came.
            assert_eq!(
                upstream.seen().pop().unwrap().body,
                body.replace("\"m\"", "\"real-m\"").as_bytes()
            );
            continue;
        }
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    }
    let bytes = |encoded: Vec<u8>| {
        gateway
            .call("POST", "/v1/chat/completions")
            .bearer(KEY)
            .body(encoded)
    };
    let wide: Vec<u8> = CHAT.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let broken = [b"{\"model\":\"m\",\"x\":\"".as_slice(), b"\xff\xfe\"}"].concat();
    for body in [wide, broken] {
        let answer = bytes(body)
            .header("content-type", "application/json")
            .send()
            .await;
        refused(&answer, 400, "invalid_json");
    }
    let before = upstream.count();
    for (kind, taken) in [
        ("application/json", true),
        ("application/json; charset=utf-8", true),
        ("application/json; charset=utf-16", false),
        ("application/x-www-form-urlencoded", false),
        ("multipart/form-data; boundary=b", false),
        ("text/plain", false),
        ("application/xml", false),
    ] {
        let form = r#"{"model":"m","messages":[],"x":"&model=big&"}"#;
        let answer = gateway.call("POST", "/v1/chat/completions").bearer(KEY);
        let answer = answer.header("content-type", kind).body(form).send().await;
        if taken {
            served(&answer);
            assert_eq!(upstream.seen().pop().unwrap().headers["content-type"], kind);
        } else {
            refused(&answer, 400, "invalid_header");
            assert!(
                answer.text().contains("application/json"),
                "{}",
                answer.text()
            );
        }
    }
    assert_eq!(upstream.count(), before + 2);
    gateway.all_settled(&upstream, KEY).await;
    gateway.stop().await;
}

/// A form on a provider's route is the provider's own: nothing in it is checked, so nothing can differ.
#[tokio::test]
async fn a_form_passes_where_nothing_is_read_and_only_there() {
    let upstream = provider().await;
    let rest = "\
plans: {p: {}, metered: {quotas: [{tokens: 1000, per: day}]}}
accounts:
  - {id: a, plan: p, keys: [{id: k, key: the-key-of-account-a-0001}]}
  - {id: b, plan: metered, keys: [{id: l, key: the-key-of-account-b-0001}]}
routes: [{path: /}, {path: /openai, provider: up, strip_prefix: true}]
";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    let twice = "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nbig\r\n--b--\r\n";
    let send = async |gateway: &Gateway, upstream: &Upstream, path: &str, key: &str| {
        let before = upstream.count();
        let call = gateway.call("POST", path).bearer(key);
        let answer = call
            .header("content-type", "multipart/form-data; boundary=b")
            .body(twice)
            .send()
            .await;
        (answer.status.as_u16(), upstream.count() - before)
    };
    assert_eq!(
        send(&gateway, &upstream, "/openai/v1/audio/transcriptions", KEY).await,
        (200, 1)
    );
    // Where tokens are counted, what is not understood needs a meter of its own.
    let metered = send(
        &gateway,
        &upstream,
        "/openai/v1/audio/transcriptions",
        "the-key-of-account-b-0001",
    )
    .await;
    assert_eq!(metered, (403, 0));
    assert_eq!(
        send(&gateway, &upstream, "/v1/audio/transcriptions", KEY).await,
        (404, 0)
    );
    assert_eq!(
        send(&gateway, &upstream, "/openai/v1/chat/completions", KEY).await,
        (400, 0)
    );
    gateway.stop().await;
}

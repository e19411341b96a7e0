//! Calls that are understood: what reaches the provider, byte for byte, and what comes back.

use crate::harness::{Gateway, KEY, LIMITED, Upstream, json, raw_until_close, shared_config};

const ANSWER: &str = r#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;

/// Whitespace, order, unknown members, large and exact numbers, escapes and repeated unknown names that a JSON library
/// would not write back as they were.
const ODD: &str = "{ \"messages\" :\t[ {\"role\":\"user\",\"content\":\"h\\u00e9\\/\\ud83d\\ude00 \u{e9}\"} ],\r\n \
                   \"seed\": 12345678901234567890123456789, \"temperature\":1.00000000000000000001e-0, \
                   \"x_unknown\" : {\"b\":1,\"a\":2,\"a\":3}, \"empty\":{ }, \"model\" : \"m\" , \"z\":-0 }\n ";

#[tokio::test]
async fn only_the_models_name_changes_where_nothing_limits_tokens() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let answer = gateway.chat(KEY, ODD).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.text(), ANSWER);
    let expected = ODD.replace("\"m\"", "\"real-m\"");
    let seen = &upstream.seen()[0];
    assert_eq!(String::from_utf8_lossy(&seen.body), expected);
    assert_eq!(
        seen.headers["content-length"],
        expected.len().to_string(),
        "{}",
        seen.head
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_token_quota_adds_the_output_limit_and_nothing_else() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    gateway.chat(LIMITED, ODD).send().await;
    let own = ODD.replace("\"z\":-0", "\"max_tokens\":17");
    gateway.chat(LIMITED, &own).send().await;
    let seen = upstream.seen();
    let first = String::from_utf8_lossy(&seen[0].body).into_owned();
    // The limit is the one thing more; without it the text is the client's.
    assert!(first.contains("\"max_completion_tokens\":5000"), "{first}");
    let without = first
        .replace("\"max_completion_tokens\":5000", "")
        .replace(',', "");
    assert_eq!(without, ODD.replace("\"m\"", "\"real-m\"").replace(',', ""));
    // A client's own limit stays as it is.
    let second = String::from_utf8_lossy(&seen[1].body).into_owned();
    assert_eq!(second, own.replace("\"m\"", "\"real-m\""));
    gateway.nothing_held(LIMITED).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_stream_is_asked_for_its_usage() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let bodies = [
        (r#"{"model":"m","stream":true}"#, None),
        (r#"{"model":"m","stream":true,"stream_options":null}"#, None),
        (r#"{"model":"m","stream":true,"stream_options":{}}"#, None),
        (
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":null,"x":1}}"#,
            Some(1),
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":{"x":1,"include_usage":false}}"#,
            Some(1),
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true,"x":1}}"#,
            Some(1),
        ),
    ];
    for (body, _) in bodies {
        gateway.chat(KEY, body).send().await;
    }
    for (seen, (body, x)) in upstream.seen().iter().zip(bodies) {
        let options = &seen.json()["stream_options"];
        assert_eq!(options["include_usage"], true, "{body}");
        assert_eq!(options["x"].as_i64(), x, "{body}");
    }
    // What is no stream has no stream options, and responses and messages tell their usage by themselves.
    gateway.chat(KEY, r#"{"model":"m"}"#).send().await;
    let stream = r#"{"model":"m","stream":true}"#;
    let responses = gateway.call("POST", "/v1/responses").bearer(KEY);
    responses.json(stream).send().await;
    let message = r#"{"model":"c","stream":true,"max_tokens":5}"#;
    let messages = gateway.call("POST", "/v1/messages").bearer(KEY);
    messages.json(message).send().await;
    for seen in &upstream.seen()[bodies.len()..] {
        assert!(seen.json().get("stream_options").is_none(), "{seen:?}");
    }
    assert_eq!(upstream.seen().len(), bodies.len() + 3);
    gateway.stop().await;
}

#[tokio::test]
async fn every_known_endpoint_reaches_its_path_with_its_credential() {
    let upstream = Upstream::answering("200 OK", "{}").await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let cases = [
        ("/v1/chat/completions", "m", "/v1/chat/completions"),
        ("/chat/completions", "m", "/v1/chat/completions"),
        ("/v1/completions", "m", "/v1/completions"),
        ("/v1/responses?a=%20b&&c", "m", "/v1/responses?a=%20b&&c"),
        ("/v1/embeddings?", "m", "/v1/embeddings?"),
        ("/v1/messages?beta=true", "c", "/v1/messages?beta=true"),
        (
            "/v1/messages/count_tokens",
            "c",
            "/v1/messages/count_tokens",
        ),
        ("/raw/v1/chat/completions", "m", "/v1/chat/completions"),
        ("/raw/chat/completions", "real-m", "/v1/chat/completions"),
        ("/ant/v1/messages", "c", "/v1/messages"),
    ];
    for (path, model, _) in cases {
        let body = format!(r#"{{"model":"{model}"}}"#);
        let answer = gateway
            .call("POST", path)
            .header("x-api-key", KEY)
            .json(&body)
            .send()
            .await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    for (seen, (path, model, target)) in upstream.seen().iter().zip(cases) {
        assert_eq!(seen.target, target, "{path}");
        assert_eq!(seen.headers["accept-encoding"], "identity", "{path}");
        let expected = if matches!(model, "c") {
            "real-c"
        } else {
            "real-m"
        };
        assert_eq!(seen.json()["model"], expected, "{path}");
        let credential = if model == "c" {
            ("x-api-key", "sk-ant-upstream")
        } else {
            ("authorization", "Bearer sk-upstream")
        };
        assert_eq!(seen.headers[credential.0], credential.1, "{path}");
        assert!(!seen.head.contains(KEY), "{path}: {}", seen.head);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_not_passed_on() {
    let target = Upstream::answering("200 OK", ANSWER).await;
    let url = target.url();
    let upstream = Upstream::start(move |_| {
        let head = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {url}/v1/chat/completions\r\ncontent-length: 0\r\n\r\n");
        vec![crate::harness::Step::Send(head.into_bytes())]
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let answer = gateway.chat(LIMITED, r#"{"model":"m"}"#).send().await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (502, "upstream_invalid_response")
    );
    assert!(answer.header("location").is_none());
    assert!(target.seen().is_empty());
    let call = &gateway.calls(1).await[0];
    assert_eq!(
        (call["outcome"].as_str(), call["status"].as_u64()),
        (Some("upstream_failed"), Some(502))
    );
    gateway.nothing_held(LIMITED).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_compressed_body_that_has_to_be_read_is_refused() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    for (path, coding) in [
        ("/v1/chat/completions", "gzip"),
        ("/raw/v1/embeddings", "br"),
        ("/v1/messages/count_tokens", "deflate, gzip"),
    ] {
        let answer = gateway
            .call("POST", path)
            .bearer(KEY)
            .header("content-encoding", coding)
            .body(&b"\x1f\x8b\x08"[..])
            .send()
            .await;
        assert_eq!(answer.status, 415, "{path}");
        assert_eq!(answer.code(), "unsupported_content_encoding", "{path}");
    }
    assert!(upstream.seen().is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_gets_it_only_when_its_body_is_wanted() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let request = |key: &str| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nexpect: 100-continue\r\n\
             connection: close\r\ncontent-length: 13\r\n\r\n{{\"model\":\"m\"}}"
        )
    };
    let answer = raw_until_close(gateway.address, request(KEY).as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"),
        "{answer}"
    );
    assert!(!upstream.seen()[0].headers.contains_key("expect"));
    let answer = raw_until_close(gateway.address, request("nobodys").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(!answer.contains("100 Continue"), "{answer}");
    gateway.stop().await;
}

#[tokio::test]
async fn the_answers_own_fields_come_through() {
    let upstream = Upstream::start(|_| {
        let body = "{}";
        let mut steps = json("200 OK", body);
        let head = "HTTP/1.1 200 OK\r\nx-request-id: req_theirs\r\nopenai-processing-ms: 17\r\ncontent-type: application/json\r\n\
                    set-cookie: a=b\r\nalt-svc: h3=\":443\"\r\nconnection: x-private\r\nx-private: 1\r\ncontent-length: 2\r\n\r\n{}";
        steps[0] = crate::harness::Step::Send(head.as_bytes().to_vec());
        steps
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let answer = gateway
        .chat(KEY, r#"{"model":"m"}"#)
        .header("x-request-id", "req_clients")
        .send()
        .await;
    assert_eq!(answer.header("x-upstream-request-id"), Some("req_theirs"));
    assert_eq!(answer.header("openai-processing-ms"), Some("17"));
    let ours = answer.header("x-request-id").unwrap();
    assert!(ours.len() == 36 && ours.as_bytes()[14] == b'7', "{ours}");
    for gone in ["set-cookie", "alt-svc", "x-private"] {
        assert!(answer.header(gone).is_none(), "{gone}");
    }
    assert!(!upstream.seen()[0].head.contains("req_clients"));
    let record = &gateway.records(1).await[0];
    assert_eq!(record["client_request_id"], "req_clients");
    assert_eq!(record["upstream_request_id"], "req_theirs");
    assert_eq!(record["request_id"], ours);
    gateway.stop().await;
}

#[tokio::test]
async fn what_a_provider_tells_us_as_its_client_is_not_told_to_ours() {
    // Another gateway's words about our account there, limits of Mistral's, Together's and Cohere's, and what binds a host in
    // browsers.
    const THEIRS: [&str; 11] = [
        "faregate-notice: budget; scope=account; unit=usd; per=month; used=812.00; limit=1000.00",
        "faregate-max-output-tokens: 7",
        "x-ratelimitbysize-remaining-month: 1999999",
        "x-tokenlimit-remaining: 179999",
        "x-endpoint-monthly-call-limit: 1000",
        "x-trial-endpoint-call-remaining: 19",
        "anthropic-fast-input-tokens-remaining: 10000",
        "nel: {\"report_to\":\"cf-nel\",\"max_age\":604800}",
        "report-to: {\"group\":\"cf-nel\",\"max_age\":604800,\"endpoints\":[{\"url\":\"https://collector.example\"}]}",
        "reporting-endpoints: default=\"https://collector.example\"",
        "clear-site-data: \"*\"",
    ];
    let upstream = Upstream::start(|_| {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{}\r\nx-kept: yes\r\ncontent-length: 2\r\n\r\n{{}}",
            THEIRS.join("\r\n")
        );
        vec![crate::harness::Step::Send(head.into_bytes())]
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    for (method, path) in [("POST", "/v1/chat/completions"), ("GET", "/raw/v1/files")] {
        let call = gateway.call(method, path).bearer(KEY);
        let answer = call.json(r#"{"model":"m"}"#).send().await;
        assert_eq!(answer.header("x-kept"), Some("yes"), "{}", answer.text());
        for field in THEIRS {
            let (name, _) = field.split_once(':').unwrap();
            assert_eq!(answer.header(name), None, "{path} {name}");
        }
    }
    gateway.stop().await;
}

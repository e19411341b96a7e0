//! Words of a client or of a provider never become lines of a head, and what is of one hop stays there.

use serde_json::json;

use crate::harness::{
    Gateway, HEALTHY, KEY, Step, Upstream, raw_until_close, shared_config, unharmed, watch_panics,
};

/// Asserts that every line of a head is one field, and that none is the injected one.
#[track_caller]
fn plain(answer: &str) {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    for line in head.split("\r\n").skip(1) {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{line:?}"));
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(name.bytes().all(token), "{line:?}");
        assert!(!value.contains(['\r', '\n', '\0']), "{line:?}");
        assert!(!name.eq_ignore_ascii_case("x-injected"), "{head}");
    }
}

const CLOSE: &str = "Connection: close\r\n";

fn post(path: &str, fields: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n{CLOSE}{fields}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[tokio::test]
async fn what_a_client_says_is_never_a_line_of_a_head() {
    watch_panics();
    let upstream = Upstream::answering("200 OK", "{}").await;
    let cors = "server: {listen: \"127.0.0.1:0\", cors: {origins: [\"*\"]}}\n";
    let gateway = Gateway::start(&(cors.to_owned() + &shared_config(&upstream.url(), ""))).await;
    let mut told = String::new();
    let long = "y".repeat(10_000);
    for words in [
        "m\r\nX-Injected: y",
        "m\nX-Injected: y",
        "m\rX-Injected: y",
        "m\0X-Injected: y",
        "m\u{2028}X-Injected: y",
        "m\u{85}X-Injected: y",
        "\u{202e}m",
        "m%0d%0aX-Injected: y",
        "{{model}} ${model} %s",
        &long,
    ] {
        let bodies = [
            json!({"model": words}).to_string(),
            json!({"model": "m", "user": words, "metadata": {words: words}}).to_string(),
            json!({"model": "m", "max_tokens": words}).to_string(),
            json!({words: words}).to_string(),
        ];
        for body in &bodies {
            for path in [
                "/v1/chat/completions",
                "/v1/messages",
                "/v1/faregate/preflight",
            ] {
                let answer = raw_until_close(gateway.address, &post(path, "", body)).await;
                plain(&answer);
                told.push_str(&answer);
            }
        }
    }
    // Fields that come back in one form or another.
    for fields in [
        "Origin: https://page.test%0d%0aX-Injected: y\r\n",
        "Origin: \x7f\r\n",
        "X-Request-Id: a%0d%0aX-Injected: y\r\n",
        "X-Request-Id: \u{e4}\u{202e}\r\n",
        "Idempotency-Key: \"a\\r\\nX-Injected: y\"\r\n",
        "Accept: text/html\\r\\nX-Injected: y\r\n",
        "Traceparent: 00-%0d%0aX-Injected-01\r\n",
        "Anthropic-Version: \\r\\nX-Injected: y\r\n",
    ] {
        for path in ["/v1/chat/completions", "/raw/v1/files"] {
            let answer = raw_until_close(gateway.address, &post(path, fields, HEALTHY)).await;
            plain(&answer);
            told.push_str(&answer);
        }
    }
    let asked = format!(
        "OPTIONS /v1/models HTTP/1.1\r\nHost: x\r\n{CLOSE}Origin: https://page.test\r\n\
         Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: a%0d%0aX-Injected: y\r\n\r\n"
    );
    plain(&raw_until_close(gateway.address, asked.as_bytes()).await);
    for seen in upstream.seen() {
        super::probe::one_meaning(&seen).unwrap_or_else(|why| panic!("{why}: {}", seen.head));
        assert!(!seen.head.to_ascii_lowercase().contains("\nx-injected"));
    }
    unharmed(&gateway, &upstream, &told).await;
    gateway.stop().await;
}

#[tokio::test]
async fn what_a_provider_says_is_one_field_or_nothing() {
    watch_panics();
    for (line, passes) in [
        ("x-a: b\rx-injected: y", false),
        ("x-a: b\r\r\nx-b: c", false),
        ("x-a: b\0c", false),
        ("x-a: b\x0bc", false),
        ("x-a: b\x7fc", false),
        ("x-a: b\r\n x-injected: y", false),
        ("x-a : b", false),
        ("x\0a: b", false),
        (": b", false),
        ("x-a", false),
        ("x-a: b\nx-b: c", false),
        ("x-a: \u{e4}", true),
    ] {
        let upstream = Upstream::start(move |seen| {
            let line = if seen.head.contains("x-ask: wrong") {
                line
            } else {
                "x-a: b"
            };
            vec![Step::Send(
                format!("HTTP/1.1 200 OK\r\n{line}\r\ncontent-length: 2\r\n\r\n{{}}").into_bytes(),
            )]
        })
        .await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        let mut told = String::new();
        for path in ["/v1/chat/completions", "/raw/v1/files"] {
            let asked = post(path, "X-Ask: wrong\r\n", HEALTHY);
            let answer = raw_until_close(gateway.address, &asked).await;
            plain(&answer);
            let status = if passes { "200" } else { "502" };
            assert_eq!(answer.get(9..12), Some(status), "{line:?} {answer}");
            if !passes {
                assert!(answer.contains("upstream_invalid_response"), "{answer}");
            }
            told.push_str(&answer);
        }
        unharmed(&gateway, &upstream, &told).await;
        // What was wrong once is never asked on that connection again.
        let connections = if passes { 1 } else { 3 };
        assert_eq!(*upstream.connections.borrow(), connections, "{line:?}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn what_a_provider_says_of_its_hop_does_not_come_back() {
    watch_panics();
    let upstream = Upstream::start(|_| {
        let head = "HTTP/1.1 200 OK\r\nconnection: x-named, keep-alive, content-type\r\nx-named: theirs\r\n\
                    keep-alive: timeout=5\r\nproxy-authenticate: Basic\r\nproxy-connection: keep-alive\r\nte: theirs\r\n\
                    trailer: x-sum\r\nupgrade: h2c\r\ncontent-type: text/theirs\r\nset-cookie: theirs\r\n\
                    strict-transport-security: max-age=1\r\nx-kept: yes\r\ntransfer-encoding: chunked\r\n\r\n";
        vec![Step::Send(
            format!("{head}2\r\n{{}}\r\n0\r\nx-sum: theirs\r\nset-cookie: theirs\r\n\r\n")
                .into_bytes(),
        )]
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let mut told = String::new();
    for path in ["/v1/chat/completions", "/raw/v1/files"] {
        let answer =
            raw_until_close(gateway.address, &post(path, "TE: trailers\r\n", HEALTHY)).await;
        plain(&answer);
        let lower = answer.to_ascii_lowercase();
        for gone in [
            "theirs",
            "keep-alive",
            "proxy-",
            "\r\nte:",
            "trailer",
            "upgrade",
            "x-sum",
            "strict-transport",
        ] {
            assert!(!lower.contains(gone), "{gone}: {answer}");
        }
        assert!(lower.contains("\r\nx-kept: yes\r\n"), "{answer}");
        assert_eq!(lower.matches("transfer-encoding").count(), 1, "{answer}");
        assert!(!lower.contains("content-length"), "{answer}");
        told.push_str(&answer);
    }
    unharmed(&gateway, &upstream, &told).await;
    gateway.stop().await;
}

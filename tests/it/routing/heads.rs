use super::{KEY, Raw, gateway, provider, request, send};

/// A request of these lines; the connection is closed after it.
fn lines(first: &str, fields: &[&str]) -> String {
    let fields = fields.join("\r\n");
    format!("{first}\r\n{fields}\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n\r\n")
}

fn outcome(answer: &Raw) -> (u16, String) {
    (answer.status, answer.code())
}

#[tokio::test]
async fn there_is_one_host_and_it_is_plain() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let get = "GET /v1/models HTTP/1.1";
    let long = format!("host: {}", "a".repeat(256));
    let bad: [(&str, &[&str]); 22] = [
        (get, &["x: y"]),
        (get, &["host: "]),
        (get, &["host: user@gateway.test"]),
        (get, &["host: gateway.test/x"]),
        (get, &["host: gateway.test?x"]),
        (get, &["host: gateway.test#x"]),
        (get, &["host: a.test,b.test"]),
        (get, &["host: a test"]),
        (get, &["host: a.test", "host: b.test"]),
        (get, &["host: a.test", "host: a.test"]),
        (get, &["host: a\"b"]),
        (get, &["host: gateway.test:http"]),
        (get, &["host: gateway.test:80:80"]),
        (get, &["host: :80"]),
        (get, &["host: ::1"]),
        (get, &["host: [::1"]),
        (get, &["host: [::1]80"]),
        (get, &["host: gateway.test]"]),
        (get, &["host: []"]),
        (get, &[&long]),
        ("GET http://a.test/v1/models HTTP/1.1", &["host: b.test"]),
        (
            "GET http://user@a.test/v1/models HTTP/1.1",
            &["host: a.test"],
        ),
    ];
    for (first, fields) in bad {
        let answer = send(gateway.address, lines(first, fields)).await;
        assert_eq!(
            outcome(&answer),
            (400, "invalid_host".to_owned()),
            "{first} {fields:?}"
        );
    }
    let good: [(&str, &[&str]); 7] = [
        (get, &["host: gateway.test"]),
        (get, &["host: admin.local:99"]),
        (get, &["host: [::1]:8402"]),
        (get, &["host: gateway.test:"]),
        (get, &["host: 127.0.0.1"]),
        ("GET http://a.test/v1/models HTTP/1.1", &["host: A.test"]),
        (
            "GET http://a.test:80/v1/models?x HTTP/1.1",
            &["host: a.test:80"],
        ),
    ];
    for (first, fields) in good {
        let answer = send(gateway.address, lines(first, fields)).await;
        assert_eq!(outcome(&answer), (200, String::new()), "{first} {fields:?}");
    }
    // Whatever the host is called, the key is asked for.
    for host in ["admin.local", "localhost", "127.0.0.1:8403", "metrics"] {
        let answer = send(
            gateway.address,
            format!("{get}\r\nhost: {host}\r\nconnection: close\r\n\r\n"),
        )
        .await;
        assert_eq!(
            outcome(&answer),
            (401, "invalid_api_key".to_owned()),
            "{host}"
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_target_is_a_path_of_plain_characters() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    // What hyper's own parser refuses has no body, and so no code.
    for (target, code) in [
        ("/v1/models?q=\"x\"", ""),
        ("/v1/models?q=<x>", ""),
        ("/v1/models?q={x}", "invalid_target"),
        ("/v1/models?q=^", "invalid_target"),
        ("/v1/models?q=`", "invalid_target"),
        ("/v1/models?q=\\", "invalid_target"),
        ("/v1/models?q=\u{e4}", "invalid_target"),
        ("/v1/models/\u{e4}", "invalid_target"),
        ("/v1/models/\"x\"", "invalid_target"),
        // A path with two meanings.
        ("/v1\\models", "invalid_path"),
        ("*", "invalid_target"),
        ("v1/models", ""),
        // Another host than the field's.
        ("gateway.test:80", "invalid_host"),
        ("/v1/models x", ""),
        ("/v1/mo\tdels", ""),
        ("?q", ""),
        ("", ""),
    ] {
        let answer = send(gateway.address, request("GET", target)).await;
        assert_eq!(outcome(&answer), (400, code.to_owned()), "{target:?}");
    }
    // hyper drops a fragment before anybody sees it: the request is the one without.
    for target in ["/v1/models#x", "/v1/models?q#x"] {
        let answer = send(gateway.address, request("GET", target)).await;
        assert_eq!(outcome(&answer), (200, String::new()), "{target:?}");
    }
    for query in [
        "?q=a%20b",
        "?a[b]=c",
        "?a=b|c",
        "?a='b'",
        "?a=b/c?d:e@f",
        "?%zz",
        "?",
    ] {
        let answer = send(
            gateway.address,
            request("GET", &format!("/v1/models{query}")),
        )
        .await;
        assert_eq!(answer.status, 200, "{query}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn framing_has_one_meaning() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let post = "POST /v1/chat/completions HTTP/1.1";
    let body = "2\r\n{}\r\n0\r\n\r\n";
    let cases: [(&[&str], &[u16]); 9] = [
        (&["content-length: 2", "transfer-encoding: chunked"], &[400]),
        (&["transfer-encoding: gzip, chunked"], &[400, 501]),
        (&["transfer-encoding: chunked, chunked"], &[400, 501]),
        (&["transfer-encoding: chunked, gzip"], &[400, 501]),
        (&["transfer-encoding: identity"], &[400, 501]),
        (&["content-length: 2", "content-length: 3"], &[400]),
        (&["content-length: +2"], &[400]),
        (&["transfer_encoding: chunked"], &[400]),
        (&["content_length: 2"], &[400]),
    ];
    for (fields, statuses) in cases {
        let fields = ["host: gateway.test"]
            .into_iter()
            .chain(fields.iter().copied())
            .collect::<Vec<_>>();
        let answer = send(gateway.address, lines(post, &fields) + body).await;
        assert!(statuses.contains(&answer.status), "{fields:?} {answer:?}");
    }
    assert_eq!(upstream.seen().len(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_head_has_its_bounds() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let target = |bytes: usize| format!("/v1/models?{}", "x".repeat(bytes - "/v1/models?".len()));
    let answer = send(gateway.address, request("GET", &target(8192))).await;
    assert_eq!(outcome(&answer), (200, String::new()));
    let answer = send(gateway.address, request("GET", &target(8193))).await;
    assert_eq!(outcome(&answer), (414, "target_too_long".to_owned()));
    let many = |count: usize| -> String {
        // Host, authorization and connection are fields too.
        let fields: Vec<String> = (0..count - 3)
            .map(|index| format!("x-{index}: y"))
            .collect();
        let fields: Vec<&str> = ["host: gateway.test"]
            .into_iter()
            .chain(fields.iter().map(String::as_str))
            .collect();
        lines("GET /v1/models HTTP/1.1", &fields)
    };
    let answer = send(gateway.address, many(100)).await;
    assert_eq!(outcome(&answer), (200, String::new()));
    let answer = send(gateway.address, many(101)).await;
    assert_eq!(outcome(&answer), (431, "headers_too_large".to_owned()));
    let large = |bytes: usize| {
        lines(
            "GET /v1/models HTTP/1.1",
            &["host: gateway.test", &format!("x: {}", "y".repeat(bytes))],
        )
    };
    let answer = send(gateway.address, large(15 << 10)).await;
    assert_eq!(outcome(&answer), (200, String::new()));
    let answer = send(gateway.address, large(17 << 10)).await;
    assert_eq!(outcome(&answer), (431, "headers_too_large".to_owned()));
    gateway.stop().await;
}

//! Routes of one provider: every method and every body passes as it is, in both directions.

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::harness::{
    Gateway, KEY, Step, Upstream, raw, raw_until_close, read_until, shared_config, within,
};

#[tokio::test]
async fn every_method_path_and_query_passes_byte_for_byte() {
    let upstream = Upstream::answering("200 OK", "{}").await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let cases = [
        ("GET", "/raw/v1/files", "/v1/files"),
        ("GET", "/raw/files", "/v1/files"),
        (
            "DELETE",
            "/raw/v1/files/f%20%C3%A9~!$&'()*+,;=:@",
            "/v1/files/f%20%C3%A9~!$&'()*+,;=:@",
        ),
        (
            "GET",
            "/raw/v1/x?a=1&a=2&&b=%2F%2f+%20&c",
            "/v1/x?a=1&a=2&&b=%2F%2f+%20&c",
        ),
        ("GET", "/raw/v1/x?", "/v1/x?"),
        ("GET", "/raw/v1/x/?q=[1]|/?:@", "/v1/x/?q=[1]|/?:@"),
        ("PUT", "/raw/v1/x", "/v1/x"),
        ("PATCH", "/raw/v1/x", "/v1/x"),
        ("OPTIONS", "/raw/v1/x", "/v1/x"),
        ("PROPFIND", "/raw/v1/x", "/v1/x"),
        ("POST", "/raw/v2/x", "/v1/v2/x"),
        ("GET", "/raw/v1", "/v1"),
        ("GET", "/raw", "/v1"),
        ("GET", "/raw?x=1", "/v1?x=1"),
        ("GET", "/raw/", "/v1/"),
        ("GET", "/web", "/base"),
        ("GET", "/web?q=1&r", "/base?q=1&r"),
        ("GET", "/web/?q=1", "/base/?q=1"),
        ("GET", "/web/v1/x", "/base/v1/x"),
        ("GET", "/kept/x", "/v1/kept/x"),
    ];
    for (method, path, target) in cases {
        let answer = gateway.call(method, path).bearer(KEY).send().await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
        let seen = upstream.seen().pop().unwrap();
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            (method, target),
            "{path}"
        );
    }
    assert_eq!(upstream.seen().len(), cases.len());
    // The query's key opens the gate and goes no further.
    for (path, target) in [
        (format!("/web/x?key={KEY}"), "/base/x"),
        (format!("/web/x?a=%20&key={KEY}&b"), "/base/x?a=%20&b"),
        (format!("/web?key={KEY}&b"), "/base?b"),
    ] {
        assert_eq!(
            gateway.call("GET", &path).send().await.status,
            200,
            "{path}"
        );
        assert_eq!(upstream.seen().last().unwrap().target, target);
    }
    let wrong = gateway.call("GET", "/web/x?a=1&key=secret-1&b=2");
    assert_eq!(wrong.send().await.status, 401);
    assert_eq!(upstream.seen().len(), cases.len() + 3);
    gateway.stop().await;
}

#[tokio::test]
async fn fields_end_here_or_pass_as_the_contract_says() {
    let upstream = Upstream::answering("200 OK", "{}").await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let request = format!(
        "POST /raw/v1/files HTTP/1.1\r\nHost: gateway.example\r\nAuthorization: Bearer {KEY}\r\n\
         Connection: X-Api-Key, X-Private, keep-alive, Authorization, Content-Type\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Authorization: Basic x\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nTrailer: X-Sum\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: AAMAAABk\r\nCookie: session=1\r\nX-Request-Id: mine\r\nOpenAI-Organization: org-1\r\n\
         OpenAI-Project: p-1\r\nX-Goog-User-Project: g-1\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n\
         Forwarded: for=10.0.0.1\r\nAccept-Encoding: gzip, br\r\nX-Kept: a\r\nX-Kept: b\r\nUser-Agent: test/1\r\n\
         OpenAI-Beta: assistants=v2\r\nIdempotency-Key: id-1\r\nContent-Type: text/odd; x=\"y\"\r\nContent-Length: 3\r\n\r\nabc"
    );
    let mut client = raw(gateway.address, request.as_bytes()).await;
    upstream.arrival().await;
    let seen = &upstream.seen()[0];
    let lower = seen.head.to_ascii_lowercase();
    for gone in [
        "x-private",
        "keep-alive",
        "proxy-",
        "\r\nte:",
        "trailer",
        "upgrade",
        "http2-settings",
        "cookie",
        "x-request-id",
        "openai-organization",
        "openai-project",
        "x-goog-user-project",
        "x-forwarded",
        "forwarded",
        "connection",
        // Named by `Connection`, so meant for us alone.
        "content-type",
        KEY,
    ] {
        assert!(!lower.contains(gone), "{gone}: {}", seen.head);
    }
    assert_eq!(seen.headers["authorization"], "Bearer sk-upstream");
    assert_eq!(seen.headers["host"], upstream.address.to_string());
    assert_eq!(seen.headers["accept-encoding"], "gzip, br");
    assert_eq!(seen.headers["user-agent"], "test/1");
    assert_eq!(seen.headers["openai-beta"], "assistants=v2");
    assert_eq!(seen.headers["idempotency-key"], "id-1");
    assert!(
        lower.contains("x-kept: a\r\nx-kept: b\r\n"),
        "{}",
        seen.head
    );
    assert_eq!(lower.matches("content-length: 3").count(), 1);
    assert_eq!(seen.body, b"abc");
    let mut head = [0; 12];
    client.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    gateway.stop().await;
}

#[tokio::test]
async fn another_providers_credential_goes_in_its_own_field() {
    let upstream = Upstream::answering("200 OK", "{}").await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    for (path, field, value) in [
        ("/web/x", "x-token", "web-token"),
        ("/ant/v1/files", "x-api-key", "sk-ant-upstream"),
    ] {
        let call = gateway.call("GET", path).header("api-key", KEY);
        // A client cannot choose the provider's credential itself.
        let answer = call.header("x-token", "mine").send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let seen = upstream.seen().pop().unwrap();
        assert_eq!(seen.headers[field], value, "{path}");
        assert!(!seen.head.contains(KEY), "{}", seen.head);
        if path == "/web/x" {
            assert!(!seen.head.contains("mine"), "{}", seen.head);
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn answers_pass_as_they_are_errors_and_redirects_too() {
    let answers = [
        (
            "301 Moved Permanently",
            "location: https://elsewhere.example/\r\ncontent-length: 0\r\n",
            "",
        ),
        (
            "302 Found",
            "location: /other\r\ncontent-length: 5\r\n",
            "there",
        ),
        ("403 Forbidden", "content-length: 2\r\n", "no"),
        (
            "404 Not Found",
            "content-type: text/weird\r\ncontent-length: 3\r\n",
            "\u{0}\u{1}!",
        ),
        ("418 I'm a teapot", "content-length: 3\r\n", "tea"),
        ("500 Internal Server Error", "content-length: 4\r\n", "oops"),
        ("503 Service Unavailable", "content-length: 4\r\n", "down"),
        (
            "200 OK",
            "content-encoding: gzip\r\ncontent-length: 3\r\n",
            "\u{1f}xy",
        ),
        (
            "206 Partial Content",
            "content-range: bytes 0-1/9\r\ncontent-length: 2\r\n",
            "ab",
        ),
        ("204 No Content", "", ""),
        ("304 Not Modified", "etag: \"x\"\r\n", ""),
    ];
    for (status, fields, body) in answers {
        let upstream = Upstream::start(move |_| {
            vec![Step::Send(
                format!("HTTP/1.1 {status}\r\n{fields}\r\n{body}").into_bytes(),
            )]
        })
        .await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        let answer = gateway
            .call("GET", "/raw/v1/files")
            .bearer(KEY)
            .send()
            .await;
        assert_eq!(answer.status.as_u16().to_string(), status[..3], "{status}");
        assert_eq!(answer.body, body, "{status}");
        for field in fields.lines() {
            let (name, value) = field.split_once(": ").unwrap();
            assert_eq!(answer.header(name), Some(value), "{status}");
        }
        let call = &gateway.calls(1).await[0];
        let outcome = if status.starts_with('5') {
            "upstream_failed"
        } else {
            "completed"
        };
        assert_eq!(call["outcome"], outcome, "{status}");
        assert_eq!(call["status"].to_string(), status[..3]);
        assert_eq!(call["endpoint"], "other");
        assert_eq!(call["provider"], "up");
        assert_eq!(call["tokens"]["input"], 0);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn our_own_credential_bill_and_limits_are_not_the_clients() {
    for (theirs, status, code) in [
        ("401 Unauthorized", 502, "upstream_auth"),
        ("402 Payment Required", 503, "upstream_unavailable"),
        ("429 Too Many Requests", 503, "upstream_overloaded"),
    ] {
        let upstream = Upstream::answering(theirs, "{\"error\":\"their words\"}").await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        let call = gateway.call("GET", "/raw/v1/files").bearer(KEY);
        let answer = call.send().await;
        assert_eq!(answer.status, status, "{theirs}");
        assert_eq!(answer.code(), code, "{theirs}");
        assert!(!answer.text().contains("their words"));
        assert_eq!(gateway.calls(1).await[0]["outcome"], "upstream_failed");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn calls_one_after_the_other_share_a_connection() {
    let upstream = Upstream::answering("200 OK", "{}").await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    for (method, body) in [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "abc"),
        ("POST", ""),
        ("GET", ""),
    ] {
        let call = gateway.call(method, "/raw/v1/files").bearer(KEY);
        assert_eq!(call.body(body).send().await.status, 200);
        gateway.chat(KEY, r#"{"model":"m"}"#).send().await;
    }
    assert_eq!(*upstream.connections.borrow(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn head_keeps_the_length_and_has_no_body() {
    let upstream = Upstream::start(|seen| {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 1234\r\ncontent-type: x/y\r\n\r\n";
        assert_eq!(seen.method, "HEAD");
        vec![Step::Send(head.into())]
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    for _ in 0..2 {
        let request = format!(
            "HEAD /raw/v1/files/f HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n\r\n"
        );
        let answer = raw_until_close(gateway.address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-length: 1234\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
    // The second call found the first one's connection.
    assert_eq!(*upstream.connections.borrow(), 1);
    gateway.calls(2).await;
    gateway.stop().await;
}

/// HTTP/1.0 has no chunks: an answer whose length nobody knows ends with its connection, and says so even to a client that
/// would keep it.
#[tokio::test]
async fn an_answer_of_unknown_length_ends_a_connection_of_http_1_0() {
    for (fields, body, kept) in [
        ("content-length: 3", "abc", true),
        ("transfer-encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", false),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}");
        let upstream = Upstream::start(move |_| vec![Step::Send(answer.clone().into())]).await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        let request = format!(
            "GET /raw/v1/files/f HTTP/1.0\r\nauthorization: Bearer {KEY}\r\nconnection: keep-alive\r\n\r\n"
        );
        let mut client = raw(gateway.address, request.as_bytes()).await;
        let answer = read_until(&mut client, b"\r\n\r\nabc").await;
        let answer = String::from_utf8(answer).unwrap();
        let says = |field: &str| answer.contains(field);
        assert_eq!(says("keep-alive"), kept, "{answer}");
        assert_eq!(says("connection: close\r\n"), !kept, "{answer}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn an_upload_streams_while_it_is_still_being_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gateway = Gateway::start(&shared_config(&url, "")).await;
    for (framing, first, second) in [
        (
            "transfer-encoding: chunked",
            "5\r\nfirst\r\n",
            "6\r\nsecond\r\n0\r\n\r\n",
        ),
        ("content-length: 11", "first", "second"),
    ] {
        let head = format!(
            "POST /web/upload HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n{framing}\r\n\
             content-type: multipart/form-data; boundary=b\r\n\r\n{first}"
        );
        let mut client = raw(gateway.address, head.as_bytes()).await;
        let (mut upstream, _) = within("a connection", listener.accept()).await.unwrap();
        // The provider has the first bytes before the client has sent the last.
        let seen = read_until(&mut upstream, b"first").await;
        let text = String::from_utf8(seen).unwrap();
        assert!(text.contains(framing), "{text}");
        assert!(text.contains("content-type: multipart/form-data; boundary=b"));
        client.write_all(second.as_bytes()).await.unwrap();
        read_until(&mut upstream, b"second").await;
        upstream
            .write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
            .await
            .unwrap();
        let mut answer = String::new();
        within("an answer", client.read_to_string(&mut answer))
            .await
            .unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
        assert!(answer.ends_with("ok"), "{answer}");
    }
    let records = gateway.records(2).await;
    assert_eq!(records[0]["bytes_in"], 11);
    assert_eq!(records[1]["bytes_in"], 11);
    gateway.stop().await;
}

#[tokio::test]
async fn a_provider_that_answers_early_is_heard_before_the_upload_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gateway = Gateway::start(&shared_config(&url, "")).await;
    let head = format!(
        "POST /web/upload HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: 1000000\r\n\r\nfirst"
    );
    let mut client = raw(gateway.address, head.as_bytes()).await;
    let (mut upstream, _) = within("a connection", listener.accept()).await.unwrap();
    read_until(&mut upstream, b"first").await;
    upstream
        .write_all(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig")
        .await
        .unwrap();
    let answer = read_until(&mut client, b"big").await;
    assert!(answer.starts_with(b"HTTP/1.1 413 "));
    gateway.calls(1).await;
    gateway.stop().await;
}

/// More than the kernels of both ends hold.
const LONG: usize = 24 << 20;

async fn take(stream: &mut (impl AsyncRead + Unpin), most: usize) {
    let mut buffer = vec![0; 1 << 16];
    let mut taken = 0;
    while taken < most {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "closed after {taken} bytes");
        taken += read;
    }
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_sends_all_before_it_reads() {
    // The provider takes the upload while it answers, or answers and takes no more.
    for (taken, length) in [(LONG, LONG), (0, 1 << 17)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let gateway = Gateway::start(&shared_config(&url, "")).await;
        let provider = async {
            let (mut upstream, _) = listener.accept().await.unwrap();
            let seen = read_until(&mut upstream, b"first").await;
            let body = seen.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
            let taken = taken.saturating_sub(seen.len() - body - 5);
            let (mut from, mut to) = upstream.split();
            let answer = async {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                to.write_all(head.as_bytes()).await.unwrap();
                to.write_all(&vec![b'a'; length]).await.unwrap();
            };
            tokio::join!(answer, take(&mut from, taken));
            upstream
        };
        let client = async {
            let head = format!(
                "POST /web/upload HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\
                 content-length: {}\r\n\r\nfirst",
                LONG + 5
            );
            let mut client = raw(gateway.address, head.as_bytes()).await;
            client.write_all(&vec![b'u'; LONG]).await.unwrap();
            take(&mut client, length).await;
        };
        within("both ways", async { tokio::join!(provider, client) }).await;
        gateway.calls(1).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_stream_that_is_not_understood_passes_unchanged() {
    let events = "event: x\r\ndata: \u{0}\u{7f}\n\n:\n\ndata";
    let upstream = Upstream::start(move |_| crate::harness::sse(&[events, "rest"])).await;
    let yaml = shared_config(&upstream.url(), "") + "streaming: {heartbeat: 10ms}\n";
    let gateway = Gateway::start(&yaml).await;
    let answer = gateway
        .call("GET", "/raw/v1/events")
        .bearer(KEY)
        .send()
        .await;
    assert_eq!(answer.body, format!("{events}rest"));
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    gateway.stop().await;
}

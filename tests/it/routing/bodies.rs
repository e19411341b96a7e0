use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{CHAT, Gateway, KEY, Raw, planned, provider, send};
use crate::harness::{raw, within};

/// A gateway with small bounds of a body.
async fn small() -> (Gateway, crate::harness::Upstream) {
    let upstream = provider().await;
    let server = "server: {listen: \"127.0.0.1:0\", limits: {json_body: 1KiB, upload_body: 2KiB}, timeouts: {body_idle: 50ms}}\n";
    let yaml = format!(
        "{server}{}routes: [{{path: /}}, {{path: /openai, provider: up, strip_prefix: true}}]\n",
        planned(&upstream, "{rate_limits: {concurrent_requests: 1}}")
    );
    (Gateway::start(&yaml).await, upstream)
}

fn post(path: &str, fields: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: gateway.test\r\nauthorization: Bearer {KEY}\r\n{fields}\r\n\r\n{body}"
    )
}

const CHATS: &str = "/v1/chat/completions";

fn closed(answer: &Raw, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (status, code),
        "{answer:?}"
    );
    assert_eq!(answer.field("connection"), Some("close"), "{answer:?}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_or_while_it_is_read() {
    let (gateway, upstream) = small().await;
    // By its announcement, before a byte of it has come.
    let answer = send(gateway.address, post(CHATS, "content-length: 1025", "")).await;
    closed(&answer, 413, "body_too_large");
    let fits = format!("{CHAT}{}", " ".repeat(1024 - CHAT.len()));
    let answer = send(
        gateway.address,
        post(CHATS, "content-length: 1024\r\nconnection: close", &fits),
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // By its bytes.
    let chunks = format!("400\r\n{fits}\r\n1\r\n \r\n");
    let answer = send(
        gateway.address,
        post(CHATS, "transfer-encoding: chunked", &chunks),
    )
    .await;
    closed(&answer, 413, "body_too_large");
    // One that is passed on as it comes has a bound of its own.
    let answer = send(
        gateway.address,
        post("/openai/v1/files", "content-length: 2049", ""),
    )
    .await;
    closed(&answer, 413, "body_too_large");
    let file = "x".repeat(2048);
    let answer = send(
        gateway.address,
        post(
            "/openai/v1/files",
            "content-length: 2048\r\nconnection: close",
            &file,
        ),
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(upstream.seen().len(), 2);
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_waited_for_a_while() {
    let (gateway, upstream) = small().await;
    for body in ["", "{\"model\":"] {
        let answer = send(gateway.address, post(CHATS, "content-length: 100", body)).await;
        closed(&answer, 408, "request_timeout");
        // The one status of the client's that an SDK may try again.
        assert_eq!(answer.field("x-should-retry"), None);
    }
    // Its seat is free again.
    let answer = send(
        gateway.address,
        post(
            CHATS,
            &format!("content-length: {}\r\nconnection: close", CHAT.len()),
            CHAT,
        ),
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(upstream.seen().len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_compressed_body_is_not_read() {
    let (gateway, upstream) = small().await;
    for coding in ["gzip", "br", "identity, gzip", "deflate"] {
        let fields = format!(
            "content-length: {}\r\ncontent-encoding: {coding}\r\nconnection: close",
            CHAT.len()
        );
        let answer = send(gateway.address, post(CHATS, &fields, CHAT)).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (415, "unsupported_content_encoding"),
            "{coding}"
        );
    }
    let fields = format!(
        "content-length: {}\r\ncontent-encoding: identity\r\nconnection: close",
        CHAT.len()
    );
    assert_eq!(
        send(gateway.address, post(CHATS, &fields, CHAT))
            .await
            .status,
        200
    );
    // Where nobody has to read it, it is the provider's to understand.
    let fields = "content-length: 2\r\ncontent-encoding: gzip\r\nconnection: close";
    assert_eq!(
        send(gateway.address, post("/openai/v1/files", fields, "xx"))
            .await
            .status,
        200
    );
    assert_eq!(upstream.seen()[1].headers["content-encoding"], "gzip");
    gateway.stop().await;
}

#[tokio::test]
async fn nobody_is_asked_for_a_body_that_is_refused_anyway() {
    let (gateway, upstream) = small().await;
    let expect = format!(
        "content-length: {}\r\nexpect: 100-continue\r\nconnection: close",
        CHAT.len()
    );
    let mut stream = raw(gateway.address, post(CHATS, &expect, "").as_bytes()).await;
    let mut read = [0; 25];
    within("the client was told to go on", stream.read_exact(&mut read))
        .await
        .unwrap();
    assert_eq!(&read, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(CHAT.as_bytes()).await.unwrap();
    let mut rest = String::new();
    within("the answer ended", stream.read_to_string(&mut rest))
        .await
        .unwrap();
    assert_eq!(Raw::of(&rest).status, 200);

    for (path, fields, status) in [
        (CHATS, "content-length: 5000\r\nexpect: 100-continue", 413),
        (
            "/v1/nowhere",
            "content-length: 5\r\nexpect: 100-continue\r\nconnection: close",
            404,
        ),
        (
            CHATS,
            "content-length: 5\r\nexpect: 100-continue\r\nx-api-key: another-key\r\nconnection: close",
            400,
        ),
    ] {
        let answer = send(gateway.address, post(path, fields, "")).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let answer = send(
        gateway.address,
        post(
            CHATS,
            "content-length: 5\r\nexpect: a-miracle\r\nconnection: close",
            "",
        ),
    )
    .await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "invalid_header")
    );
    assert_eq!(upstream.seen().len(), 1);
    gateway.stop().await;
}

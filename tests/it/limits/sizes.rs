//! Heads, targets and bodies that are just too large, at the defaults, to the byte.

use tokio::io::AsyncWriteExt;

use super::chat;
use crate::harness::{
    Gateway, HEALTHY, KEY, Upstream, raw, raw_until_close, shared_config, unharmed, watch_panics,
    within,
};

const ANSWER: &str = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;

pub(super) async fn start() -> (Gateway, Upstream) {
    watch_panics();
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    (gateway, upstream)
}

/// A head of this many bytes and fields, for a path.
fn head(bytes: usize, fields: usize, path: &str) -> String {
    let mut head = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n"
    );
    for index in 3..fields - 1 {
        head.push_str(&format!("X-{index}: a\r\n"));
    }
    let left = bytes - head.len() - "X: \r\n\r\n".len();
    head + "X: " + &"a".repeat(left) + "\r\n\r\n"
}

fn status(answer: &str) -> u16 {
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

#[tokio::test]
async fn a_head_has_16_kibibytes_and_a_hundred_fields() {
    let (gateway, upstream) = start().await;
    let mut told = String::new();
    for (bytes, fields, expected) in [
        (16 << 10, 4, 200),
        ((16 << 10) + 1, 4, 431),
        (16 << 10, 100, 200),
        (16 << 10, 101, 431),
        (4 << 10, 101, 431),
        (4 << 10, 129, 431),
        (32 << 10, 4, 431),
        (1 << 20, 4, 431),
        (16 << 10, 1000, 431),
    ] {
        for path in ["/v1/models", "/raw/v1/files?a=b"] {
            let sent = head(bytes, fields, path);
            assert_eq!(sent.len(), bytes);
            let answer = raw_until_close(gateway.address, sent.as_bytes()).await;
            assert_eq!(status(&answer), expected, "{bytes} {fields} {answer}");
            told.push_str(&answer);
        }
    }
    unharmed(&gateway, &upstream, &told).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_target_has_8_kibibytes() {
    let (gateway, upstream) = start().await;
    let mut told = String::new();
    for (bytes, expected) in [(8000, 200), (8192, 200), (8193, 414), (15 << 10, 414)] {
        for start in ["/v1/models?", "/raw/", "/raw/v1/files?a="] {
            let path = start.to_owned() + &"x".repeat(bytes - start.len());
            let sent = head(path.len() + 200, 4, &path);
            let answer = raw_until_close(gateway.address, sent.as_bytes()).await;
            assert_eq!(status(&answer), expected, "{start} {bytes} {answer}");
            told.push_str(&answer);
        }
    }
    // A target that the parser itself refuses.
    let long = "/raw/".to_owned() + &"x".repeat(100 << 10);
    let answer = raw_until_close(gateway.address, head(101 << 10, 4, &long).as_bytes()).await;
    assert!(matches!(status(&answer), 414 | 431), "{answer}");
    unharmed(&gateway, &upstream, &(told + &answer)).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_document_has_32_mebibytes() {
    const MOST: usize = 32 << 20;
    let (gateway, upstream) = start().await;
    // One byte more, by its announcement: nothing of it is waited for.
    let announced = chat(&format!("Content-Length: {}", MOST + 1));
    let answer = raw_until_close(gateway.address, announced.as_bytes()).await;
    assert_eq!(status(&answer), 413, "{answer}");
    let mut told = answer;
    // One byte more, by its bytes: refused at that byte, though the client would go on.
    let mut client = raw(
        gateway.address,
        chat("Transfer-Encoding: chunked").as_bytes(),
    )
    .await;
    let mut piece = b"100000\r\n".to_vec();
    piece.extend(vec![b' '; 1 << 20]);
    piece.extend(b"\r\n");
    for _ in 0..32 {
        within("the body was taken", client.write_all(&piece))
            .await
            .unwrap();
    }
    client.write_all(b"1\r\n \r\n").await.unwrap();
    let (answer, _) = within("a refusal", super::rest(&mut client)).await;
    assert_eq!(status(&answer), 413, "{answer}");
    assert!(answer.contains("body_too_large"), "{answer}");
    told.push_str(&answer);
    assert!(upstream.seen().is_empty());
    unharmed(&gateway, &upstream, &told).await;
    gateway.stop().await;
}

/// What is passed on as it comes is not understood, and bounded all the same.
#[tokio::test]
async fn a_form_of_ten_thousand_parts_passes_as_it_is() {
    watch_panics();
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let server = "server: {listen: \"127.0.0.1:0\", limits: {upload_body: 1MiB}}\n";
    let gateway = Gateway::start(&(server.to_owned() + &shared_config(&upstream.url(), ""))).await;
    let part = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n";
    let mut told = String::new();
    for (parts, boundary, expected) in [
        (10_000, "; boundary=b", 200),
        (10_000, "", 200),
        (10, "; boundary=", 200),
        (30_000, "; boundary=b", 413),
    ] {
        let form = part.repeat(parts);
        let request = format!(
            "POST /raw/v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\
             Content-Type: multipart/form-data{boundary}\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        let answer = raw_until_close(gateway.address, request.as_bytes()).await;
        assert_eq!(status(&answer), expected, "{parts} {boundary} {answer}");
        if expected == 200 {
            assert!(upstream.seen().last().unwrap().body == form.as_bytes());
        }
        told.push_str(&answer);
    }
    // Where a document is asked for, a form is none, whatever it calls itself.
    for (kind, code) in [
        ("multipart/form-data; boundary=b", "invalid_header"),
        ("application/json", "invalid_json"),
    ] {
        let call = gateway.call("POST", "/v1/chat/completions").bearer(KEY);
        let call = call.header("content-type", kind);
        let answer = call.body(part.repeat(10_000)).send().await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, code)
        );
        told.push_str(answer.text());
    }
    assert_eq!(gateway.chat(KEY, HEALTHY).send().await.status, 200);
    unharmed(&gateway, &upstream, &told).await;
    gateway.stop().await;
}

//! Request bodies that are too slow, too large, broken, or not wanted any more.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{
    Gateway, KEY, LIMITED, Upstream, raw, raw_until_close, shared_config, within,
};

const ANSWER: &str = r#"{"choices":[],"usage":{"prompt_tokens":100000000,"completion_tokens":1}}"#;

fn with_server(yaml: String, server: &str) -> String {
    format!("server: {{listen: \"127.0.0.1:0\", {server}}}\n{yaml}")
}

fn head(path: &str, key: &str, framing: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n{framing}\r\n\r\n")
}

/// The status, and the code where the body has one.
fn told(answer: &str) -> (&str, String) {
    let status = answer
        .get(9..12)
        .unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let value: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    (
        status,
        value["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    )
}

#[tokio::test]
async fn a_body_that_stops_is_answered_with_408() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    for server in [
        "timeouts: {body_idle: 100ms}",
        "timeouts: {body_idle: 20s, body_total: 100ms}",
    ] {
        let gateway =
            Gateway::start(&with_server(shared_config(&upstream.url(), ""), server)).await;
        for (path, framing) in [
            ("/v1/chat/completions", "content-length: 100"),
            ("/v1/chat/completions", "transfer-encoding: chunked"),
            ("/web/upload", "content-length: 100"),
            ("/web/upload", "transfer-encoding: chunked"),
        ] {
            let start = if framing.starts_with("content") {
                "{\"model\":"
            } else {
                "9\r\n{\"model\":\r\n"
            };
            let request = head(path, LIMITED, framing) + start;
            let answer = raw_until_close(gateway.address, request.as_bytes()).await;
            assert_eq!(
                told(&answer),
                ("408", "request_timeout".to_owned()),
                "{server} {path} {framing}"
            );
            assert!(
                answer.to_ascii_lowercase().contains("connection: close"),
                "{answer}"
            );
        }
        assert!(upstream.seen().is_empty());
        gateway.nothing_held(LIMITED).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_body_above_its_limit_is_answered_with_413() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let server = "limits: {json_body: 1KiB, upload_body: 2KiB}";
    let gateway = Gateway::start(&with_server(shared_config(&upstream.url(), ""), server)).await;
    for (path, limit) in [
        ("/v1/chat/completions", 1024),
        ("/raw/v1/embeddings", 1024),
        ("/web/upload", 2048),
    ] {
        let announced = head(path, LIMITED, &format!("content-length: {}", limit + 1));
        // Not a byte of it is waited for.
        let answer = raw_until_close(gateway.address, announced.as_bytes()).await;
        assert_eq!(
            told(&answer),
            ("413", "body_too_large".to_owned()),
            "{path}"
        );
        let chunk = "x".repeat(limit + 1);
        let chunked = head(path, LIMITED, "transfer-encoding: chunked")
            + &format!("{:x}\r\n{chunk}\r\n", limit + 1);
        let answer = raw_until_close(gateway.address, chunked.as_bytes()).await;
        assert_eq!(
            told(&answer),
            ("413", "body_too_large".to_owned()),
            "{path}"
        );
    }
    // Exactly the limit is not too large.
    let body = format!("{{\"model\":\"m\",\"x\":\"{}\"}}", "x".repeat(1024 - 20));
    assert_eq!(body.len(), 1024);
    assert_eq!(gateway.chat(KEY, &body).send().await.status, 200);
    let upload = gateway
        .call("PUT", "/web/upload")
        .bearer(KEY)
        .body("x".repeat(2048));
    assert_eq!(upload.send().await.status, 200);
    assert_eq!(upstream.seen().last().unwrap().body.len(), 2048);
    gateway.nothing_held(LIMITED).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_still_sends_reads_its_refusal() {
    const SIZE: usize = 20 << 20;
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    // One call uses up the whole quota.
    gateway.chat(LIMITED, r#"{"model":"m"}"#).send().await;
    gateway.calls(1).await;
    for round in 0..10 {
        let framing = if round % 2 == 0 {
            format!("content-length: {SIZE}")
        } else {
            "transfer-encoding: chunked".to_owned()
        };
        let mut client = raw(
            gateway.address,
            head("/v1/chat/completions", LIMITED, &framing).as_bytes(),
        )
        .await;
        let piece = vec![b'x'; 64 << 10];
        let (mut read, mut write) = client.split();
        let send = async {
            for _ in 0..SIZE / piece.len() {
                if round % 2 == 1 {
                    write
                        .write_all(format!("{:x}\r\n", piece.len()).as_bytes())
                        .await?;
                }
                write.write_all(&piece).await?;
                if round % 2 == 1 {
                    write.write_all(b"\r\n").await?;
                }
            }
            if round % 2 == 1 {
                write.write_all(b"0\r\n\r\n").await?;
            }
            write.shutdown().await
        };
        let receive = async {
            let mut answer = Vec::new();
            read.read_to_end(&mut answer).await.map(|_| answer)
        };
        let (sent, received) = within("a refusal", async { tokio::join!(send, receive) }).await;
        let received = String::from_utf8(received.unwrap()).unwrap();
        assert_eq!(
            told(&received),
            ("402", "quota_exhausted".to_owned()),
            "{round}"
        );
        // Whether the client could get rid of all of it does not matter; that it was not reset does.
        drop(sent);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_upload_that_its_client_gives_up_is_given_up_upstream() {
    let upstream = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", upstream.local_addr().unwrap());
    let gateway = Gateway::start(&shared_config(&url, "")).await;
    for framing in ["content-length: 100", "transfer-encoding: chunked"] {
        let start = if framing.starts_with("content") {
            "first"
        } else {
            "5\r\nfirst\r\n"
        };
        let request = head("/web/upload", LIMITED, framing) + start;
        let client = raw(gateway.address, request.as_bytes()).await;
        let (mut provider, _) = within("a connection", upstream.accept()).await.unwrap();
        let mut read = Vec::new();
        while !read.windows(5).any(|part| part == b"first") {
            within("the first bytes", provider.read_buf(&mut read))
                .await
                .unwrap();
        }
        drop(client);
        let rest = within("the end upstream", provider.read_to_end(&mut read)).await;
        // No end of the body was made up for the provider.
        assert!(rest.is_err() || !read.ends_with(b"0\r\n\r\n"));
    }
    let calls = gateway.calls(2).await;
    for call in &calls {
        assert_eq!(call["outcome"], "client_closed", "{call}");
    }
    gateway.nothing_held(LIMITED).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_read_body_that_breaks_off_reaches_nobody() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let bodies = [
        ("content-length: 100", "{\"model\":\"m\"}"),
        ("transfer-encoding: chunked", "d\r\n{\"model\":\"m\"}\r\n"),
        ("transfer-encoding: chunked", "zz\r\n{\"model\":\"m\"}\r\n"),
    ];
    for (framing, body) in bodies {
        let mut client: TcpStream = raw(
            gateway.address,
            (head("/v1/chat/completions", LIMITED, framing) + body).as_bytes(),
        )
        .await;
        client.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = within("the end", client.read_to_end(&mut answer)).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.is_empty() || told(&answer).0 == "400", "{answer}");
    }
    gateway.records(bodies.len()).await;
    assert!(upstream.seen().is_empty());
    gateway.nothing_held(LIMITED).await;
    gateway.stop().await;
}

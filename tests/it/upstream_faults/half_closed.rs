//! D-18: a provider that ends its side before it has read the request.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{start, told};
use crate::harness::{LIMITED, within};

/// A provider that reads a head, says `answer`, ends its side, and reads the rest.
async fn ending_early(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = Vec::new();
            while !read.windows(4).any(|four| four == b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let _ = stream.read_to_end(&mut read).await;
        }
    });
    format!("http://{address}")
}

/// Chats whose body is larger than what a socket takes unread.
fn bodies() -> [String; 2] {
    let large = "x".repeat(6 << 20);
    ["", r#","stream":true"#].map(|stream| {
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{large}"}}]{stream}}}"#)
    })
}

#[tokio::test]
async fn a_whole_answer_counts() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 61\r\n\r\n{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1},\"xyz\":1234}";
    let (_, document) = answer.split_once("\r\n\r\n").unwrap();
    let answer = Box::leak(
        answer
            .replace("61", &document.len().to_string())
            .into_boxed_str(),
    );
    for body in bodies() {
        let gateway = start(&ending_early(answer).await, "").await;
        let got = within("an answer", gateway.chat(LIMITED, &body).send()).await;
        assert_eq!(
            (got.status.as_u16(), got.text(), got.broken),
            (200, document, false)
        );
        let told = told(gateway, got).await;
        told.recorded(200, "completed");
        assert_eq!(told.used, (1, 4));
    }
}

#[tokio::test]
async fn no_answer_is_a_refusal() {
    for body in bodies() {
        for begun in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
            let gateway = start(&ending_early(begun).await, "").await;
            let got = within("an answer", gateway.chat(LIMITED, &body).send()).await;
            let told = told(gateway, got).await;
            told.refused(502, "upstream_disconnected", "indeterminate");
            assert_eq!(told.used.0, 1);
        }
    }
}

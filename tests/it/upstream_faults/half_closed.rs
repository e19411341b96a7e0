//! D-18: a provider that ends its side before it has read the request.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{start, told};
use crate::harness::{LIMITED, at_each_head, within};

/// A provider that reads a head, says `answer`, ends its side, and reads the rest.
async fn ending_early(answer: &'static str) -> String {
    at_each_head(move |mut stream| async move {
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await
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

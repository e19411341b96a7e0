//! Providers that are too slow. Deadlines are small, and only what follows from them is asserted.

use super::{STREAM, WHOLE, chat};
use crate::harness::{Step, Upstream};

fn head(media: &str) -> Step {
    Step::Send(
        format!("HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ntransfer-encoding: chunked\r\n\r\n")
            .into_bytes(),
    )
}

#[tokio::test]
async fn no_answer_in_time() {
    for timeouts in ["first_byte: 50ms", "total: 50ms"] {
        let upstream = Upstream::start(|_| vec![Step::Hang]).await;
        let told = chat(
            &upstream.url(),
            &format!(", timeouts: {{{timeouts}}}"),
            WHOLE,
        )
        .await;
        told.refused(504, "upstream_timeout", "indeterminate");
        assert_eq!(told.used, (1, 7), "{timeouts}");
        upstream.all_closed().await;
    }
}

#[tokio::test]
async fn silence_within_a_document_breaks_it_off() {
    for timeouts in ["idle: 50ms", "total: 200ms"] {
        let upstream = Upstream::start(|_| {
            vec![
                head("application/json"),
                Step::Send(b"1\r\n{\r\n".to_vec()),
                Step::Hang,
            ]
        })
        .await;
        let told = chat(
            &upstream.url(),
            &format!(", timeouts: {{{timeouts}}}"),
            WHOLE,
        )
        .await;
        assert_eq!(
            (told.answer.status.as_u16(), told.answer.text()),
            (200, "{")
        );
        assert!(told.answer.broken, "{timeouts}");
        told.recorded(200, "upstream_failed");
        assert_eq!(told.record["code"], "upstream_timeout");
        upstream.all_closed().await;
    }
}

#[tokio::test]
async fn silence_within_a_stream_ends_it_with_an_event() {
    for timeouts in ["idle: 50ms", "total: 200ms"] {
        let upstream = Upstream::start(|_| {
            vec![
                head("text/event-stream"),
                Step::Send(b"b\r\ndata: {}\n\n\n\r\n".to_vec()),
                Step::Hang,
            ]
        })
        .await;
        let told = chat(
            &upstream.url(),
            &format!(", timeouts: {{{timeouts}}}"),
            STREAM,
        )
        .await;
        assert!(!told.answer.broken, "{timeouts}");
        let rest = told.answer.text().strip_prefix("data: {}\n\n\n").unwrap();
        assert!(rest.starts_with("data: {\"error\":"), "{rest}");
        assert!(rest.contains("upstream_timeout"), "{rest}");
        assert!(
            rest.ends_with("}\n\n") && !rest.contains("[DONE]"),
            "{rest}"
        );
        told.recorded(200, "upstream_failed");
        upstream.all_closed().await;
    }
}

#[tokio::test]
async fn silence_within_an_errors_body() {
    // The body decides whose fault a 400 is; half of it decides nothing.
    let upstream = Upstream::start(|_| {
        vec![
            Step::Send(
                b"HTTP/1.1 400 Bad Request\r\ncontent-length: 50\r\n\r\n{\"error\":".to_vec(),
            ),
            Step::Hang,
        ]
    })
    .await;
    let told = chat(&upstream.url(), ", timeouts: {idle: 50ms}", WHOLE).await;
    told.refused(504, "upstream_timeout", "upstream_failed");
    assert_eq!(told.used, (0, 0));
}

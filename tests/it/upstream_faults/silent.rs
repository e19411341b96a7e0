//! Providers that are too slow. Deadlines are small, and only what follows from them is asserted.

use serde_json::Value;

use super::{STREAM, WHOLE, chat, start_with, tokens};
use crate::harness::{LIMITED, Step, Upstream, head, piece, raw_until_close};

/// The first bytes of a document.
const HALF: &str = r#"{"choices":[{"message":{"content":"hel"#;
const EVENT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"0123456789abcdef\"}}]}\n\n";

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

/// A heartbeat says that a stream lives, and before the answer there is none.
#[tokio::test]
async fn nothing_is_said_before_an_answer_however_short_the_heartbeat() {
    for begins in ["", "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"] {
        let upstream = Upstream::start(move |_| vec![Step::Send(begins.into()), Step::Hang]).await;
        let (options, beats) = (
            ", timeouts: {first_byte: 300ms}",
            "streaming: {heartbeat: 10ms}\n",
        );
        let gateway = start_with(&upstream.url(), options, beats).await;
        let length = STREAM.len();
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             authorization: Bearer {LIMITED}\r\ncontent-length: {length}\r\n\r\n{STREAM}"
        );
        let answer = raw_until_close(gateway.address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        assert!(!answer.contains("keep-alive"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], "upstream_timeout");
        upstream.all_closed().await;
        let call = gateway.calls(1).await.remove(0);
        assert_eq!(call["outcome"], "indeterminate");
        assert_eq!(call["tokens"]["input"], tokens(STREAM));
        gateway.nothing_held(LIMITED).await;
        gateway.stop().await;
    }
}

const DEADLINES: [&str; 2] = [", timeouts: {idle: 50ms}", ", timeouts: {total: 200ms}"];

#[tokio::test]
async fn silence_within_a_document_breaks_it_off() {
    for deadline in DEADLINES {
        let upstream =
            Upstream::start(|_| vec![head("application/json"), piece(HALF), Step::Hang]).await;
        let told = chat(&upstream.url(), deadline, WHOLE).await;
        assert_eq!(
            (told.answer.status.as_u16(), told.answer.text()),
            (200, HALF)
        );
        assert!(told.answer.broken, "{deadline}");
        told.recorded(200, "upstream_failed");
        assert_eq!(told.record["code"], "upstream_timeout");
        // Both by our own count: the half says nothing of usage.
        told.charged(tokens(WHOLE), tokens(HALF), true);
        upstream.all_closed().await;
    }
}

#[tokio::test]
async fn silence_within_a_stream_ends_it_with_an_event() {
    // What comes, and what is charged for it: our own count until the provider has told its own, which is an estimate as
    // long as it may go on.
    let event = |choices: &str| {
        let usage = r#""usage":{"prompt_tokens":50,"completion_tokens":9}"#;
        format!("{EVENT}data: {{\"choices\":[{choices}],{usage}}}\n\n")
    };
    let so_far = event(r#"{"delta":{}}"#);
    for (sent, kept, (input, output, estimated)) in [
        ("data: {}\n\n", "data: {}\n\n", (tokens(STREAM), 0, true)),
        (EVENT, EVENT, (tokens(STREAM), 4, true)),
        (&so_far, &so_far, (50, 9, true)),
        // The client has not asked for this one.
        (&event(""), EVENT, (50, 9, false)),
    ] {
        for deadline in DEADLINES {
            let steps = [head("text/event-stream"), piece(sent), Step::Hang];
            let upstream = Upstream::start(move |_| steps.to_vec()).await;
            let told = chat(&upstream.url(), deadline, STREAM).await;
            assert!(!told.answer.broken, "{deadline}");
            let rest = told.answer.text().strip_prefix(kept).unwrap();
            assert!(rest.starts_with("data: {\"error\":"), "{rest}");
            assert!(rest.contains("upstream_timeout"), "{rest}");
            assert!(
                rest.ends_with("}\n\n") && !rest.contains("[DONE]"),
                "{rest}"
            );
            told.recorded(200, "upstream_failed");
            told.charged(input, output, estimated);
            upstream.all_closed().await;
        }
    }
}

#[tokio::test]
async fn silence_within_an_errors_body_is_a_timeout() {
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

//! Answers that break off, or that are no answers.

use super::{STREAM, Told, WHOLE, chat, saying, start, tokens, told};
use crate::harness::{LIMITED, Step, Upstream};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: ";

#[tokio::test]
async fn half_a_document_is_no_whole_one() {
    let halves = [
        // The length promised more.
        (
            "application/json\r\ncontent-length: 100\r\n\r\n{\"a\":",
            Step::Close,
        ),
        (
            "application/json\r\ncontent-length: 100\r\n\r\n{\"a\":",
            Step::Reset,
        ),
        // The last chunk never came.
        (
            "application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n",
            Step::Close,
        ),
        (
            "application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n3\r\n1",
            Step::Close,
        ),
        (
            "application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"a\":\r\nxyz\r\n",
            Step::Close,
        ),
    ];
    for (half, end) in halves {
        let text = [HEAD, half].concat();
        let upstream =
            Upstream::start(move |_| vec![Step::Send(text.clone().into_bytes()), end.clone()])
                .await;
        let told = chat(&upstream.url(), "", WHOLE).await;
        assert_eq!(told.answer.status, 200);
        assert!(told.answer.broken, "{half}: {}", told.answer.text());
        assert!("{\"a\":1".starts_with(told.answer.text()), "{half}");
        told.recorded(200, "upstream_failed");
        // Both by our own count: a half says nothing of usage.
        told.charged(tokens(WHOLE), tokens(told.answer.text()), true);
        let code = told.record["code"].as_str().unwrap();
        assert!(code.starts_with("upstream_"), "{code}");
    }
}

#[tokio::test]
async fn half_a_stream_is_no_whole_one() {
    let event = "data: {\"n\":1}\n\n";
    let chunk = format!(
        "transfer-encoding: chunked\r\n\r\n{:x}\r\n{event}\r\n",
        event.len()
    );
    for (half, end, code) in [
        (
            format!("content-length: 100\r\n\r\n{event}"),
            Step::Close,
            "upstream_disconnected",
        ),
        (
            format!("content-length: 100\r\n\r\n{event}"),
            Step::Reset,
            "upstream_disconnected",
        ),
        (chunk.clone(), Step::Close, "upstream_disconnected"),
        (
            format!("{chunk}3\r\n: a"),
            Step::Close,
            "upstream_disconnected",
        ),
        (
            format!("{chunk}xyz\r\n"),
            Step::Hang,
            "upstream_invalid_response",
        ),
        (
            format!("{chunk}fffffffffffffffff\r\n"),
            Step::Hang,
            "upstream_invalid_response",
        ),
    ] {
        let text = format!("{HEAD}text/event-stream\r\n{half}");
        let upstream =
            Upstream::start(move |_| vec![Step::Send(text.clone().into_bytes()), end.clone()])
                .await;
        let told = chat(&upstream.url(), "", STREAM).await;
        assert!(!told.answer.broken, "{half}: {}", told.answer.text());
        let rest = told.answer.text().strip_prefix(event).unwrap();
        assert_eq!(rest.matches("data: ").count(), 1, "{half}: {rest}");
        assert!(
            rest.contains(code) && !rest.contains("[DONE]"),
            "{half}: {rest}"
        );
        told.recorded(200, "upstream_failed");
        assert_eq!(told.record["code"], code);
        assert_eq!(told.call["estimated"], true);
        assert_eq!(upstream.seen().len(), 1);
        upstream.all_closed().await;
    }
}

/// The last word of a chat, with what it used.
const FIGURES: &str = "data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n";

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_whole() {
    for (asked, media, body) in [
        (WHOLE, "application/json", "{\"a\":1}"),
        (
            STREAM,
            "text/event-stream",
            "data: {\"a\":1}\n\ndata: [DONE]\n\n",
        ),
        (
            STREAM,
            "text/event-stream",
            "data: {\"a\":1}\n\ndata: [DONE]",
        ),
        // Not every imitator of OpenAI says so, but the figures come last.
        (STREAM, "text/event-stream", FIGURES),
        (STREAM, "text/plain", FIGURES),
    ] {
        let upstream = saying([HEAD, media, "\r\n\r\n", body].concat()).await;
        let told = chat(&upstream.url(), "", asked).await;
        assert_eq!((told.answer.text(), told.answer.broken), (body, false));
        told.recorded(200, "completed");
    }
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_before_it_is_whole_is_no_whole_one() {
    let upstream = saying([HEAD, "application/json\r\n\r\n{\"a\":1"].concat()).await;
    let told = chat(&upstream.url(), "", WHOLE).await;
    assert!(told.answer.broken, "{}", told.answer.text());
    told.recorded(200, "upstream_failed");

    let event = "data: {\"a\":1}\n\n";
    let more = [FIGURES, "data: {\"a"].concat();
    for half in [
        "",
        "data: {\"a",
        &more,
        // It begins like our credential, and is kept back until more is known.
        "data: {\"a\":\"sk-",
        // Nor does the client get half of its provider's error.
        "data: {\"error\":{\"message\":\"no\"}}",
    ] {
        let upstream = saying([HEAD, "text/event-stream\r\n\r\n", event, half].concat()).await;
        let told = chat(&upstream.url(), "", STREAM).await;
        let rest = told.answer.text().strip_prefix(event).unwrap();
        assert!(rest.contains("upstream_disconnected"), "{rest}");
        assert!(!rest.contains("[DONE]") && !told.answer.broken, "{rest}");
        told.recorded(200, "upstream_failed");
        assert_eq!(told.record["code"], "upstream_disconnected");
    }
}

/// Where nothing is held back.
#[tokio::test]
async fn half_an_event_that_went_out_is_ended_before_the_error() {
    let event = "data: {\"a\":1}\n\n";
    for (path, model) in [("/v1/responses", "m"), ("/v1/messages", "c")] {
        let half = [HEAD, "text/event-stream\r\n\r\n", event, "data: {\"a"].concat();
        let told = streamed(&saying(half).await, path, model).await;
        let rest = told.answer.text().strip_prefix(event).unwrap();
        let ours = rest.strip_prefix("data: {\"a\n\n");
        let ours = ours.unwrap_or_else(|| panic!("{path}: {rest}"));
        assert!(ours.contains("upstream_disconnected"), "{path}: {rest}");
        told.recorded(200, "upstream_failed");
    }
}

/// A provider whose stream has one chunk, and then does `step`.
async fn sending(chunk: &'static str, step: Step) -> Upstream {
    Upstream::start(move |_| {
        let text = format!(
            "{HEAD}text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{chunk}\r\n",
            chunk.len()
        );
        vec![Step::Send(text.into_bytes()), step.clone()]
    })
    .await
}

/// A stream of a model behind a provider, read to its end.
async fn streamed(upstream: &Upstream, path: &str, model: &str) -> Told {
    let gateway = start(&upstream.url(), "").await;
    let body = format!(r#"{{"model":"{model}","stream":true,"max_tokens":9}}"#);
    let call = gateway.call("POST", path).bearer(LIMITED).json(&body);
    let answer = call.send().await;
    told(gateway, answer).await
}

#[tokio::test]
async fn a_cut_stream_ends_with_one_error_event() {
    for (path, model, event) in [
        ("/v1/chat/completions", "m", false),
        ("/v1/responses", "m", false),
        ("/v1/messages", "c", true),
    ] {
        for step in [Step::Reset, Step::Close] {
            for (sent, kept) in [
                ("data: {\"n\":1}\n\n", "data: {\"n\":1}\n\n"),
                // Of an event that is held back nothing is given away; of any other, what went out is ended.
                ("data: {\"n\":1}\n\ndata: {\"n", "data: {\"n\":1}\n\n"),
            ] {
                let upstream = sending(sent, step.clone()).await;
                let told = streamed(&upstream, path, model).await;
                let text = told.answer.text().to_owned();
                assert!(!told.answer.broken, "{path}: {text}");
                let rest = text
                    .strip_prefix(kept)
                    .unwrap_or_else(|| panic!("{path}: {text}"));
                let rest = rest.strip_prefix("data: {\"n\n\n").unwrap_or(rest);
                let data = if event {
                    rest.strip_prefix("event: error\ndata: ")
                } else {
                    rest.strip_prefix("data: ")
                };
                let data = data.unwrap_or_else(|| panic!("{path}: {text}"));
                let (data, behind) = data.split_once("\n\n").unwrap();
                assert_eq!(behind, "", "{path}");
                let data: serde_json::Value = serde_json::from_str(data).unwrap();
                assert!(data["error"].is_object(), "{data}");
                assert!(data.to_string().contains("upstream_disconnected"), "{data}");
                assert!(!text.contains("[DONE]"));
                told.recorded(200, "upstream_failed");
                assert_eq!(told.record["code"], "upstream_disconnected");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_whose_provider_told_of_an_error_gets_no_second_one() {
    for (path, model, event) in [
        (
            "/v1/chat/completions",
            "m",
            "data: {\"error\":{\"message\":\"no\"}}\n\n",
        ),
        (
            "/v1/responses",
            "m",
            "event: error\ndata: {\"type\":\"error\",\"message\":\"no\"}\n\n",
        ),
        (
            "/v1/messages",
            "c",
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
        ),
    ] {
        for step in [Step::Reset, Step::Close] {
            let upstream = sending(event, step.clone()).await;
            let told = streamed(&upstream, path, model).await;
            assert!(!told.answer.broken, "{path}");
            assert_eq!(told.answer.text(), event, "{path}");
            told.recorded(200, "upstream_failed");
        }
    }
}

#[tokio::test]
async fn a_stream_that_has_said_its_end_lost_nothing() {
    let text = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
    let upstream = saying(format!(
        "{HEAD}text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{text}\r\n",
        text.len()
    ))
    .await;
    let told = chat(&upstream.url(), "", STREAM).await;
    assert_eq!(
        (told.answer.text(), told.answer.broken),
        ("data: [DONE]\n\n", false)
    );
    told.recorded(200, "completed");
    assert_eq!(told.used, (1, 7));
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let many: String = (0..120).map(|index| format!("x-{index}: y\r\n")).collect();
    let large = format!("x-large: {}\r\n", "y".repeat(40 << 10));
    let heads: Vec<Vec<u8>> = vec![
        b"hello, world\r\n\r\n".to_vec(),
        b"HTTP/9.9 200 OK\r\n\r\n".to_vec(),
        b"HTTP/1.1 xyz OK\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nx-nul: a\0b\r\ncontent-length: 2\r\n\r\n{}".to_vec(),
        b"HTTP/1.1 200 OK\r\nx a: b\r\ncontent-length: 2\r\n\r\n{}".to_vec(),
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
            .to_vec(),
        format!("HTTP/1.1 200 OK\r\n{many}content-length: 2\r\n\r\n{{}}").into_bytes(),
        format!("HTTP/1.1 200 OK\r\n{large}content-length: 2\r\n\r\n{{}}").into_bytes(),
        "HTTP/1.1 103 Early Hints\r\n\r\n"
            .repeat(10_000)
            .into_bytes(),
    ];
    for head in heads {
        let shown = String::from_utf8_lossy(&head[..head.len().min(80)]).into_owned();
        // It stays open: what is wrong is the head, not that it ends.
        let upstream = Upstream::start(move |_| vec![Step::Send(head.clone()), Step::Hang]).await;
        let gateway = start(&upstream.url(), ", timeouts: {first_byte: 20s}").await;
        let answer = gateway.chat(LIMITED, WHOLE).send().await;
        let told = told(gateway, answer).await;
        assert_eq!(told.answer.status, 502, "{shown}: {}", told.answer.text());
        told.refused(502, "upstream_invalid_response", "indeterminate");
        // Such a connection is never used again.
        upstream.all_closed().await;
    }
}

#[tokio::test]
async fn a_few_informational_answers_come_before_the_real_one() {
    let text = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(10)
        + "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    let told = chat(&saying(text).await.url(), "", WHOLE).await;
    assert_eq!(
        (told.answer.status.as_u16(), told.answer.text()),
        (200, "{}")
    );
}

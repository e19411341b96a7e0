//! Streams that fail after their status was sent, and quote what they were sent.

use crate::{
    fixture::{CHAT, MESSAGE},
    harness::{Gateway, KEY, Upstream, shared_config, sse},
};

const STREAM: &str = r#"{"model":"m","stream":true}"#;
const STREAMED_MESSAGE: &str =
    r#"{"model":"c","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
/// It wants the usage chunk, so nothing is hidden from it.
const ASKS: &str = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#;

/// What a model wrote about a word that is also the credential.
const WRITTEN: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"sk-upstream\"}}]}\n\n";

async fn answered(path: &str, body: &str, frames: &[&str]) -> String {
    let steps = sse(frames);
    let upstream = Upstream::start(move |_| steps.clone()).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let call = gateway.call("POST", path).bearer(KEY).json(body);
    let answer = call.send().await;
    assert!(!answer.broken, "{path}");
    gateway.stop().await;
    answer.text().to_owned()
}

#[tokio::test]
async fn a_credential_that_an_error_event_quotes_is_masked_and_nothing_else_changes() {
    let openai = "data: {\"error\":{\"message\":\"sent Bearer sk-upstream\"}}\n\n";
    let failed = "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"error\":{\"message\":\"sk-upstream\"}}}\n\n";
    let anthropic =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"sk-ant-upstream\"}}\n\n";
    let named = "event: error\r\ndata: no sk-upstream\r\n\r\n";
    let done = "data: [DONE]\n\n";
    for (path, body, frames) in [
        ("/v1/chat/completions", STREAM, &[WRITTEN, openai, done][..]),
        ("/v1/chat/completions", ASKS, &[WRITTEN, openai]),
        // What follows a complete stream is passed on as well.
        ("/v1/chat/completions", STREAM, &[WRITTEN, done, openai]),
        ("/v1/responses", STREAM, &[WRITTEN, failed]),
        ("/v1/messages", STREAMED_MESSAGE, &[anthropic]),
        ("/raw/v1/else", CHAT, &[WRITTEN, named, openai]),
        ("/ant/v1/else", MESSAGE, &[anthropic]),
    ] {
        let sent = frames.concat();
        let (written, errors) = match sent.strip_prefix(WRITTEN) {
            Some(errors) => (WRITTEN, errors),
            None => ("", &sent[..]),
        };
        let errors = errors
            .replace("sk-upstream", "***********")
            .replace("sk-ant-upstream", "***************");
        let expected = format!("{written}{errors}");
        assert_eq!(answered(path, body, frames).await, expected, "{path}");
    }
}

#[tokio::test]
async fn it_is_masked_however_the_event_arrives() {
    let text = format!(
        "{WRITTEN}data: {{\"error\":{{\"message\":\"no sk-upstream no sk-upstr\"}}}}\n\ndata: sk-up"
    );
    let expected = text.replace("no sk-upstream", "no ***********");
    let sent = text.clone();
    let upstream = Upstream::start(move |seen| {
        let (_, cut) = seen.target.split_once("cut=").unwrap();
        let (first, second) = sent.split_at(cut.parse().unwrap());
        sse(&[first, second])
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    for cut in 1..text.len() {
        // Hiding the usage, not hiding it, and not metered.
        for (path, body) in [
            ("/v1/chat/completions", STREAM),
            ("/v1/chat/completions", ASKS),
            ("/raw/v1/else", CHAT),
        ] {
            let call = gateway.call("POST", &format!("{path}?cut={cut}"));
            let answer = call.bearer(KEY).json(body).send().await;
            assert_eq!(answer.text(), expected, "{path} {cut}");
        }
    }
    gateway.stop().await;
}

//! Streams pass frame by frame, and what is ours never disturbs them.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::harness::{Gate, Gateway, KEY, Step, Upstream, shared_config, sse, within};

const STREAM: &str = r#"{"model":"m","stream":true}"#;
const DONE: &str = "data: [DONE]\n\n";
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n";

fn chunk(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

async fn frame(body: &mut Incoming) -> Option<Bytes> {
    let frame = within("a frame", body.frame()).await?;
    Some(frame.unwrap().into_data().unwrap())
}

/// The steps of [`sse`], each but the head behind a gate.
fn gated(frames: &[&str], gate: &Gate) -> Vec<Step> {
    let mut steps = Vec::new();
    for (index, step) in sse(frames).into_iter().enumerate() {
        if index > 0 {
            steps.push(Step::Wait(gate.clone()));
        }
        steps.push(step);
    }
    steps
}

#[tokio::test]
async fn each_frame_arrives_before_the_next_is_sent() {
    let frames: Vec<String> = (0..20).map(|index| chunk(&index.to_string())).collect();
    for path in [
        "/v1/chat/completions",
        "/raw/v1/chat/completions",
        "/raw/v1/events",
    ] {
        let gate = Gate::default();
        let (sent, opened) = (frames.clone(), gate.clone());
        let upstream = Upstream::start(move |_| {
            let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
            gated(&sent, &opened)
        })
        .await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        let answer = gateway
            .call("POST", path)
            .bearer(KEY)
            .json(STREAM)
            .open()
            .await;
        assert_eq!(answer.status(), 200, "{path}");
        let mut body = answer.into_body();
        for expected in &frames {
            gate.open();
            assert_eq!(frame(&mut body).await.unwrap(), expected, "{path}");
        }
        gate.open();
        assert_eq!(frame(&mut body).await, None);
        gateway.calls(1).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn half_an_event_passes_at_once_where_nothing_is_hidden() {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |_| gated(&["data: {\"a\"", ":1}\n", "\n"], &opened)).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let body = r#"{"model":"c","stream":true,"max_tokens":9}"#;
    let call = gateway.call("POST", "/v1/messages").bearer(KEY).json(body);
    let mut body = call.open().await.into_body();
    for expected in ["data: {\"a\"", ":1}\n", "\n"] {
        gate.open();
        assert_eq!(frame(&mut body).await.unwrap(), expected);
    }
    gate.open();
    assert_eq!(frame(&mut body).await, None);
    gateway.stop().await;
}

/// What a client of `options` gets of these frames.
async fn received(provider: &str, body: &str, frames: &'static [&'static str]) -> String {
    let upstream = Upstream::start(move |_| sse(frames)).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), provider)).await;
    let answer = gateway.chat(KEY, body).send().await;
    assert!(!answer.broken);
    gateway.calls(1).await;
    let text = answer.text().to_owned();
    gateway.stop().await;
    text
}

#[tokio::test]
async fn only_the_chunk_that_we_asked_for_is_hidden() {
    const CHOICES: &str = "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n";
    const NO_USAGE: &str = "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n";
    const ERROR: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2},\"error\":{\"message\":\"boom\"}}\n\n";
    // As some imitators of OpenAI have it.
    const NULL: &str =
        "data: {\"choices\":null,\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n";
    const LEFT_OUT: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n";
    const TEXT: &str = "data: {\"choices\":null,\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2},\"text\":\"boo\"}\n\n";
    const FRAMES: &[&str] = &[
        NO_USAGE,
        CHOICES,
        ": comment\n\n",
        USAGE,
        NULL,
        LEFT_OUT,
        TEXT,
        ERROR,
        DONE,
    ];
    let without = [NO_USAGE, CHOICES, ": comment\n\n", TEXT, ERROR, DONE].concat();
    for hides in [
        "",
        r#","stream_options":{"include_usage":false}"#,
        r#","stream_options":null"#,
    ] {
        let body = format!(r#"{{"model":"m","stream":true{hides}}}"#);
        assert_eq!(received("", &body, FRAMES).await, without, "{body}");
    }
    let asks = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#;
    assert_eq!(received("", asks, FRAMES).await, FRAMES.concat());
}

#[tokio::test]
async fn a_provider_that_is_not_asked_for_usage_is_not_edited_either() {
    let upstream = Upstream::start(|_| sse(&[USAGE, DONE])).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "").replacen(
        "sk-upstream",
        "sk-upstream, stream_usage: false",
        1,
    ))
    .await;
    let answer = gateway.chat(KEY, STREAM).send().await;
    assert_eq!(answer.text(), [USAGE, DONE].concat());
    assert!(upstream.seen()[0].json().get("stream_options").is_none());
    let call = &gateway.calls(1).await[0];
    assert_eq!(
        (&call["tokens"]["output"], &call["estimated"]),
        (&2.into(), &false.into())
    );
    gateway.stop().await;
}

#[tokio::test]
async fn frames_that_join_events_lose_only_the_hidden_one() {
    const JOINED: &[&str] = &[
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\ndata: [DONE]\n\ndata: [DONE]\n\n",
    ];
    let expected = JOINED[0].replace(USAGE, "");
    assert_eq!(received("", STREAM, JOINED).await, expected);
    // `[DONE]` twice, and text behind it, are the provider's business.
    const BEHIND: &[&str] = &[DONE, DONE, "data: more", " and no end"];
    assert_eq!(received("", STREAM, BEHIND).await, BEHIND.concat());
}

#[tokio::test]
async fn an_event_of_ten_mebibytes_passes() {
    let large = chunk(&"x".repeat(10 << 20));
    let sent = large.clone();
    let upstream = Upstream::start(move |_| sse(&[&chunk("a"), &sent, USAGE, DONE])).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let answer = gateway.chat(KEY, STREAM).send().await;
    let expected = [chunk("a"), large, DONE.to_owned()].concat();
    assert_eq!(answer.body.len(), expected.len());
    assert!(answer.body == expected.as_bytes());
    let call = &gateway.calls(1).await[0];
    assert_eq!(
        (&call["tokens"]["output"], &call["estimated"]),
        (&2.into(), &false.into())
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_large_unfinished_event_is_not_held_back() {
    let gate = Gate::default();
    let opened = gate.clone();
    let start = "data: ".to_owned() + &"x".repeat(70 << 10);
    let sent = start.clone();
    let upstream = Upstream::start(move |_| gated(&[&sent, "\n\n"], &opened)).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let mut body = gateway.chat(KEY, STREAM).open().await.into_body();
    gate.open();
    let mut read = Vec::new();
    while read.len() < start.len() {
        read.extend_from_slice(&frame(&mut body).await.unwrap());
    }
    assert_eq!(read, start.as_bytes());
    gate.open();
    assert_eq!(frame(&mut body).await.unwrap(), "\n\n");
    gate.open();
    assert_eq!(frame(&mut body).await, None);
    gateway.stop().await;
}

#[tokio::test]
async fn a_streams_head_loses_its_length_and_keeps_the_rest() {
    let upstream = Upstream::start(|_| {
        let body = [USAGE, DONE].concat();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        vec![Step::Send(head.into_bytes())]
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let answer = gateway.chat(KEY, STREAM).send().await;
    assert_eq!(answer.text(), DONE);
    assert!(!answer.broken);
    assert_eq!(
        answer.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_stream_goes_on_as_it_began_while_the_file_changes() {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |_| gated(&[": a\n\n", USAGE, DONE], &opened)).await;
    let yaml = shared_config(&upstream.url(), "");
    let mut gateway = Gateway::start(&yaml).await;
    let mut body = gateway.chat(KEY, STREAM).open().await.into_body();
    gate.open();
    assert_eq!(frame(&mut body).await.unwrap(), ": a\n\n");
    // Another provider's options, another model, and the key is gone.
    let other = yaml
        .replace("sk-upstream", "sk-other, stream_usage: false")
        .replace("real-m", "other-m")
        .replace(KEY, "the-key-of-account-free-0002");
    gateway.reload(&other).await;
    assert_eq!(gateway.chat(KEY, STREAM).send().await.status, 401);
    let rest = within("the rest", async {
        let rest = body.collect();
        tokio::pin!(rest);
        loop {
            gate.open();
            tokio::select! {
                biased;
                rest = &mut rest => return rest.unwrap().to_bytes(),
                () = tokio::task::yield_now() => {}
            }
        }
    })
    .await;
    assert_eq!(rest, DONE);
    let call = &gateway.calls(1).await[0];
    assert_eq!(call["upstream_model"], "real-m");
    assert_eq!(call["tokens"]["output"], 2);
    gateway.stop().await;
}

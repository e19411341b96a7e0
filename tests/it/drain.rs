//! The end in two stages: nothing new, then nothing more; and everything is settled.

use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{
    Gate, Gateway, KEY, LIMITED, Step, Upstream, end, head, piece, raw, shared_config, within,
};

const STREAM: &str = r#"{"model":"m","stream":true}"#;

async fn waiting(media: &'static str, first: &'static str, rest: &'static str) -> (Upstream, Gate) {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |_| {
        vec![
            head(media),
            piece(first),
            Step::Wait(opened.clone()),
            piece(rest),
            end(),
        ]
    })
    .await;
    (upstream, gate)
}

/// Reads one answer with a `content-length` from a connection.
async fn answer(client: &mut tokio::net::TcpStream) -> String {
    let mut read = Vec::new();
    within("an answer", async {
        loop {
            assert!(
                client.read_buf(&mut read).await.unwrap() > 0,
                "{}",
                String::from_utf8_lossy(&read)
            );
            let text = String::from_utf8_lossy(&read);
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let lower = head.to_ascii_lowercase();
            let length = lower.split("content-length: ").nth(1).unwrap();
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if body.len() >= length {
                return text.into_owned();
            }
        }
    })
    .await
}

#[tokio::test]
async fn an_open_stream_finishes_and_nothing_new_is_taken() {
    let (upstream, gate) = waiting(
        "text/event-stream",
        "data: {\"n\":1}\n\n",
        "data: [DONE]\n\n",
    )
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let mut stream = gateway.chat(LIMITED, STREAM).open().await.into_body();
    within("a frame", stream.frame()).await.unwrap().unwrap();
    // A connection that has served before, and one that is about to ask.
    let ready = "GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut old = raw(gateway.address, ready.as_bytes()).await;
    assert!(answer(&mut old).await.starts_with("HTTP/1.1 200 "));
    let half =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n");
    let mut late = raw(gateway.address, half.as_bytes()).await;
    let mut probe = raw(gateway.address, b"GET /readyz HTTP/1.1\r\nhost: x\r\n").await;
    // The second answer shows that the bytes before it have been read too.
    old.write_all(ready.as_bytes()).await.unwrap();
    answer(&mut old).await;

    gateway.app().begin_drain();
    late.write_all(b"content-length: 0\r\n\r\n").await.unwrap();
    let refused = answer(&mut late).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("\"code\":\"draining\""), "{refused}");
    assert!(
        refused.to_ascii_lowercase().contains("connection: close"),
        "{refused}"
    );
    probe.write_all(b"\r\n").await.unwrap();
    let unready = answer(&mut probe).await;
    assert!(unready.starts_with("HTTP/1.1 503 "), "{unready}");
    // An idle connection is closed without a word.
    let mut rest = Vec::new();
    within("the end", old.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty());

    gate.open();
    let last = within("a frame", stream.frame()).await.unwrap().unwrap();
    assert_eq!(last.into_data().unwrap(), "data: [DONE]\n\n");
    assert!(within("the end", stream.frame()).await.is_none());
    let call = &gateway.calls(1).await[0];
    assert_eq!(call["outcome"], "completed");
    within("the listener ended", gateway.app().served()).await;
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_open_at_the_end_of_the_drain_is_told_and_settled() {
    for (path, model, begins) in [
        ("/v1/chat/completions", "m", "data: {\"error\":"),
        ("/v1/messages", "c", "event: error\ndata: {"),
    ] {
        let (upstream, _gate) = waiting("text/event-stream", "data: {\"n\":1}\n\n", "never").await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        let body = format!(r#"{{"model":"{model}","stream":true,"max_tokens":9}}"#);
        let call = gateway.call("POST", path).bearer(LIMITED).json(&body);
        let mut stream = call.open().await.into_body();
        within("a frame", stream.frame()).await.unwrap().unwrap();
        gateway.app().begin_drain();
        gateway.app().force();
        let last = within("a frame", stream.frame()).await.unwrap().unwrap();
        let last = String::from_utf8(last.into_data().unwrap().to_vec()).unwrap();
        assert!(last.starts_with(begins), "{last}");
        assert!(
            last.contains("draining") && last.ends_with("\n\n"),
            "{last}"
        );
        assert!(within("the end", stream.frame()).await.is_none());
        let call = &gateway.calls(1).await[0];
        // Nobody left, and what the provider would have said is not known.
        assert_eq!(call["outcome"], "indeterminate", "{path}");
        assert_eq!(call["estimated"], true);
        assert!(call["tokens"]["input"].as_u64().unwrap() > 0);
        upstream.all_closed().await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_hundred_streams_finish() {
    let (upstream, gate) = waiting(
        "text/event-stream",
        "data: {\"n\":1}\n\n",
        "data: [DONE]\n\n",
    )
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let mut streams = Vec::new();
    for _ in 0..100 {
        let mut stream = gateway.chat(LIMITED, STREAM).open().await.into_body();
        within("a frame", stream.frame()).await.unwrap().unwrap();
        streams.push(stream);
    }
    gateway.app().begin_drain();
    for stream in streams {
        let rest = stream.collect();
        tokio::pin!(rest);
        // Any of those that still wait goes on when the gate is opened.
        let rest = within("the rest", async {
            loop {
                gate.open();
                tokio::select! {
                    biased;
                    rest = &mut rest => return rest,
                    () = tokio::task::yield_now() => {}
                }
            }
        })
        .await;
        assert_eq!(rest.unwrap().to_bytes(), "data: [DONE]\n\n");
    }
    let calls = gateway.calls(100).await;
    assert!(calls.iter().all(|call| call["outcome"] == "completed"));
    within("the listener ended", gateway.app().served()).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_document_that_is_cut_off_is_broken_and_settled() {
    let (upstream, _gate) = waiting("application/json", "{", "}").await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let mut body = gateway
        .chat(LIMITED, r#"{"model":"m"}"#)
        .open()
        .await
        .into_body();
    within("a frame", body.frame()).await.unwrap().unwrap();
    gateway.app().force();
    assert!(within("the end", body.frame()).await.unwrap().is_err());
    assert_eq!(gateway.calls(1).await.len(), 1);
    gateway.stop().await;
}

/// Calls in a store on disk, read after the gateway has ended.
async fn recorded(file: &std::path::Path) -> Vec<serde_json::Value> {
    let upstream = Upstream::answering("200 OK", "{}").await;
    let gateway = Gateway::start(&with_store(file, &upstream.url())).await;
    let answer = gateway.admin("GET", "/admin/v1/calls").send().await;
    let calls = answer.value()["data"].as_array().unwrap().clone();
    gateway.stop().await;
    calls
}

fn with_store(file: &std::path::Path, url: &str) -> String {
    format!(
        "store: {{url: \"sqlite:{}\"}}\n{}",
        file.display(),
        shared_config(url, "")
    )
}

#[tokio::test]
async fn answers_without_a_reader_are_settled_before_the_store_closes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.db");
    let upstream = Upstream::start(|seen| {
        if seen.json()["x"] == "no head" {
            vec![Step::Hang]
        } else {
            vec![head("application/json"), piece("{"), Step::Hang]
        }
    })
    .await;
    let gateway = Gateway::start(&with_store(&file, &upstream.url())).await;
    let mut body = gateway
        .chat(LIMITED, r#"{"model":"m"}"#)
        .open()
        .await
        .into_body();
    within("a frame", body.frame()).await.unwrap().unwrap();
    drop(body);
    upstream.arrival().await;
    let early = tokio::spawn(
        gateway
            .chat(LIMITED, r#"{"model":"m","x":"no head"}"#)
            .open(),
    );
    upstream.arrival().await;
    early.abort();
    gateway.records(2).await;
    gateway.stop().await;
    let calls = recorded(&file).await;
    assert_eq!(calls.len(), 2, "{calls:#?}");
    for call in &calls {
        assert_eq!(call["outcome"], "client_closed");
        assert!(call["tokens"]["input"].as_u64().unwrap() > 0, "{call}");
    }
}

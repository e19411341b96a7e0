//! What is known of a stream when the program ends without warning.

use std::time::Duration;

use http_body_util::BodyExt;
use tempfile::TempDir;

use super::{adds_up, found_after, kept, priced};
use crate::{
    fixture::KEY,
    harness::{Gate, Gateway, Step, Upstream, end, head, jump, piece},
};

const STREAM: &str = r#"{"model":"m","max_tokens":10,"stream":true}"#;
const EVENT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"0123456789abcdef\"}}]}\n\n";

#[tokio::test]
async fn what_came_before_a_silence_is_noted_within_a_second() {
    for streaming in ["", "streaming: {heartbeat: off}\n"] {
        for silent_before in [false, true] {
            noted_in_the_silence(streaming, silent_before, false).await;
        }
    }
}

#[tokio::test]
async fn what_is_read_on_for_who_left_is_noted_in_a_silence_too() {
    noted_in_the_silence("", false, true).await;
}

async fn noted_in_the_silence(streaming: &str, silent_before: bool, leaves: bool) {
    let gate = Gate::default();
    let script = gate.clone();
    let upstream = Upstream::start(move |_| {
        vec![
            head("text/event-stream"),
            Step::Wait(script.clone()),
            piece(EVENT),
            Step::Wait(script.clone()),
            piece(EVENT),
            Step::Wait(script.clone()),
            end(),
        ]
    })
    .await;
    let folder = TempDir::new().unwrap();
    let yaml = priced(&upstream, "credit: required", "credit: 1") + streaming;
    let reads_on = "kind: openai, on_client_disconnect: drain";
    let yaml = if leaves {
        yaml.replacen("kind: openai", reads_on, 1)
    } else {
        yaml
    };
    let gateway = Gateway::start(&kept(&yaml, &folder)).await;
    let mut answer = gateway.chat(KEY, STREAM).open().await.into_body();
    if silent_before {
        silence(&gateway).await;
    }
    for _ in 0..2 {
        gate.open();
        answer.frame().await.unwrap().unwrap();
    }
    let mut answer = Some(answer);
    if leaves {
        answer = None;
        gateway.records(1).await;
    }

    let row = found_after(async || silence(&gateway).await, &yaml, &folder).await;
    assert_eq!(row["tokens"]["output"], 8, "{row}");
    gate.open();
    while let Some(answer) = &mut answer
        && let Some(frame) = answer.frame().await
    {
        frame.unwrap();
    }
    gateway.stop().await;
}

/// What a power cut leaves of a call whose client has gone and whose answer is read on.
#[tokio::test]
async fn a_stream_that_is_read_on_is_noted_as_it_goes() {
    let gates: [Gate; 2] = Default::default();
    let script = gates.clone();
    let upstream = Upstream::start(move |_| {
        vec![
            head("text/event-stream"),
            piece(EVENT),
            Step::Wait(script[0].clone()),
            piece(&EVENT.repeat(5)),
            Step::Wait(script[1].clone()),
            end(),
        ]
    })
    .await;
    let folder = TempDir::new().unwrap();
    let yaml = priced(&upstream, "credit: required", "credit: 1").replace(
        "api_key: sk-upstream",
        "api_key: sk-upstream, on_client_disconnect: drain",
    );
    let gateway = Gateway::start(&kept(&yaml, &folder)).await;
    let mut answer = gateway.chat(KEY, STREAM).open().await;
    answer.frame().await.unwrap().unwrap();
    drop(answer);
    gateway.records(1).await;

    let goes_on = async || {
        gateway.pass(Duration::from_secs(2));
        gates[0].open();
    };
    let row = found_after(goes_on, &yaml, &folder).await;
    // More than the client saw.
    assert!(row["tokens"]["output"].as_i64() > Some(4), "{row}");
    gates[1].open();
    gateway.calls(1).await;
    gateway.stop().await;
    adds_up(&folder, 1);
}

/// A second in which nothing comes.
async fn silence(gateway: &Gateway) {
    gateway.pass(Duration::from_secs(1));
    jump(Duration::from_secs(1)).await;
}

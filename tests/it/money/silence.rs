//! What is known of a stream that has fallen silent when the program ends without warning.

use std::{fs, time::Duration};

use http_body_util::BodyExt;
use tempfile::TempDir;

use super::{kept, priced};
use crate::{
    fixture::KEY,
    harness::{Gate, Gateway, Step, Upstream, piece, within},
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
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        vec![
            Step::Send(head.into()),
            Step::Wait(script.clone()),
            piece(EVENT),
            Step::Wait(script.clone()),
            piece(EVENT),
            Step::Wait(script.clone()),
            Step::Send(b"0\r\n\r\n".to_vec()),
        ]
    })
    .await;
    let [folder, copy] = [TempDir::new().unwrap(), TempDir::new().unwrap()];
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
    let noted = || fs::read(folder.path().join("faregate.db.inflight")).unwrap();
    let before = noted();
    silence(&gateway).await;
    within("it was noted", async {
        while noted() == before {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for file in ["faregate.db", "faregate.db-wal", "faregate.db.inflight"] {
        fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
    }
    let after = Gateway::start(&kept(&yaml, &copy)).await;
    let row = after.calls(1).await.remove(0);
    assert_eq!(row["outcome"], "indeterminate", "{row}");
    assert_eq!(row["tokens"]["output"], 8, "{row}");
    after.stop().await;
    gate.open();
    while let Some(answer) = &mut answer
        && let Some(frame) = answer.frame().await
    {
        frame.unwrap();
    }
    gateway.stop().await;
}

/// A second in which nothing comes.
async fn silence(gateway: &Gateway) {
    gateway.pass(Duration::from_secs(1));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
}

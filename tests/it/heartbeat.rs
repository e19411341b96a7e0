//! A silent stream says now and then that it lives, and says nothing else.

use http_body_util::BodyExt;

use crate::harness::{Gate, Gateway, KEY, Step, Upstream, end, head, piece, shared_config, within};

const BEAT: &[u8] = b": keep-alive\n\n";

/// Sends two and a half events, and waits before each half.
fn script(gate: &Gate) -> Vec<Step> {
    let wait = || Step::Wait(gate.clone());
    vec![
        head("text/event-stream"),
        wait(),
        piece("event: a\ndata: {\"n\""),
        wait(),
        piece(":1}\n\n"),
        wait(),
        piece("event: b\ndata: {\"n\":2}\n\n"),
        end(),
    ]
}

#[tokio::test]
async fn comments_come_between_events_only_and_nothing_else_changes() {
    for (path, body) in [
        (
            "/v1/messages",
            r#"{"model":"c","stream":true,"max_tokens":9}"#,
        ),
        ("/v1/chat/completions", r#"{"model":"m","stream":true}"#),
        ("/v1/responses", r#"{"model":"m","stream":true}"#),
    ] {
        let gate = Gate::default();
        let opened = gate.clone();
        let upstream = Upstream::start(move |_| script(&opened)).await;
        let yaml = shared_config(&upstream.url(), "") + "streaming: {heartbeat: 5ms}\n";
        let gateway = Gateway::start(&yaml).await;
        let answer = gateway
            .call("POST", path)
            .bearer(KEY)
            .json(body)
            .open()
            .await;
        let mut body = answer.into_body();
        let (mut read, mut beats) = (Vec::new(), [0; 4]);
        let mut part = 0;
        // Where the usage chunk has to be hidden, half an event is held back and the stream looks silent.
        let halves: &[&[u8]] = &[b"{\"n\"", b":1}\n\n", b"{\"n\":2}\n\n"];
        while let Some(frame) = within("a frame", body.frame()).await {
            let data = frame.unwrap().into_data().unwrap();
            if data == BEAT {
                beats[part] += 1;
                // Two beats in a silence are enough to go on.
                if beats[part] == 2 && part < 3 {
                    gate.open();
                    part += 1;
                    if path == "/v1/messages" || path == "/v1/responses" {
                        // No beat may come inside the event: the next frame is its first half, then its second.
                        let half = within("half an event", body.frame()).await;
                        let half = half.unwrap().unwrap().into_data().unwrap();
                        read.extend_from_slice(&half);
                        if part == 1 {
                            assert!(half.ends_with(halves[0]), "{half:?}");
                            let silence = tokio::time::timeout(
                                std::time::Duration::from_millis(50),
                                body.frame(),
                            );
                            assert!(silence.await.is_err(), "a beat inside an event");
                            gate.open();
                            part += 1;
                        }
                    }
                }
            } else {
                read.extend_from_slice(&data);
            }
        }
        assert_eq!(
            String::from_utf8(read).unwrap(),
            "event: a\ndata: {\"n\":1}\n\nevent: b\ndata: {\"n\":2}\n\n",
            "{path}"
        );
        assert!(beats.iter().sum::<i32>() >= 4, "{path}: {beats:?}");
        gateway.calls(1).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn what_is_no_stream_gets_no_comment() {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |_| {
        vec![
            head("application/json"),
            piece("{\"a\""),
            Step::Wait(opened.clone()),
            piece(":1}"),
            end(),
        ]
    })
    .await;
    let yaml = shared_config(&upstream.url(), "") + "streaming: {heartbeat: 1ms}\n";
    let gateway = Gateway::start(&yaml).await;
    let mut body = gateway
        .chat(KEY, r#"{"model":"m"}"#)
        .open()
        .await
        .into_body();
    let first = within("a frame", body.frame()).await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "{\"a\"");
    let silence = tokio::time::timeout(std::time::Duration::from_millis(50), body.frame()).await;
    assert!(silence.is_err());
    gate.open();
    let second = within("a frame", body.frame()).await.unwrap().unwrap();
    assert_eq!(second.into_data().unwrap(), ":1}");
    gateway.stop().await;
}

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{A, ACCOUNTS, B, metric};
use crate::{
    fixture::{CHAT, file, refused, served},
    harness::{Gate, Gateway, Step, Upstream, within},
};

const HELD: &str = "faregate_buffered_body_bytes";

const BEGIN: &str = r#"{"choices":[{"message":{"content":""#;
const END: &str = r#""}}],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;

/// An answer with `text` bytes of text, whose end waits for the gate.
async fn provider(text: usize, gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |_| {
        let length = BEGIN.len() + text + END.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        vec![
            Step::Send((head + BEGIN + &"x".repeat(text)).into_bytes()),
            Step::Wait(gate.clone()),
            Step::Send(END.into()),
        ]
    })
    .await
}

async fn shared_config(upstream: &Upstream) -> Gateway {
    let limits =
        "server: {listen: \"127.0.0.1:0\", limits: {buffered_bodies: 1MiB, json_body: 1MiB}}\n";
    Gateway::start(&(limits.to_owned() + &file(upstream, ACCOUNTS))).await
}

/// Reads so many bytes.
async fn read(body: &mut Incoming, mut bytes: usize) {
    while bytes > 0 {
        let frame = within("a frame", body.frame()).await.unwrap().unwrap();
        bytes -= frame.into_data().unwrap_or(Bytes::new()).len();
    }
}

async fn holds(gateway: &Gateway, bytes: u64) {
    let all = async { while metric(gateway, HELD).await != bytes {} };
    within("answers are held or let go", all).await;
}

/// A chat completion of so many bytes and a few.
fn chat(bytes: usize) -> String {
    CHAT.replace("hi", &"x".repeat(bytes))
}

#[tokio::test]
async fn an_answer_that_is_kept_takes_room_until_it_has_ended() {
    const TEXT: usize = 600_000;
    let gate = Gate::default();
    let upstream = provider(TEXT, &gate).await;
    let gateway = shared_config(&upstream).await;
    for leaves in [false, true] {
        let mut answer = gateway.chat(A, CHAT).open().await.into_body();
        read(&mut answer, BEGIN.len() + TEXT).await;
        holds(&gateway, (BEGIN.len() + TEXT) as u64).await;
        let large = gateway.chat(B, &chat(500_000)).send().await;
        refused(&large, 503, "overloaded");
        if leaves {
            // It is read on, and kept, because the provider bills it anyway.
            drop(answer);
            gate.open();
        } else {
            gate.open();
            read(&mut answer, END.len()).await;
        }
        holds(&gateway, 0).await;
    }
    for call in gateway.calls(2).await {
        assert_eq!(call["tokens"]["output"], 2);
        assert_eq!(call["estimated"], false);
    }
    gate.open();
    served(&gateway.chat(B, &chat(500_000)).send().await);
    gateway.stop().await;
}

#[tokio::test]
async fn an_answer_without_room_passes_and_is_charged_by_our_own_count() {
    const TEXT: usize = 1_500_000;
    let gate = Gate::default();
    gate.open();
    let upstream = provider(TEXT, &gate).await;
    let gateway = shared_config(&upstream).await;
    let answer = gateway.chat(A, CHAT).send().await;
    served(&answer);
    assert!(!answer.broken && answer.body.len() == BEGIN.len() + TEXT + END.len());
    let call = &gateway.calls(1).await[0];
    assert_eq!(
        (&call["outcome"], &call["estimated"]),
        (&"completed".into(), &true.into())
    );
    assert!(call["tokens"]["output"].as_u64().unwrap() > 2, "{call}");
    holds(&gateway, 0).await;
    let shed = "faregate_shed_calls_total{why=\"body\"}";
    assert_eq!(metric(&gateway, shed).await, 0);
    gateway.nothing_held(A).await;
    gateway.stop().await;
}

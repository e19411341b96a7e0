//! A provider that thinks for a minute: what keeps the connection open, by the clock of the defaults.

use std::time::Duration;

use http_body_util::BodyExt;

use super::{EVENT, STREAM};
use crate::harness::{
    Gate, Gateway, KEY, Step, Upstream, head, jump, piece, shared_config, within,
};

#[tokio::test]
async fn a_minute_of_silence_has_a_comment_every_fifteen_seconds() {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |_| {
        let wait = Step::Wait(opened.clone());
        vec![
            head("text/event-stream"),
            piece(EVENT),
            wait,
            piece(EVENT),
            Step::Close,
        ]
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let mut answer = gateway.chat(KEY, STREAM).open().await.into_body();
    let mut next = async || {
        let frame = within("a frame", answer.frame()).await.unwrap().unwrap();
        frame.into_data().unwrap()
    };
    assert_eq!(next().await, EVENT);
    for _ in 0..4 {
        jump(Duration::from_secs(15)).await;
        assert_eq!(next().await, ": keep-alive\n\n");
    }
    gate.open();
    assert_eq!(next().await, EVENT);
    gateway.stop().await;
}

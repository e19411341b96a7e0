//! Answers that are read on after their clients have left: how much, and how long.

use std::time::Duration;

use http_body_util::BodyExt;

use super::{ANSWER, HEALTHY, WHOLE, input, settled_calls};
use crate::harness::{
    Gate, Gateway, LIMITED, Step, Upstream, head, json, jump, piece, shared_config, within,
};

/// Opens a call for a whole answer, reads its beginning and leaves it.
async fn left(gateway: &Gateway) {
    let mut answer = gateway.chat(LIMITED, WHOLE).open().await.into_body();
    within("a frame", answer.frame()).await.unwrap().unwrap();
}

/// A provider that begins an answer and goes on with `then`.
async fn begins(then: Vec<Step>) -> Upstream {
    Upstream::start(move |seen| {
        if seen.json()["user"] == "healthy" {
            return json("200 OK", ANSWER);
        }
        let mut steps = vec![head("application/json"), piece(" ")];
        steps.extend(then.iter().cloned());
        steps
    })
    .await
}

#[tokio::test]
async fn reading_on_ends_two_minutes_after_the_client_left() {
    let upstream = begins(vec![Step::Hang]).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let mut answer = gateway.chat(LIMITED, WHOLE).open().await.into_body();
    within("a frame", answer.frame()).await.unwrap().unwrap();
    // What passes while the client is there does not count.
    jump(Duration::from_secs(119)).await;
    drop(answer);
    gateway.records(1).await;
    jump(Duration::from_secs(119)).await;
    gateway.calls(0).await;
    assert_eq!(gateway.chat(LIMITED, HEALTHY).send().await.status, 200);
    gateway.calls(1).await;
    jump(Duration::from_secs(2)).await;
    let calls = gateway.calls(2).await;
    let cut = calls.iter().find(|call| call["outcome"] == "client_closed");
    let cut = cut.unwrap();
    assert_eq!(cut["tokens"]["input"], input(WHOLE));
    assert_eq!(cut["estimated"], true);
    gateway.nothing_held(LIMITED).await;
    gateway.stop().await;
}

/// What passes before the answer's head counts as well.
#[tokio::test]
async fn reading_on_ends_two_minutes_after_the_client_left_before_the_head() {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |seen| {
        if seen.json()["user"] == "healthy" {
            // No connection is kept for another call.
            return [json("200 OK", ANSWER), vec![Step::Close]].concat();
        }
        let wait = Step::Wait(opened.clone());
        vec![wait, head("application/json"), piece(" "), Step::Hang]
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let call = tokio::spawn(gateway.chat(LIMITED, WHOLE).open());
    upstream.arrival().await;
    call.abort();
    gateway.records(1).await;
    jump(Duration::from_secs(110)).await;
    gate.open();
    // The head has come when another call has been served.
    assert_eq!(gateway.chat(LIMITED, HEALTHY).send().await.status, 200);
    gateway.calls(1).await;
    jump(Duration::from_secs(11)).await;
    let calls = gateway.calls(2).await;
    let cut = calls.iter().find(|call| call["outcome"] == "client_closed");
    assert_eq!(cut.unwrap()["tokens"]["input"], input(WHOLE));
    upstream.all_closed().await;
    gateway.nothing_held(LIMITED).await;
    gateway.stop().await;
}

#[tokio::test]
async fn reading_on_ends_after_sixty_four_mebibytes() {
    let gate = Gate::default();
    // The client has nothing of it, so that all of it counts as read on.
    let megabyte = piece(&" ".repeat(1 << 20));
    let mut then = vec![Step::Wait(gate.clone())];
    then.extend(std::iter::repeat_n(megabyte, 80));
    then.push(Step::Hang);
    let upstream = begins(then).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    left(&gateway).await;
    gateway.records(1).await;
    gate.open();
    upstream.all_closed().await;
    let call = settled_calls(&gateway, &upstream, 1).await.remove(0);
    assert_eq!(call["outcome"], "client_closed");
    assert_eq!(call["tokens"]["input"], input(WHOLE));
    assert_eq!(call["estimated"], true);
    gateway.stop().await;
}

//! Clients that take a picture or sound from a stream, and leave before it says what it used.

use http_body_util::BodyExt;
use serde_json::Value;

use super::priced;
use crate::{
    fixture::KEY,
    harness::{Gate, Gateway, Step, Upstream, sse, within},
};

const PRICE: &str =
    "m: {input: 1, output: 4, audio_output: 80, image: 0.04, features: {image_generation: 0}}";

/// The record of a stream whose client leaves when it has read `event`.
async fn left(path: &str, body: &str, event: &str) -> Value {
    let gate = Gate::default();
    let (event, behind) = (event.to_owned(), gate.clone());
    let sent = event.clone();
    let upstream = Upstream::start(move |_| {
        let mut steps = sse(&[&sent, "data: [DONE]\n\n"]);
        steps.insert(2, Step::Wait(behind.clone()));
        steps
    })
    .await;
    let yaml = priced(&upstream, "credit: required", "credit: 1000")
        .replace("m: {input: 1, output: 4}", PRICE);
    let gateway = Gateway::start(&yaml).await;
    let call = gateway.call("POST", path).bearer(KEY).json(body);
    let mut answer = call.open().await.into_body();
    let mut read = 0;
    while read < event.len() {
        let frame = within("a frame", answer.frame()).await.unwrap().unwrap();
        read += frame.into_data().unwrap().len();
    }
    drop(answer);
    gateway.nothing_held(KEY).await;
    let page = gateway.admin("GET", "/admin/v1/calls?limit=1").send().await;
    let call = page.value()["data"][0].clone();
    assert_eq!(call["outcome"], "client_closed", "{call}");
    gateway.stop().await;
    call
}

#[tokio::test]
async fn a_picture_that_was_sent_is_charged() {
    let body = r#"{"model":"m","stream":true,"max_output_tokens":5,"input":"a cat","tools":[{"type":"image_generation"}]}"#;
    for event in [
        r#"{"type":"response.output_item.done","item":{"type":"image_generation_call","result":"QUJD"}}"#,
        r#"{"type":"response.image_generation_call.partial_image","partial_image_b64":"QUJD"}"#,
    ] {
        let call = left("/v1/responses", body, &format!("data: {event}\n\n")).await;
        let input = call["tokens"]["input"].as_i64().unwrap() * 1000;
        assert_eq!(call["cost_nano_usd"], input + 40_000_000, "{call}");
    }
}

#[tokio::test]
async fn sound_that_was_sent_is_charged() {
    let body = r#"{"model":"m","stream":true,"max_tokens":500,"messages":[],"modalities":["text","audio"],"audio":{"voice":"ash"}}"#;
    // Ten tokens of sound, which is half a second, and what they say.
    let data = "A".repeat(32_000);
    let event = format!(
        r#"{{"choices":[{{"delta":{{"audio":{{"id":"a","data":"{data}","transcript":"hello"}}}}}}]}}"#
    );
    let call = left("/v1/chat/completions", body, &format!("data: {event}\n\n")).await;
    let input = call["tokens"]["input"].as_i64().unwrap() * 1000;
    assert_eq!(call["tokens"]["output"], 12, "{call}");
    assert_eq!(
        call["cost_nano_usd"],
        input + 10 * 80_000 + 2 * 4000,
        "{call}"
    );
}

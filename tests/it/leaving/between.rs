//! Leaving where a text has ended, and another begins.

use http_body_util::BodyExt;

use crate::harness::{Gate, Gateway, LIMITED, Step, Upstream, shared_config, sse, within};

#[tokio::test]
async fn who_leaves_between_two_texts_pays_for_the_first() {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |_| {
        let text = |text: &str| {
            format!(
                "data: {{\"type\":\"content_block_delta\",\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n"
            )
        };
        // More than is underway between two sockets.
        let second = text(&"a".repeat(1 << 10)).repeat(8 << 10);
        let mut steps = sse(&[
            &text("hi"),
            "data: {\"type\":\"content_block_stop\"}\n\n",
            &second,
            "data: {\"type\":\"message_delta\",\"usage\":{\"input_tokens\":50,\"output_tokens\":900}}\n\n",
        ]);
        steps.insert(3, Step::Wait(opened.clone()));
        steps
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let body = r#"{"model":"c","stream":true,"max_tokens":1000}"#;
    let call = gateway.call("POST", "/v1/messages").bearer(LIMITED);
    let mut answer = call.json(body).open().await.into_body();
    let mut read = Vec::new();
    while !read.ends_with(b"content_block_stop\"}\n\n") {
        let frame = within("a frame", answer.frame()).await.unwrap().unwrap();
        read.extend_from_slice(&frame.into_data().unwrap());
    }
    drop(answer);
    assert_eq!(gateway.records(1).await[0]["outcome"], "client_closed");
    gate.open();
    let call = gateway.calls(1).await.remove(0);
    assert_eq!(call["estimated"], true, "{call}");
    upstream.all_closed().await;
    gateway.stop().await;
}

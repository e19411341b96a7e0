//! Clients that leave: what happens upstream, and what is charged.

use http_body_util::BodyExt;
use serde_json::Value;
use tokio::{io::AsyncReadExt, task::JoinSet};

use crate::harness::{
    Call, Gate, Gateway, LIMITED, Step, Upstream, end, head, piece, raw, shared_config, sse, within,
};

const STREAM: &str = r#"{"model":"m","stream":true}"#;
const WHOLE: &str = r#"{"model":"m","messages":[]}"#;
const ANSWER: &str = r#"{"choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":50,"completion_tokens":7}}"#;

/// Our own count of a body's input.
fn input(body: &str) -> u64 {
    (body.len() as u64).div_ceil(4)
}

/// The one call of a gateway, once nothing is held any more.
async fn only_call(gateway: &Gateway) -> Value {
    let call = gateway.calls(1).await.remove(0);
    gateway.nothing_held(LIMITED).await;
    call
}

#[tokio::test]
async fn a_stream_is_cancelled_upstream_and_charged_as_far_as_it_was_seen() {
    let upstream = Upstream::start(|_| {
        vec![
            head("text/event-stream"),
            piece("data: {\"choices\":[{\"delta\":{\"content\":\"0123456789abcdef\"}}]}\n\n"),
            Step::Hang,
        ]
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let mut answer = gateway.chat(LIMITED, STREAM).open().await.into_body();
    within("a frame", answer.frame()).await.unwrap().unwrap();
    drop(answer);
    upstream.all_closed().await;
    let call = only_call(&gateway).await;
    assert_eq!(call["outcome"], "client_closed");
    assert_eq!(call["status"], 200);
    assert_eq!(call["estimated"], true);
    assert_eq!(call["tokens"]["input"], input(STREAM));
    assert_eq!(call["tokens"]["output"], 4);
    let record = &gateway.records(1).await[0];
    assert_eq!(record["outcome"], "client_closed");
    assert_eq!(record["output_tokens"], 4);
    assert_eq!(record["estimated"], true);
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_is_charged_the_input() {
    let upstream = Upstream::start(|_| vec![Step::Hang]).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let call = tokio::spawn(gateway.chat(LIMITED, STREAM).open());
    upstream.arrival().await;
    call.abort();
    upstream.all_closed().await;
    let call = only_call(&gateway).await;
    assert_eq!(call["outcome"], "client_closed");
    assert_eq!(call["status"], 499);
    assert_eq!(call["tokens"]["input"], input(STREAM));
    assert_eq!(call["tokens"]["output"], 0);
    assert!(call["first_byte_ms"].is_null());
    let record = &gateway.records(1).await[0];
    assert_eq!(
        (&record["status"], &record["outcome"]),
        (&499.into(), &"client_closed".into())
    );
    gateway.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_no_stream_is_read_to_its_end_and_charged_exactly() {
    for before_the_head in [true, false] {
        let gate = Gate::default();
        let opened = gate.clone();
        let upstream = Upstream::start(move |_| {
            let (first, second) = ANSWER.split_at(30);
            let wait = Step::Wait(opened.clone());
            let mut steps = vec![head("application/json"), piece(first), piece(second), end()];
            steps.insert(if before_the_head { 0 } else { 2 }, wait);
            steps
        })
        .await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        if before_the_head {
            let call = tokio::spawn(gateway.chat(LIMITED, WHOLE).open());
            upstream.arrival().await;
            call.abort();
            let _ = call.await;
        } else {
            let mut answer = gateway.chat(LIMITED, WHOLE).open().await.into_body();
            within("a frame", answer.frame()).await.unwrap().unwrap();
        }
        // Its record is written when the client has left, long before the call is settled.
        let record = &gateway.records(1).await[0];
        assert_eq!(record["outcome"], "client_closed");
        gate.open();
        let call = only_call(&gateway).await;
        assert_eq!(call["outcome"], "client_closed", "{before_the_head}");
        assert_eq!(call["tokens"]["input"], 50, "{before_the_head}");
        assert_eq!(call["tokens"]["output"], 7, "{before_the_head}");
        assert_eq!(call["estimated"], false, "{before_the_head}");
        // The connection lived on, and serves the next call.
        gate.open();
        gateway.chat(LIMITED, WHOLE).open().await;
        assert_eq!(*upstream.connections.borrow(), 1);
        drop(gate);
        gateway.app().force();
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_providers_own_policy_wins() {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |seen| {
        let usage =
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":50,\"completion_tokens\":7}}\n\n";
        let streams = seen.json()["stream"] == true;
        let (media, text) = if streams {
            ("text/event-stream", usage)
        } else {
            ("application/json", ANSWER)
        };
        let first = if streams { ": begins\n\n" } else { " " };
        vec![
            head(media),
            piece(first),
            Step::Wait(opened.clone()),
            piece(text),
            end(),
        ]
    })
    .await;
    for (policy, body, outcome) in [
        ("drain", STREAM, (50, 7, false)),
        ("cancel", WHOLE, (input(WHOLE), 1, true)),
    ] {
        let options = format!(", on_client_disconnect: {policy}");
        let gateway = Gateway::start(&shared_config(&upstream.url(), &options)).await;
        let mut answer = gateway.chat(LIMITED, body).open().await.into_body();
        within("a frame", answer.frame()).await.unwrap().unwrap();
        drop(answer);
        gateway.records(1).await;
        if policy == "drain" {
            gate.open();
        }
        let call = only_call(&gateway).await;
        let (input, output, estimated) = outcome;
        assert_eq!(call["outcome"], "client_closed", "{policy}");
        assert_eq!(call["tokens"]["input"], input, "{policy}");
        assert_eq!(call["tokens"]["output"], output, "{policy}");
        assert_eq!(call["estimated"], estimated, "{policy}");
        gateway.stop().await;
    }
    upstream.all_closed().await;
}

#[tokio::test]
async fn leaving_after_the_last_event_is_no_leaving() {
    let upstream = Upstream::start(|_| {
        let mut steps = sse(&[
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":50,\"completion_tokens\":7}}\n\n",
            "data: [DONE]\n\n",
        ]);
        // The end of the transfer never comes; the end of the stream was said.
        steps.pop();
        steps.push(Step::Hang);
        steps
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let mut answer = gateway.chat(LIMITED, STREAM).open().await.into_body();
    let last = within("a frame", answer.frame()).await.unwrap().unwrap();
    assert_eq!(last.into_data().unwrap(), "data: [DONE]\n\n");
    drop(answer);
    let call = only_call(&gateway).await;
    assert_eq!(call["outcome"], "completed");
    assert_eq!(
        (&call["tokens"]["input"], &call["tokens"]["output"]),
        (&50.into(), &7.into())
    );
    assert_eq!(gateway.records(1).await[0]["outcome"], "completed");
    gateway.stop().await;
}

#[tokio::test]
async fn wherever_a_client_leaves_there_is_one_record() {
    const CHUNKS: usize = 20;
    for policy in ["cancel", "drain"] {
        let gate = Gate::default();
        let opened = gate.clone();
        let upstream = Upstream::start(move |_| {
            let mut steps = vec![head("text/event-stream")];
            for index in 0..CHUNKS {
                steps.push(Step::Wait(opened.clone()));
                steps.push(piece(&format!(
                    "data: {{\"choices\":[{{\"delta\":{{\"content\":\"word{index:04}\"}}}}]}}\n\n"
                )));
            }
            steps.push(Step::Wait(opened.clone()));
            steps.push(piece(
                "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":50,\"completion_tokens\":40}}\n\ndata: [DONE]\n\n",
            ));
            steps.push(end());
            steps
        })
        .await;
        let options = format!(", on_client_disconnect: {policy}");
        let gateway = Gateway::start(&shared_config(&upstream.url(), &options)).await;
        for left_after in 0..=CHUNKS {
            let mut answer = gateway.chat(LIMITED, STREAM).open().await.into_body();
            for _ in 0..left_after {
                gate.open();
                within("a frame", answer.frame()).await.unwrap().unwrap();
            }
            drop(answer);
            // The record of the request is written when the gateway has seen that its client is gone.
            gateway.records(left_after + 1).await;
            if policy == "drain" {
                for _ in left_after..=CHUNKS {
                    gate.open();
                    tokio::task::yield_now().await;
                }
            }
            let calls = within("one more record", async {
                loop {
                    let answer = gateway.admin("GET", "/admin/v1/calls").send().await.value();
                    let calls = answer["data"].as_array().unwrap().clone();
                    if calls.len() > left_after {
                        return calls;
                    }
                    // A gate is opened for one waiter at a time.
                    if policy == "drain" {
                        gate.open();
                    }
                    tokio::task::yield_now().await;
                }
            })
            .await;
            assert_eq!(calls.len(), left_after + 1, "{policy} after {left_after}");
            gateway.nothing_held(LIMITED).await;
            gateway.pass(std::time::Duration::from_millis(1));
            let call = &calls[0];
            assert_eq!(
                call["outcome"], "client_closed",
                "{policy} after {left_after}"
            );
            let expected = if policy == "drain" {
                (50, 40, false)
            } else {
                (input(STREAM), 2 * left_after as u64, true)
            };
            let told = (
                call["tokens"]["input"].as_u64().unwrap(),
                call["tokens"]["output"].as_u64().unwrap(),
                call["estimated"].as_bool().unwrap(),
            );
            assert_eq!(told, expected, "{policy} after {left_after}");
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn not_more_than_sixty_four_answers_are_read_on_at_once() {
    beyond_sixty_four(false).await;
}

#[tokio::test]
async fn not_more_than_sixty_four_answers_are_waited_for_at_once() {
    beyond_sixty_four(true).await;
}

/// Seventy clients leave whole answers, and all but sixty-four are cut.
async fn beyond_sixty_four(before_the_head: bool) {
    const CALLS: usize = 70;
    const MOST: usize = 64;
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |_| {
        let mut steps = vec![head("application/json"), piece(" "), piece(ANSWER), end()];
        let wait = Step::Wait(opened.clone());
        steps.insert(if before_the_head { 0 } else { 2 }, wait);
        steps
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let mut answers = JoinSet::new();
    for _ in 0..CALLS {
        let call = gateway.chat(LIMITED, WHOLE).open();
        if before_the_head {
            answers.spawn(async move { call.await.into_body() });
            upstream.arrival().await;
        } else {
            let mut answer = call.await.into_body();
            within("a frame", answer.frame()).await.unwrap().unwrap();
            answers.spawn(async move {
                std::future::pending::<()>().await;
                answer
            });
        }
    }
    assert_eq!(upstream.open_connections(), CALLS);
    answers.shutdown().await;
    gateway.records(CALLS).await;
    // Those beyond are cut and settled at once; the others are read on.
    let cut = gateway.calls(CALLS - MOST).await;
    assert!(cut.iter().all(|call| call["outcome"] == "client_closed"));
    // The provider's one space is a token by our own count.
    let output = u64::from(!before_the_head);
    let seen = |call: &Value| {
        call["tokens"]["input"] == input(WHOLE) && call["tokens"]["output"] == output
    };
    assert!(cut.iter().all(seen), "{cut:#?}");
    let metrics = gateway.admin("GET", "/metrics").send().await;
    let refused = format!("\nfaregate_drains_refused_total {}\n", CALLS - MOST);
    assert!(metrics.text().contains(&refused), "{}", metrics.text());
    within("the connections of those beyond closed", async {
        while upstream.open_connections() > MOST {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(upstream.open_connections(), MOST);
    assert_eq!(under_way(&gateway).await, MOST);
    // The others' answers come, and are charged as the provider says.
    for _ in 0..MOST {
        gate.open();
    }
    let calls = gateway.calls(CALLS).await;
    let told = calls.iter().filter(|call| call["tokens"]["input"] == 50);
    assert_eq!(told.count(), MOST);
    gateway.nothing_held(LIMITED).await;
    assert_eq!(upstream.seen().len(), CALLS);
    gateway.stop().await;
}

/// How many calls hold a place of the key's.
async fn under_way(gateway: &Gateway) -> usize {
    let limits = gateway.limits(LIMITED).await;
    let mut limits = limits["limits"].as_array().unwrap().iter();
    let places = limits.find(|limit| limit["kind"] == "concurrency");
    places.unwrap()["used"].as_u64().unwrap() as usize
}

#[tokio::test]
async fn what_is_not_understood_is_cancelled_too() {
    let upstream = Upstream::start(|_| vec![head("video/mp4"), piece("frame"), Step::Hang]).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let call = gateway.call("GET", "/web/video").bearer(LIMITED);
    let mut answer = call.open().await.into_body();
    within("a frame", answer.frame()).await.unwrap().unwrap();
    drop(answer);
    upstream.all_closed().await;
    let call = only_call(&gateway).await;
    assert_eq!(call["outcome"], "client_closed");
    assert_eq!(call["tokens"]["input"], 0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_had_asked_for_more_is_found_by_the_heartbeat() {
    let upstream =
        Upstream::start(|_| vec![head("text/event-stream"), piece("data: {}\n\n"), Step::Hang])
            .await;
    let yaml = shared_config(&upstream.url(), "") + "streaming: {heartbeat: 20ms}\n";
    let gateway = Gateway::start(&yaml).await;
    // Bytes of a next request hide the end of the connection from whoever waits for an answer to the first.
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {LIMITED}\r\n\
         content-length: {}\r\n\r\n{STREAM}GET /",
        STREAM.len()
    );
    let mut client = raw(gateway.address, request.as_bytes()).await;
    let mut read = Vec::new();
    while !read.windows(8).any(|part| part == b"data: {}") {
        within("an event", client.read_buf(&mut read))
            .await
            .unwrap();
    }
    drop(client);
    upstream.all_closed().await;
    assert_eq!(only_call(&gateway).await["outcome"], "client_closed");
    gateway.stop().await;
}

/// Reads an answer until these bytes have come, and leaves.
async fn leave_after(call: Call, bytes: &[u8]) {
    let mut answer = call.open().await.into_body();
    let mut read = Vec::new();
    while !read.windows(bytes.len()).any(|part| part == bytes) {
        let frame = within("a frame", answer.frame()).await.unwrap().unwrap();
        read.extend_from_slice(&frame.into_data().unwrap());
    }
}

#[tokio::test]
async fn who_leaves_with_the_whole_answer_pays_for_what_it_took_to_think() {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |_| {
        let mut steps = sse(&[
            "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":50,\"completion_tokens\":900,\"completion_tokens_details\":{\"reasoning_tokens\":899}}}\n\n",
            "data: [DONE]\n\n",
        ]);
        steps.insert(3, Step::Wait(opened.clone()));
        steps
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    leave_after(gateway.chat(LIMITED, STREAM), b"\"stop\"").await;
    assert_eq!(gateway.records(1).await[0]["outcome"], "client_closed");
    gate.open();
    let call = only_call(&gateway).await;
    assert_eq!(
        (&call["outcome"], &call["estimated"]),
        (&"client_closed".into(), &false.into())
    );
    let tokens = &call["tokens"];
    assert_eq!(
        (&tokens["input"], &tokens["output"]),
        (&50.into(), &900.into())
    );
    // Figures that do not come are not waited for as long as for an answer.
    gateway.pass(std::time::Duration::from_millis(1));
    leave_after(gateway.chat(LIMITED, STREAM), b"\"stop\"").await;
    let call = gateway.calls(2).await.remove(0);
    assert_eq!(
        (&call["tokens"]["output"], &call["estimated"]),
        (&1.into(), &true.into())
    );
    gateway.stop().await;
}

#[tokio::test]
async fn who_leaves_with_the_last_word_of_a_response_or_message_pays_for_its_thoughts_too() {
    const RESPONSES: [&str; 5] = [
        r#"{"type":"response.output_text.delta","delta":"hi"}"#,
        r#"{"type":"response.output_text.done","text":"hi"}"#,
        r#"{"type":"response.content_part.done","part":{"type":"output_text","text":"hi"}}"#,
        r#"{"type":"response.output_item.done","item":{"type":"message","content":[{"text":"hi"}]}}"#,
        r#"{"type":"response.completed","response":{"usage":{"input_tokens":50,"output_tokens":900}}}"#,
    ];
    const MESSAGES: [&str; 5] = [
        r#"{"type":"message_start","message":{"usage":{"input_tokens":50,"output_tokens":1}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"hi"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"message_delta","usage":{"output_tokens":900}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    for (path, model, events, leaves) in [
        ("/v1/responses", "m", RESPONSES, 1),
        ("/v1/responses", "m", RESPONSES, 2),
        ("/v1/responses", "m", RESPONSES, 3),
        ("/v1/messages", "c", MESSAGES, 2),
    ] {
        let gate = Gate::default();
        let opened = gate.clone();
        let upstream = Upstream::start(move |_| {
            let events = events.map(|event| format!("data: {event}\n\n"));
            let mut steps = sse(&events.each_ref().map(String::as_str));
            steps.insert(2 + leaves, Step::Wait(opened.clone()));
            steps
        })
        .await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        let body = format!(r#"{{"model":"{model}","stream":true,"max_tokens":1000}}"#);
        let call = gateway.call("POST", path).bearer(LIMITED).json(&body);
        leave_after(call, events[leaves].as_bytes()).await;
        assert_eq!(gateway.records(1).await[0]["outcome"], "client_closed");
        gate.open();
        let call = only_call(&gateway).await;
        let tokens = &call["tokens"];
        let told = (&tokens["input"], &tokens["output"], &call["estimated"]);
        let said = (&50.into(), &900.into(), &false.into());
        assert_eq!(told, said, "{path} {leaves}");
        gateway.stop().await;
    }
}

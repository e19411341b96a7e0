//! Answers of a shape that hides what they used.

use serde_json::{Value, json};

use crate::harness::{Gateway, KEY, LIMITED, Step, Upstream, shared_config, sse};

/// The record of a call to `path` that a provider answers with `steps`.
async fn recorded(path: &str, body: &str, steps: Vec<Step>) -> Value {
    let upstream = Upstream::start(move |_| steps.clone()).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let answer = gateway.call("POST", path).bearer(KEY).json(body);
    let answer = answer.send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let call = gateway.calls(1).await.remove(0);
    gateway.stop().await;
    call
}

/// So many objects within each other.
fn nested(depth: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
}

#[tokio::test]
async fn what_a_request_may_nest_hides_nothing_of_its_answer() {
    // As deep as a request may be; the last event has it all one level deeper.
    let tools = format!(
        r#"[{{"type":"function","name":"f","parameters":{}}}]"#,
        nested(125)
    );
    let body = format!(r#"{{"model":"m","stream":true,"input":"x","tools":{tools}}}"#);
    let last = format!(
        r#"{{"type":"response.completed","response":{{"tools":{tools},"usage":{{"input_tokens":9,"output_tokens":5000,"output_tokens_details":{{"reasoning_tokens":4990}}}}}}}}"#
    );
    let call = recorded("/v1/responses", &body, sse(&[&format!("data: {last}\n\n")])).await;
    assert_eq!(call["tokens"]["output"], 5000, "{call}");
    assert_eq!(call["estimated"], false, "{call}");
    // And as deep as a model can be told to nest what it writes.
    let answer = format!(
        r#"{{"content":[{{"type":"tool_use","input":{}}}],"usage":{{"input_tokens":150000,"output_tokens":700}}}}"#,
        nested(300)
    );
    let body = json!({"model": "c", "max_tokens": 1000, "messages": []}).to_string();
    let call = recorded(
        "/v1/messages",
        &body,
        crate::harness::json("200 OK", &answer),
    )
    .await;
    assert_eq!(call["tokens"]["input"], 150_000, "{call}");
    assert_eq!(call["estimated"], false, "{call}");
}

#[tokio::test]
async fn a_picture_too_large_to_be_kept_hides_nothing_of_its_answer() {
    let picture = "A".repeat(5 << 20);
    let last = format!(
        r#"{{"type":"response.completed","response":{{"output":[{{"type":"image_generation_call","result":"{picture}"}}],"tools":[],"usage":{{"input_tokens":9,"output_tokens":5000}},"user":null}}}}"#
    );
    let body =
        r#"{"model":"m","stream":true,"input":"a cat","tools":[{"type":"image_generation"}]}"#;
    let steps = sse(&[&format!("data: {last}\n\n")]);
    let call = recorded("/v1/responses", body, steps).await;
    assert_eq!(call["tokens"]["output"], 5000, "{call}");
    assert_eq!(call["estimated"], false, "{call}");
}

#[tokio::test]
async fn an_answer_may_begin_with_a_byte_order_mark() {
    let answer = "\u{feff}{\"choices\":[{\"message\":{\"content\":\"hi\"}}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}";
    let steps = crate::harness::json("200 OK", answer);
    let call = recorded("/v1/chat/completions", r#"{"model":"m"}"#, steps).await;
    assert_eq!(call["tokens"]["input"], 7, "{call}");
    assert_eq!(call["tokens"]["output"], 3, "{call}");
    assert_eq!(call["estimated"], false, "{call}");
}

/// As Python writes what is no number, for one: a client reads it, or reads the text and steps over it.
#[tokio::test]
async fn what_cannot_be_read_of_a_stream_counts_in_full() {
    let text = "a".repeat(400);
    let body = r#"{"model":"m","stream":true,"messages":[]}"#;
    for event in [
        format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}},"logprobs":NaN}}]}}"#),
        format!("{{\"choices\":[{{\"delta\":{{\"content\":\"{text}\0\"}}}}]}}"),
        text.clone(),
    ] {
        let steps = sse(&[&format!("data: {event}\n\n"), "data:  [DONE]\n\n"]);
        let call = recorded("/v1/chat/completions", body, steps).await;
        let counted = event.len().div_ceil(4);
        assert_eq!(call["tokens"]["output"], counted, "{event}: {call}");
        assert_eq!(call["estimated"], true, "{call}");
    }
}

#[tokio::test]
async fn what_is_too_large_to_be_read_of_a_stream_counts_in_full() {
    let text = "a".repeat(5 << 20);
    let event = format!(r#"data: {{"choices":[{{"delta":{{"content":"{text}"}}}}]}}"#);
    let body = r#"{"model":"m","stream":true,"messages":[]}"#;
    for end in ["\n\ndata: [DONE]\n\n", "\n", ""] {
        let steps = sse(&[&event, end]);
        let call = recorded("/v1/chat/completions", body, steps).await;
        let output = call["tokens"]["output"].as_u64();
        assert!(output >= Some((5 << 20) / 4), "{end:?}: {call}");
        assert_eq!(call["estimated"], true, "{call}");
    }
}

/// It may be anything, and figures may come: what cannot be read is no proof that there is more than was held.
#[tokio::test]
async fn what_is_too_large_to_be_read_of_a_stream_cuts_it_not() {
    let event = format!(r#"data: {{"choices":[],"logs":"{}"}}"#, "a".repeat(5 << 20));
    let figures = r#"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
    let steps = sse(&[&event, "\n\n", figures, "\n\ndata: [DONE]\n\n"]);
    let upstream = Upstream::start(move |_| steps.clone()).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let body = r#"{"model":"m","stream":true,"messages":[]}"#;
    let answer = gateway.chat(LIMITED, body).send().await;
    assert!(answer.text().ends_with("\n\ndata: [DONE]\n\n"));
    let call = gateway.calls(1).await.remove(0);
    assert_eq!(call["outcome"], "completed", "{call}");
    assert_eq!(call["tokens"]["output"], 4, "{call}");
    gateway.stop().await;
}

/// The last event of a response has its instructions, its tools and all that came before it.
#[tokio::test]
async fn what_a_response_says_again_is_charged_once_though_it_cannot_be_read() {
    let body = r#"{"model":"m","stream":true,"input":"x"}"#;
    let text = "a".repeat(400);
    let delta =
        format!(r#"data: {{"type":"response.output_text.delta","delta":"{text}"}}"#) + "\n\n";
    let large = 5 << 20;
    for (asked, end) in [
        (40_000, ""),
        (40_000, "\",\"temperature\":NaN}}\n\n"),
        (large, ""),
        (large, "\"}}\n\n"),
    ] {
        let asked = "b".repeat(asked);
        let last = format!(
            r#"data: {{"type":"response.completed","response":{{"instructions":"{asked}{end}"#
        );
        let call = recorded("/v1/responses", body, sse(&[&delta, &last])).await;
        assert_eq!(call["tokens"]["output"], 100, "{end:?}: {call}");
        assert_eq!(call["estimated"], true, "{call}");
        // Where nothing came before, it may be all that there is.
        let call = recorded("/v1/responses", body, sse(&[&last])).await;
        let output = call["tokens"]["output"].as_u64();
        assert!(output >= Some(asked.len() as u64 / 4), "{end:?}: {call}");
    }
}

/// The records of two chats, one answered by a stream and one by a document.
async fn chats(stream: Vec<Step>, whole: &str) -> [Value; 2] {
    let chat = async |body, steps| recorded("/v1/chat/completions", body, steps).await;
    let document = crate::harness::json("200 OK", whole);
    [
        chat(r#"{"model":"m","stream":true,"messages":[]}"#, stream).await,
        chat(r#"{"model":"m","messages":[]}"#, document).await,
    ]
}

/// Zeros are what some imitators of OpenAI say instead of nothing.
#[tokio::test]
async fn an_answer_with_text_did_not_use_nothing() {
    let nothing = r#""usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#;
    let text = "a".repeat(400);
    let stream = sse(&[
        &format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"),
        &format!("data: {{\"choices\":[],{nothing}}}\n\n"),
        "data: [DONE]\n\n",
    ]);
    let whole = format!(r#"{{"choices":[{{"message":{{"content":"{text}"}}}}],{nothing}}}"#);
    for call in chats(stream, &whole).await {
        assert_eq!(call["tokens"]["output"], 100, "{call}");
        assert!(call["tokens"]["input"].as_u64() > Some(0), "{call}");
        assert_eq!(call["estimated"], true, "{call}");
    }
}

#[tokio::test]
async fn a_message_whose_last_figures_leave_the_output_out_is_counted() {
    let text = "a".repeat(400);
    for (last, output, estimated) in [
        (r#"{"output_tokens":0}"#, 100, true),
        (r#"{"output_tokens":null}"#, 100, true),
        (r#"{"input_tokens":10}"#, 100, true),
        ("{}", 100, true),
        (r#"{"output_tokens":90}"#, 90, false),
    ] {
        let stream = sse(&[
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n",
            &format!(
                "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"delta\":{{\"text\":\"{text}\"}}}}\n\n"
            ),
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
            &format!(
                "event: message_delta\ndata: {{\"type\":\"message_delta\",\"usage\":{last}}}\n\n"
            ),
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ]);
        let body = r#"{"model":"c","max_tokens":1000,"stream":true,"messages":[]}"#;
        let call = recorded("/v1/messages", body, stream).await;
        assert_eq!(call["tokens"]["input"], 10, "{last}: {call}");
        assert_eq!(call["tokens"]["output"], output, "{last}: {call}");
        assert_eq!(call["estimated"], estimated, "{last}: {call}");
    }
}

/// Google's imitation of OpenAI tells what its models thought by the total alone.
#[tokio::test]
async fn thoughts_that_are_in_the_total_alone_are_charged() {
    let usage = r#""model":"gemini-2.5-pro","usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":115}"#;
    let said = r#"{"delta":{"role":"assistant","content":"OK"},"finish_reason":"stop","index":0}"#;
    let stream = sse(&[
        &format!("data: {{\"choices\":[{said}],{usage}}}\n\n"),
        "data: [DONE]\n\n",
    ]);
    let whole = format!(r#"{{"choices":[{{"message":{{"content":"OK"}}}}],{usage}}}"#);
    for call in chats(stream, &whole).await {
        assert_eq!(call["tokens"]["input"], 9, "{call}");
        assert_eq!(call["tokens"]["output"], 106, "{call}");
        assert_eq!(call["tokens"]["reasoning"], 104, "{call}");
        assert_eq!(call["estimated"], false, "{call}");
    }
}

/// The records of two messages, one answered by a stream and one by a document.
async fn messages(stream: &[&str], whole: &str) -> [Value; 2] {
    let message = async |stream, steps| {
        let body = json!({"model": "c", "max_tokens": 1000, "stream": stream, "messages": [{"role": "user", "content": "x".repeat(4000)}]});
        recorded("/v1/messages", &body.to_string(), steps).await
    };
    let document = crate::harness::json("200 OK", whole);
    [
        message(true, sse(stream)).await,
        message(false, document).await,
    ]
}

/// Anthropic tells in a stream that it is overloaded, OpenRouter with the status of an answer that its own provider failed.
#[tokio::test]
async fn an_answer_that_is_an_error_alone_costs_no_input() {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let event = format!("event: error\ndata: {error}\n\n");
    for stream in [&event, "event: error\ndata: Overloaded\n\n"] {
        for call in messages(&[": ping\n\n", stream], error).await {
            assert_eq!(call["tokens"]["input"], 0, "{call}");
            assert_eq!(call["tokens"]["output"], 0, "{call}");
            assert_eq!(call["estimated"], false, "{call}");
            assert_eq!(call["outcome"], "upstream_failed", "{call}");
        }
    }
    // What was told or written before it is charged.
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n";
    let told = r#"{"error":{"message":"x"},"usage":{"input_tokens":9,"output_tokens":1}}"#;
    for call in messages(&[start, &event], told).await {
        assert_eq!(call["tokens"]["input"], 9, "{call}");
        assert_eq!(call["tokens"]["output"], 1, "{call}");
    }
    let delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"word\"}}\n\n";
    let written = r#"{"error":{"message":"x"},"content":[{"text":"word"}]}"#;
    for call in messages(&[delta, &event], written).await {
        assert!(call["tokens"]["input"].as_u64() > Some(1000), "{call}");
        assert_eq!(call["tokens"]["output"], 1, "{call}");
        assert_eq!(call["estimated"], true, "{call}");
    }
}

/// Whoever scores a text has it echoed, and asks for nothing more.
#[tokio::test]
async fn a_prompt_that_is_echoed_is_no_output() {
    let prompt = "word ".repeat(400);
    let body = json!({"model": "m", "prompt": prompt, "max_tokens": 0, "echo": true}).to_string();
    let scored = json!({"choices": [{"text": prompt}], "usage": {"prompt_tokens": 400, "completion_tokens": 0}});
    for (answer, input, estimated) in [
        (scored, 400, false),
        (
            json!({"choices": [{"text": prompt}]}),
            body.len().div_ceil(4),
            true,
        ),
    ] {
        let steps = crate::harness::json("200 OK", &answer.to_string());
        let call = recorded("/v1/completions", &body, steps).await;
        assert_eq!(call["tokens"]["input"], input, "{call}");
        assert_eq!(call["tokens"]["output"], 0, "{call}");
        assert_eq!(call["estimated"], estimated, "{call}");
    }
}

/// Not every imitator of OpenAI writes its responses word by word, or says what they used.
#[tokio::test]
async fn what_a_response_says_only_at_its_end_is_charged() {
    let text = "a".repeat(400);
    let item =
        format!(r#"{{"type":"message","content":[{{"type":"output_text","text":"{text}"}}]}}"#);
    let done = format!(r#"data: {{"type":"response.output_item.done","item":{item}}}"#) + "\n\n";
    let last = format!(r#"data: {{"type":"response.completed","response":{{"output":[{item}]}}}}"#)
        + "\n\n";
    let delta =
        format!(r#"data: {{"type":"response.output_text.delta","delta":"{text}"}}"#) + "\n\n";
    let body = r#"{"model":"m","stream":true,"input":"x"}"#;
    for events in [
        &[&last[..]][..],
        &[&done],
        &[&done, &last],
        &[&delta, &done, &last],
    ] {
        let call = recorded("/v1/responses", body, sse(events)).await;
        assert_eq!(call["tokens"]["output"], 100, "{events:?}: {call}");
        assert_eq!(call["estimated"], true, "{call}");
    }
}

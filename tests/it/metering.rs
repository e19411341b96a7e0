//! Answers of every endpoint: what passes, byte for byte, and what the one record of the call says.

mod shapes;

use std::{fmt::Write, fs, path::Path, time::Duration};

use serde_json::Value;

use crate::harness::{Gateway, KEY, LIMITED, Step, Upstream, gzip, head, shared_config, sse};

/// All recorded answers of a kind (`sse` or `json`), by vendor and name.
fn fixtures(extension: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found = Vec::new();
    for vendor in ["anthropic", "openai"] {
        for entry in fs::read_dir(root.join(vendor)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|own| own == extension) {
                let stem = path.file_stem().unwrap().to_string_lossy();
                found.push((format!("{vendor}/{stem}"), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(found.len() > 5);
    found
}

/// The endpoint's path and the model for a recorded answer.
fn called(name: &str) -> (&'static str, &'static str) {
    match name.split_once('/').unwrap().1.split('-').next().unwrap() {
        "chat" => ("/v1/chat/completions", "m"),
        "completion" => ("/v1/completions", "m"),
        "responses" => ("/v1/responses", "m"),
        "embeddings" => ("/v1/embeddings", "m"),
        _ => ("/v1/messages", "c"),
    }
}

/// A record without what differs from run to run.
fn describe(call: &Value) -> String {
    let mut text = String::new();
    for field in [
        "provider",
        "model",
        "upstream_model",
        "endpoint",
        "outcome",
        "status",
        "estimated",
    ] {
        let value = call[field].to_string();
        write!(text, "{} ", value.trim_matches('"')).unwrap();
    }
    assert!(call["first_byte_ms"].is_u64(), "{call}");
    assert!(call["cost_nano_usd"].is_null(), "{call}");
    let tokens = &call["tokens"];
    write!(
        text,
        "in {} (cached {}, written {}) out {} (reasoning {})",
        tokens["input"],
        tokens["cached_input"],
        tokens["cache_write"],
        tokens["output"],
        tokens["reasoning"]
    )
    .unwrap();
    text
}

/// A stream without the chunk that `include_usage` adds, by a reader that knows nothing of the gateway's.
fn without_usage_chunk(stream: &[u8]) -> Vec<u8> {
    let (mut kept, mut event, mut data, mut at) = (Vec::new(), Vec::new(), String::new(), 0);
    while at < stream.len() {
        let rest = &stream[at..];
        let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let length = length.unwrap_or(rest.len());
        let end = match rest.get(length..) {
            Some([b'\r', b'\n', ..]) => length + 2,
            Some([_, ..]) => length + 1,
            _ => length,
        };
        event.extend_from_slice(&rest[..end]);
        if let Some(text) = rest[..length].strip_prefix(b"data:") {
            data.push_str(&String::from_utf8_lossy(text));
        }
        at += end;
        if length == 0 || at == stream.len() {
            let added = serde_json::from_str::<Value>(&data).is_ok_and(|chunk| {
                chunk["choices"].as_array().is_some_and(Vec::is_empty) && chunk["usage"].is_object()
            });
            if !added {
                kept.extend_from_slice(&event);
            }
            event.clear();
            data.clear();
        }
    }
    kept
}

fn stream_in_pieces(stream: &[u8], size: usize) -> Vec<Step> {
    let mut steps = sse(&[]);
    let last = steps.pop();
    steps.extend(stream.chunks(size).map(|piece| {
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        Step::Send(chunk)
    }));
    steps.extend(last);
    steps
}

#[tokio::test]
async fn every_recorded_stream_passes_and_is_recorded_once_however_it_is_split() {
    let mut text = String::new();
    for (name, stream) in fixtures("sse") {
        let (path, model) = called(&name);
        let mut told = None;
        for size in [stream.len(), 1, 7] {
            let sent = stream.clone();
            let upstream = Upstream::start(move |_| stream_in_pieces(&sent, size)).await;
            let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
            for asks in [false, true] {
                let usage = if asks {
                    r#","stream_options":{"include_usage":true}"#
                } else {
                    ""
                };
                let body = format!(r#"{{"model":"{model}","stream":true,"max_tokens":9{usage}}}"#);
                let call = gateway.call("POST", path).bearer(LIMITED).json(&body);
                let answer = call.send().await;
                // Records are listed by time.
                gateway.pass(Duration::from_millis(1));
                assert_eq!(answer.status, 200, "{name}");
                let adds = path.ends_with("completions") && !asks;
                let expected = if adds {
                    without_usage_chunk(&stream)
                } else {
                    stream.clone()
                };
                assert_eq!(
                    String::from_utf8_lossy(&answer.body),
                    String::from_utf8_lossy(&expected),
                    "{name} in pieces of {size}, usage asked: {asks}"
                );
            }
            let calls = gateway.calls(2).await;
            gateway.nothing_held(LIMITED).await;
            let last = describe(&calls[0]);
            let told = told.get_or_insert_with(|| last.clone());
            assert_eq!(*told, last, "{name} in pieces of {size}");
            // Whether the client asked for the figures changes nothing but the size of its own body.
            assert_eq!(
                calls[0]["tokens"]["output"], calls[1]["tokens"]["output"],
                "{name}"
            );
            assert_eq!(calls[0]["estimated"], calls[1]["estimated"], "{name}");
            let used = gateway.limits(LIMITED).await;
            let total = |call: &Value| {
                call["tokens"]["input"].as_u64().unwrap()
                    + call["tokens"]["output"].as_u64().unwrap()
            };
            let tokens = used["limits"].as_array().unwrap().iter();
            let quota = tokens
                .clone()
                .find(|limit| limit["unit"] == "tokens" && limit["per"] == "day");
            assert_eq!(
                quota.unwrap()["used"],
                total(&calls[0]) + total(&calls[1]),
                "{name}"
            );
            gateway.stop().await;
        }
        writeln!(text, "{name}: {}", told.unwrap()).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn every_recorded_document_passes_and_is_recorded_once() {
    let mut text = String::new();
    for (name, document) in fixtures("json") {
        let (path, model) = called(&name);
        for size in [document.len(), 11] {
            let sent = document.clone();
            let upstream = Upstream::start(move |_| {
                let mut steps = stream_in_pieces(&sent, size);
                steps[0] = head("application/json");
                steps
            })
            .await;
            let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
            let body = format!(r#"{{"model":"{model}","input":"x"}}"#);
            let answer = gateway
                .call("POST", path)
                .bearer(KEY)
                .json(&body)
                .send()
                .await;
            assert_eq!(answer.body, document, "{name}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            let call = &gateway.calls(1).await[0];
            if size == 11 {
                writeln!(text, "{name}: {}", describe(call)).unwrap();
            }
            let record = &gateway.records(1).await[0];
            assert_eq!(record["input_tokens"], call["tokens"]["input"], "{name}");
            assert_eq!(record["bytes_out"], document.len(), "{name}");
            gateway.stop().await;
        }
    }
    insta::assert_snapshot!(text);
}

/// A chat completion whose usage object is this.
fn chat_with(usage: &str) -> String {
    format!(r#"{{"choices":[{{"message":{{"content":"0123456789abcdef"}}}}]{usage}}}"#)
}

#[tokio::test]
async fn figures_that_make_no_sense_are_never_a_credit() {
    // Our own count: 16 bytes of text are 4 tokens, and the body's size over 4 the input.
    let cases = [
        "",
        r#","usage":null"#,
        r#","usage":{}"#,
        r#","usage":"many""#,
        r#","usage":[1,2]"#,
        r#","usage":{"prompt_tokens":-5,"completion_tokens":-7,"total_tokens":-12}"#,
        r#","usage":{"prompt_tokens":"5","completion_tokens":"7"}"#,
        r#","usage":{"prompt_tokens":5.5,"completion_tokens":7}"#,
        r#","usage":{"prompt_tokens":9223372036854775807,"completion_tokens":1}"#,
        r#","usage":{"prompt_tokens":99999999999999999999999999,"completion_tokens":1}"#,
        r#","usage":{"prompt_tokens":1e3,"completion_tokens":1}"#,
        r#","usage":{"prompt_tokens":5}"#,
        r#","usage":{"completion_tokens":5}"#,
        r#","usage":{"prompt_tokens":5,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":50}}"#,
        r#","usage":{"prompt_tokens":5,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":50}}"#,
    ];
    let body = r#"{"model":"m"}"#;
    for usage in cases {
        let upstream =
            Upstream::start(move |_| crate::harness::json("200 OK", &chat_with(usage))).await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        let answer = gateway.chat(LIMITED, body).send().await;
        assert_eq!(answer.text(), chat_with(usage));
        let call = &gateway.calls(1).await[0];
        assert_eq!(call["outcome"], "completed", "{usage}");
        assert_eq!(call["estimated"], true, "{usage}");
        assert_eq!(
            call["tokens"]["input"],
            (body.len() as u64).div_ceil(4),
            "{usage}"
        );
        assert_eq!(call["tokens"]["output"], 4, "{usage}");
        gateway.nothing_held(LIMITED).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn embeddings_whose_total_alone_is_told_are_charged_by_it() {
    let vectors = |usage: &str| {
        format!(r#"{{"object":"list","data":[{{"index":0,"embedding":[0.5]}}],"usage":{usage}}}"#)
    };
    for (usage, input, estimated) in [
        (r#"{"total_tokens":47}"#, 47, false),
        (r#"{"prompt_tokens":null,"total_tokens":47}"#, 47, false),
        (r#"{"prompt_tokens":31,"total_tokens":47}"#, 31, false),
        (r#"{"total_tokens":"47"}"#, 10, true),
        (r#"{"total_tokens":0}"#, 10, true),
    ] {
        let answer = vectors(usage);
        let upstream =
            Upstream::start(move |_| crate::harness::json("200 OK", &vectors(usage))).await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        let call = gateway.call("POST", "/v1/embeddings").bearer(LIMITED);
        let body = r#"{"model":"m","input":"hi, you there"}"#;
        assert_eq!(body.len().div_ceil(4), 10);
        let served = call.json(body).send().await;
        assert_eq!(served.text(), answer);
        let call = &gateway.calls(1).await[0];
        assert_eq!(call["tokens"]["input"], input, "{usage}");
        assert_eq!(call["tokens"]["output"], 0, "{usage}");
        assert_eq!(call["estimated"], estimated, "{usage}");
        gateway.nothing_held(LIMITED).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn an_answer_that_is_no_document_counts_in_full() {
    for text in [
        "<html>sixteen b</",
        "{\"usage\":{\"prompt_tokens\":1,",
        "\u{feff}[[[[",
    ] {
        let upstream = Upstream::start(move |_| crate::harness::json("200 OK", text)).await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        let answer = gateway.chat(KEY, r#"{"model":"m"}"#).send().await;
        assert_eq!(answer.text(), text);
        let call = &gateway.calls(1).await[0];
        assert_eq!(call["estimated"], true, "{text}");
        assert_eq!(
            call["tokens"]["output"],
            (text.len() as u64).div_ceil(4),
            "{text}"
        );
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_stream_that_is_not_called_one_is_charged_as_it_says() {
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"0123456789abcdef\"}}]}\n\n\
                  data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";
    let (text, _) = stream.split_at(stream.find("data: {\"choices\":[],").unwrap());
    let length = |text: &str| format!("content-length: {}\r\n", text.len());
    // The last goes on until the connection ends, and is whole because it says so.
    let cases = [
        (
            "content-type: text/plain\r\n",
            length(stream),
            stream,
            3,
            false,
        ),
        (
            "content-type: application/json\r\n",
            length(stream),
            stream,
            3,
            false,
        ),
        ("", length(text), text, 4, true),
        ("", "connection: close\r\n".to_owned(), stream, 3, false),
    ];
    for (media, framing, text, output, estimated) in cases {
        let answer = format!("HTTP/1.1 200 OK\r\n{media}{framing}\r\n{text}").into_bytes();
        let upstream =
            Upstream::start(move |_| vec![Step::Send(answer.clone()), Step::Close]).await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        let body = r#"{"model":"m","stream":true}"#;
        let answer = gateway.chat(KEY, body).send().await;
        assert_eq!(answer.text(), text, "{media}{framing}");
        let call = &gateway.calls(1).await[0];
        assert_eq!(call["outcome"], "completed", "{media}{framing}");
        assert_eq!(call["tokens"]["output"], output, "{media}{framing}");
        assert_eq!(call["estimated"], estimated, "{media}{framing}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn an_answer_compressed_all_the_same_is_read_on_a_copy() {
    let document = chat_with(r#","usage":{"prompt_tokens":7,"completion_tokens":3}"#);
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n\
                  data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";
    for (media, text) in [
        ("application/json", document.as_str()),
        ("text/event-stream", stream),
    ] {
        let sent = gzip(text.as_bytes());
        let expected = sent.clone();
        let upstream = Upstream::start(move |_| {
            let mut steps = stream_in_pieces(&sent, 5);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n");
            steps[0] = Step::Send(head.into_bytes());
            steps
        })
        .await;
        let yaml = shared_config(&upstream.url(), "") + "streaming: {heartbeat: 1ms}\n";
        let gateway = Gateway::start(&yaml).await;
        let body = r#"{"model":"m","stream":true}"#;
        let answer = gateway
            .chat(KEY, body)
            .header("accept-encoding", "gzip")
            .send()
            .await;
        assert_eq!(answer.body, expected, "{media}");
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        let call = &gateway.calls(1).await[0];
        assert_eq!(call["tokens"]["input"], 7, "{media}: {call}");
        assert_eq!(call["tokens"]["output"], 3, "{media}");
        assert_eq!(call["estimated"], false, "{media}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn counting_tokens_and_errors_use_nothing() {
    let upstream = Upstream::start(|seen| {
        if seen.target.ends_with("count_tokens") {
            crate::harness::json("200 OK", r#"{"input_tokens":2095}"#)
        } else {
            crate::harness::json(
                "400 Bad Request",
                r#"{"error":{"message":"no","usage":{"prompt_tokens":7}}}"#,
            )
        }
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let count = gateway
        .call("POST", "/v1/messages/count_tokens")
        .bearer(LIMITED);
    let answer = count.json(r#"{"model":"c","messages":[]}"#).send().await;
    assert_eq!(answer.text(), r#"{"input_tokens":2095}"#);
    gateway.pass(Duration::from_millis(1));
    gateway.chat(LIMITED, r#"{"model":"m"}"#).send().await;
    let calls = gateway.calls(2).await;
    for call in &calls {
        assert_eq!(call["tokens"]["input"], 0, "{call}");
        assert_eq!(call["tokens"]["output"], 0, "{call}");
        assert_eq!(call["estimated"], false, "{call}");
    }
    assert_eq!(
        (&calls[0]["status"], &calls[1]["status"]),
        (&400.into(), &200.into())
    );
    gateway.nothing_held(LIMITED).await;
    gateway.stop().await;
}

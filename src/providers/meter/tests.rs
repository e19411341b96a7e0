use std::{fmt::Write, io::Write as _};

use bytes::Bytes;
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};

use super::{
    AnswerMeter, Encoding, HELD, StreamMeter,
    fixtures::{endpoint, fixtures},
};
use crate::providers::{Endpoint, Observed};

/// What passes a meter, frame by frame and at the end.
fn pass(meter: &mut StreamMeter, frames: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        if let Some(passed) = meter.push(Bytes::copy_from_slice(frame)) {
            assert_eq!(passed.is_empty(), frame.is_empty());
            out.extend_from_slice(&passed);
        }
    }
    out.extend_from_slice(&meter.finish().unwrap_or_default());
    out
}

fn chat_stream(name: &str) -> Vec<u8> {
    let name = format!("openai/chat-stream-{name}");
    let mut all = fixtures("sse").into_iter();
    all.find(|(own, _)| *own == name).expect("a fixture").1
}

fn describe(observed: &Observed, ended: Option<bool>) -> String {
    let usage = observed.usage.map_or_else(
        || "no usage".to_owned(),
        |usage| {
            format!(
                "input {} (cached {}, written {}), output {} (reasoning {})",
                usage.input, usage.cached_input, usage.cache_write, usage.output, usage.reasoning
            )
        },
    );
    let mut text = usage;
    write!(
        text,
        "; text {} in {}",
        observed.output_bytes, observed.output_events
    )
    .expect("text");
    let flags = [
        ("suspect", observed.suspect),
        ("partial", observed.partial),
        ("error", observed.error_event),
        ("cut off", ended == Some(false)),
    ];
    for (flag, _) in flags.iter().filter(|(_, set)| *set) {
        write!(text, "; {flag}").expect("text");
    }
    text
}

#[test]
fn what_is_seen_of_every_fixture() {
    let mut lines = String::new();
    for (name, text) in fixtures("sse") {
        let mut meter = StreamMeter::new(endpoint(&name));
        pass(&mut meter, &[&text]);
        let seen = describe(&meter.observed(), Some(meter.ended()));
        writeln!(lines, "{name}: {seen}").expect("text");
    }
    for (name, text) in fixtures("json") {
        let mut meter = AnswerMeter::new(endpoint(&name), Encoding::Identity);
        meter.push(&text.into());
        writeln!(lines, "{name}: {}", describe(&meter.finish(), None)).expect("text");
    }
    insta::assert_snapshot!(lines);
}

#[test]
fn a_stream_that_hides_nothing_passes_as_the_same_handles() {
    for (name, text) in fixtures("sse") {
        let mut meter = StreamMeter::new(endpoint(&name));
        for frame in text.chunks(100) {
            let frame = Bytes::copy_from_slice(frame);
            let passed = meter.push(frame.clone()).expect("the frame");
            assert_eq!(passed.as_ptr(), frame.as_ptr());
            assert_eq!(passed.len(), frame.len());
        }
        assert_eq!(meter.finish(), None);
    }
}

#[test]
fn the_usage_chunk_is_hidden_and_no_other_byte() {
    let text = chat_stream("usage");
    let text = std::str::from_utf8(&text).expect("text");
    let chunks = text.split_inclusive("\n\n");
    let expected: String = chunks.filter(|c| !c.contains("\"choices\":[]")).collect();
    assert!(expected.len() < text.len() && expected.contains("\"usage\":null"));
    let mut meter = StreamMeter::new(Endpoint::ChatCompletions).hiding_usage(true);
    let passed = pass(&mut meter, &[text.as_bytes()]);
    assert_eq!(String::from_utf8(passed).expect("text"), expected);
    assert_eq!(meter.observed().usage.expect("usage").total(), 1028);
    assert!(meter.ended());
}

#[test]
fn every_split_passes_and_shows_the_same() {
    for (name, text) in fixtures("sse") {
        for hide in [false, true] {
            let run = |frames: &[&[u8]]| {
                let mut meter = StreamMeter::new(endpoint(&name)).hiding_usage(hide);
                let passed = pass(&mut meter, frames);
                (passed, meter.observed(), meter.ended())
            };
            let whole = run(&[&text]);
            if !hide {
                assert_eq!(whole.0, text, "{name}");
            }
            for at in 0..=text.len() {
                let (start, end) = text.split_at(at);
                assert_eq!(run(&[start, end]), whole, "{name} at {at}");
            }
            let bytes: Vec<&[u8]> = text.chunks(1).collect();
            assert_eq!(run(&bytes), whole, "{name}");
        }
    }
}

#[test]
fn a_usage_chunk_at_the_end_is_hidden_without_its_blank_line() {
    let mut meter = StreamMeter::new(Endpoint::ChatCompletions).hiding_usage(true);
    let end = b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}";
    assert_eq!(pass(&mut meter, &[b"data: {}\n\n", end]), b"data: {}\n\n");
    assert_eq!(meter.observed().usage.expect("usage").total(), 4);
}

#[test]
fn a_usage_chunk_of_imitators_has_no_list_of_choices() {
    let figures = r#""usage":{"prompt_tokens":3,"completion_tokens":1}"#;
    for more in [
        r#","choices":null"#,
        "",
        r#","id":"x","object":"chat.completion.chunk","created":1,"model":"m","error":null"#,
        r#","choices":null,"system_fingerprint":"f","service_tier":"default""#,
    ] {
        let chunk = format!("data: {{{figures}{more}}}\n\n");
        let mut meter = StreamMeter::new(Endpoint::ChatCompletions).hiding_usage(true);
        assert_eq!(pass(&mut meter, &[chunk.as_bytes()]), b"", "{more}");
        assert_eq!(meter.observed().usage.expect("usage").total(), 4);
    }
}

#[test]
fn chunks_that_only_look_like_it_pass() {
    for chunk in [
        "data: {\"choices\":null,\"usage\":null}\n\n",
        "data: {\"choices\":null,\"usage\":{\"prompt_tokens\":1},\"error\":{}}\n\n",
        "data: {\"choices\":{},\"usage\":{\"prompt_tokens\":1}}\n\n",
        "data: {\"choices\":[{}],\"choices\":null,\"usage\":{\"prompt_tokens\":1}}\n\n",
        "data: {\"usage\":{\"prompt_tokens\":1},\"content\":\"a\"}\n\n",
        "data: {\"usage\":{\"prompt_tokens\":1},\"citations\":[\"a\"]}\n\n",
        "data: {\"usage\":{\"prompt_tokens\":1},\"type\":\"message_delta\"}\n\n",
        "data: {\"choices\":[],\"usage\":null}\n\n",
        "data: {\"choices\":[],\"prompt_filter_results\":[{}]}\n\n",
        "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n",
        "data: {\"choices\":[],\"usage\":{}\n\n",
        ": {\"choices\":[],\"usage\":{}}\n\n",
    ] {
        let mut meter = StreamMeter::new(Endpoint::ChatCompletions).hiding_usage(true);
        assert_eq!(pass(&mut meter, &[chunk.as_bytes()]), chunk.as_bytes());
    }
}

#[test]
fn only_an_unfinished_event_is_held_back_and_not_for_long() {
    let mut meter = StreamMeter::new(Endpoint::ChatCompletions).hiding_usage(true);
    let push = |meter: &mut StreamMeter, frame: &[u8]| meter.push(Bytes::copy_from_slice(frame));
    assert_eq!(
        push(&mut meter, b"data: a\n\ndat"),
        Some("data: a\n\n".into())
    );
    assert!(meter.at_event_boundary());
    assert_eq!(push(&mut meter, b"a: b"), None);
    assert_eq!(push(&mut meter, b"\n\n"), Some("data: b\n\n".into()));
    let large = vec![b'x'; HELD];
    assert_eq!(push(&mut meter, &large), None);
    let released = push(&mut meter, b"y").expect("too large to hold");
    assert_eq!(released.len(), HELD + 1);
    assert!(!meter.at_event_boundary());
    // From then on the event passes as it comes, and the next is held back again.
    assert_eq!(push(&mut meter, b"z"), Some("z".into()));
    assert_eq!(push(&mut meter, b"\n\nda"), Some("\n\n".into()));
    assert!(meter.at_event_boundary());
    assert_eq!(meter.finish(), Some("da".into()));
}

#[test]
fn a_line_feed_behind_a_hidden_chunk_is_hidden_too() {
    let usage =
        b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\r\n\r";
    let mut meter = StreamMeter::new(Endpoint::ChatCompletions).hiding_usage(true);
    assert_eq!(pass(&mut meter, &[usage, b"\ndata: b\n\n"]), b"data: b\n\n");
}

#[test]
fn a_boundary_is_where_an_event_has_ended() {
    let mut meter = StreamMeter::new(Endpoint::Messages);
    assert!(meter.at_event_boundary());
    meter.push("data: a\n".into());
    assert!(!meter.at_event_boundary());
    meter.push("\n".into());
    assert!(meter.at_event_boundary());
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn compressed_answers_are_read_all_the_same() {
    for (name, text) in fixtures("json") {
        let read = |encoding, body: &[u8]| {
            let mut meter = AnswerMeter::new(endpoint(&name), encoding);
            for frame in body.chunks(7) {
                meter.push(&Bytes::copy_from_slice(frame));
            }
            meter.finish()
        };
        let plain = read(Encoding::Identity, &text);
        assert_eq!(read(Encoding::Gzip, &gzip(&text)), plain, "{name}");
        assert_eq!(read(Encoding::Deflate, &zlib(&text)), plain, "{name}");
        let unread = read(Encoding::Unknown, &text);
        assert_eq!(unread.usage, None);
        let counted = if name.contains("embeddings") {
            0
        } else {
            text.len()
        };
        assert_eq!(unread.output_bytes, counted as u64);
    }
    for (name, text) in fixtures("sse") {
        let mut plain = StreamMeter::new(endpoint(&name));
        pass(&mut plain, &[&text]);
        let mut meter = StreamMeter::compressed(endpoint(&name), Encoding::Gzip);
        let body = gzip(&text);
        let frames: Vec<&[u8]> = body.chunks(11).collect();
        assert_eq!(pass(&mut meter, &frames), body);
        assert_eq!(meter.observed(), plain.observed(), "{name}");
        let mut unread = StreamMeter::compressed(endpoint(&name), Encoding::Unknown);
        assert_eq!(pass(&mut unread, &[&body]), body);
        assert_eq!(unread.observed().output_bytes, body.len() as u64);
    }
}

#[test]
fn an_answer_beyond_what_is_kept_is_not_read() {
    let mut meter = AnswerMeter::new(Endpoint::ChatCompletions, Encoding::Identity);
    let frame = Bytes::from(vec![b' '; 1 << 20]);
    for _ in 0..65 {
        meter.push(&frame);
    }
    meter.push(&"{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}".into());
    let observed = meter.finish();
    assert_eq!(observed.usage, None);
    assert!(observed.output_bytes > 65 << 20);
}

#[test]
fn bombs_damage_and_cut_answers_say_nothing() {
    let read = |encoding, body: Vec<u8>| {
        let mut meter = AnswerMeter::new(Endpoint::ChatCompletions, encoding);
        meter.push(&body.into());
        meter.finish()
    };
    let usage = r#""usage":{"prompt_tokens":1,"completion_tokens":1}"#;
    let padded = format!("{{\"x\":\"{}\",{usage}}}", "a".repeat(8 << 20));
    assert_eq!(read(Encoding::Gzip, gzip(padded.as_bytes())).usage, None);
    assert!(
        read(Encoding::Identity, padded.into_bytes())
            .usage
            .is_some()
    );
    let mut cut = gzip(format!("{{{usage}}}").as_bytes());
    cut.truncate(cut.len() - 9);
    assert_eq!(read(Encoding::Gzip, cut).usage, None);
    assert_eq!(read(Encoding::Gzip, b"not gzip".to_vec()).usage, None);
    assert_eq!(
        read(Encoding::Identity, b"{\"usage\":{".to_vec()).usage,
        None
    );
    assert_eq!(read(Encoding::Identity, Vec::new()), Observed::default());
}

#[test]
fn encodings_are_named_as_in_http() {
    let parse = Encoding::parse;
    assert_eq!(parse(None), Encoding::Identity);
    assert_eq!(parse(Some("Identity")), Encoding::Identity);
    assert_eq!(parse(Some(" GZIP ")), Encoding::Gzip);
    assert_eq!(parse(Some("x-gzip")), Encoding::Gzip);
    assert_eq!(parse(Some("deflate")), Encoding::Deflate);
    assert_eq!(parse(Some("br")), Encoding::Unknown);
    assert_eq!(parse(Some("gzip, br")), Encoding::Unknown);
}

#[test]
fn what_is_too_large_to_be_kept_is_read_at_its_ends() {
    let picture = "A".repeat(5 << 20);
    let event =
        |name: &str, rest: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\",{rest}}}\n\n");
    let drawn = format!(r#"{{"id":"ig","type":"image_generation_call","result":"{picture}"}}"#);
    let usage = r#""usage":{"input_tokens":9,"output_tokens":5000,"total_tokens":5009}"#;
    // What a tenant has put into its tools says nothing.
    let tools = r#""tools":[{"parameters":{"properties":{"usage":{"output_tokens":1}}}}]"#;
    let response = format!(
        r#""response":{{"id":"r","output":[{drawn},{drawn}],{tools},{usage},"user":"\"usage\":{{}}}}","metadata":{{}}}}"#
    );
    let stream = [
        event(
            "response.image_generation_call.partial_image",
            &format!(r#""partial_image_b64":"{picture}""#),
        ),
        event("response.output_item.done", &format!(r#""item":{drawn}"#)),
        event("response.output_item.done", &format!(r#""item":{drawn}"#)),
        event("response.completed", &response),
    ];
    for hides in [false, true] {
        for size in [usize::MAX, 16 << 10] {
            let mut meter = StreamMeter::new(Endpoint::Responses).hiding_usage(hides);
            let mut images = Vec::new();
            for event in &stream {
                let pieces: Vec<_> = event.as_bytes().chunks(size.min(event.len())).collect();
                assert_eq!(pass(&mut meter, &pieces), event.as_bytes());
                images.push(meter.observed().images);
            }
            let observed = meter.observed();
            let usage = observed.usage.expect("usage");
            assert_eq!((usage.input, usage.output), (9, 5000));
            assert_eq!(images, [1, 1, 2, 2], "{hides} {size}");
            assert!(meter.ended() && !observed.partial && !observed.suspect);
        }
    }
}

#[test]
fn figures_are_awaited_when_a_choice_has_said_why_it_ended() {
    for (reason, ended) in [("null", false), ("\"\"", false), ("\"stop\"", true)] {
        let mut meter = StreamMeter::new(Endpoint::ChatCompletions);
        let choice = format!(r#"{{"delta":{{"content":"a"}},"finish_reason":{reason}}}"#);
        let event = format!("data: {{\"choices\":[{choice}]}}\n\n");
        pass(&mut meter, &[event.as_bytes()]);
        assert_eq!(meter.awaits_figures(), ended, "{reason}");
    }
}

#[test]
fn figures_behind_the_last_word_are_whole_though_nothing_says_that_the_stream_is() {
    let usage = |output| format!(r#""usage":{{"prompt_tokens":9,"completion_tokens":{output}}}"#);
    let choice = |text: &str, reason: &str, rest: &str| {
        let choice = format!(r#"{{"delta":{{"content":"{text}"}},"finish_reason":{reason}}}"#);
        format!("data: {{\"choices\":[{choice}]{rest}}}\n\n")
    };
    let with = |output| format!(",{}", usage(output));
    let last = format!("data: {{\"choices\":[],{}}}\n\n", usage(2));
    for (events, whole) in [
        // In every chunk, in the one that says why it ended, or behind it.
        (
            vec![
                choice("a", "null", &with(1)),
                choice("b", "\"stop\"", &with(2)),
            ],
            true,
        ),
        (
            vec![choice("ab", "null", ""), choice("", "\"stop\"", &with(2))],
            true,
        ),
        (vec![choice("ab", "\"stop\"", ""), last], true),
        // Before its end, they may not be the last.
        (
            vec![choice("a", "null", &with(1)), choice("b", "\"stop\"", "")],
            false,
        ),
        (
            vec![choice("a", "\"stop\"", &with(1)), choice("b", "null", "")],
            false,
        ),
    ] {
        let mut meter = StreamMeter::new(Endpoint::ChatCompletions);
        let pieces: Vec<_> = events.iter().map(String::as_bytes).collect();
        pass(&mut meter, &pieces);
        meter.finish();
        assert_eq!(!meter.observed().partial, whole, "{events:?}");
    }
}

use super::{Seen, read};
use crate::providers::{Endpoint, usage::Tally};

fn seen(document: &str) -> Option<Seen> {
    read(document.as_bytes(), &mut Tally::default())
}

fn text(document: &str) -> u64 {
    seen(document).expect("a document").text
}

#[test]
fn text_is_measured_without_escapes_and_without_its_frame() {
    let delta = |delta: &str| {
        format!(
            r#"{{"id":"x","choices":[{{"delta":{delta},"logprobs":{{"content":[{{"token":"a"}}]}}}}]}}"#
        )
    };
    assert_eq!(
        text(&delta(r#"{"role":"assistant","content":"a\n\u00e9"}"#)),
        4
    );
    assert_eq!(
        text(&delta(r#"{"reasoning_content":"abc","content":null}"#)),
        3
    );
    let call =
        r#"{"tool_calls":[{"index":0,"id":"call","function":{"name":"fn","arguments":"{}"}}]}"#;
    assert_eq!(text(&delta(call)), 4);
    assert_eq!(text(r#"{"choices":[{"text":"abc"},{"text":"d"}]}"#), 4);
    assert_eq!(
        text(r#"{"type":"response.output_text.delta","delta":"abc"}"#),
        3
    );
    assert_eq!(text(r#"{"delta":"QUJD","type":"response.audio.delta"}"#), 0);
    assert_eq!(
        text(r#"{"type":"response.output_text.done","text":"abc"}"#),
        0
    );
    assert_eq!(
        text(
            r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"abc"}}"#
        ),
        3
    );
    assert_eq!(
        text(
            r#"{"delta":{"type":"signature_delta","signature":"abc"},"type":"content_block_delta"}"#
        ),
        0
    );
}

#[test]
fn what_was_thought_counts_once_however_often_it_is_told() {
    let delta = |delta: &str| format!(r#"{{"choices":[{{"delta":{delta}}}]}}"#);
    for told in [
        r#"{"reasoning":"abc","reasoning_details":[{"type":"reasoning.text","text":"abc","index":0}],"content":""}"#,
        r#"{"content":null,"reasoning":"abc","reasoning_content":"abc"}"#,
        r#"{"reasoning":null,"reasoning_content":"abc"}"#,
    ] {
        assert_eq!(text(&delta(told)), 3, "{told}");
    }
    let beside = r#"{"reasoning":"abc","content":"de"}"#;
    assert_eq!(text(&delta(beside)), 5);
}

#[test]
fn ends_and_errors_are_seen_in_any_order_of_members() {
    for document in [
        r#"{"type":"message_stop"}"#,
        r#"{"response":{"usage":null},"type":"response.completed"}"#,
        r#"{"type":"response.incomplete"}"#,
    ] {
        let seen = seen(document).expect("a document");
        assert!(seen.ends && !seen.error, "{document}");
    }
    assert!(seen(r#"{"type":"response.failed"}"#).is_some_and(|s| s.ends && s.error));
    assert!(seen(r#"{"error":{"message":"m"},"choices":[]}"#).is_some_and(|s| s.error));
    for none in ["null", "false", "\"\""] {
        let document = format!(r#"{{"error":{none}}}"#);
        assert!(seen(&document).is_some_and(|s| !s.error), "{document}");
    }
}

#[test]
fn pictures_are_counted_once() {
    let images = |documents: &[&str]| {
        let mut tally = Tally::default();
        for document in documents {
            read(document.as_bytes(), &mut tally).expect("a document");
        }
        tally.images()
    };
    let whole = r#"{"output":[{"type":"image_generation_call","result":"QUJD"},{"type":"message","content":[{"type":"output_text","text":"abc"}]}]}"#;
    assert_eq!((images(&[whole]), text(whole)), (1, 3));
    let stream = [
        r#"{"type":"response.image_generation_call.partial_image","partial_image_b64":"QUJD"}"#,
        r#"{"type":"response.output_item.done","item":{"type":"image_generation_call","result":"QUJD"}}"#,
        r#"{"type":"response.completed","response":{"output":[{"type":"image_generation_call","result":"QUJD"},
            {"type":"message","content":[{"type":"output_text","text":"abc"}]}]}}"#,
    ];
    // Whoever leaves with the picture has it.
    assert_eq!(
        [images(&stream[..1]), images(&stream[..2])],
        [1, 1],
        "{stream:?}"
    );
    assert_eq!(images(&stream), 1);
    // Text of a stream came in its deltas.
    assert_eq!(text(stream[2]), 0);
    let chat = r#"{"choices":[{"message":{"content":"abc","images":[{"type":"image_url"},{"type":"image_url"}]}}]}"#;
    assert_eq!((images(&[chat]), text(chat)), (2, 3));
    let chunk = r#"{"choices":[{"delta":{"images":[{"type":"image_url"}]}}]}"#;
    assert_eq!(images(&[chunk, chunk]), 2);
    assert_eq!(
        images(&[r#"{"choices":[{"message":{"content":"images"}}]}"#]),
        0
    );
}

#[test]
fn what_is_spoken_is_text_and_sound() {
    let chunk = |audio: &str| format!(r#"{{"choices":[{{"delta":{{"audio":{audio}}}}}]}}"#);
    let heard = |audio: &str| {
        let seen = seen(&chunk(audio)).expect("a chunk");
        (seen.text, seen.sound, seen.only)
    };
    assert_eq!(
        heard(r#"{"id":"a","transcript":"hello","data":"QUJD"}"#),
        (5, 4, None)
    );
    assert_eq!(heard(r#"{"id":"a","data":"QUJD"}"#), (0, 4, None));
    assert_eq!(heard(r#"{"id":"a","expires_at":7}"#), (0, 0, None));
    assert_eq!(heard("null"), (0, 0, None));
    let whole = r#"{"choices":[{"message":{"content":null,"audio":{"id":"a","data":"QUJD","transcript":"hi"}}}]}"#;
    let whole = seen(whole).expect("an answer");
    assert_eq!((whole.text, whole.sound), (2, 4));
}

#[test]
fn documents_that_were_read_have_their_own_figures() {
    let mut tally = Tally::default();
    let document = br#"{"pages":[],"usage_info":{"pages_processed":3,"doc_size_bytes":9}}"#;
    read(document, &mut tally).expect("a document");
    let tokens = br#"{"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    read(tokens, &mut tally).expect("a document");
    let (usage, suspect) = tally.usage(Endpoint::ChatCompletions);
    assert_eq!((usage.map(|usage| usage.pages), suspect), (Some(3), false));
}

#[test]
fn what_is_no_document_changes_nothing() {
    let mut tally = Tally::default();
    let cut = br#"{"usage":{"prompt_tokens":5,"completion_tokens":5},"choices":["#;
    assert_eq!(read(cut, &mut tally), None);
    assert_eq!(tally.usage(Endpoint::ChatCompletions), (None, false));
    assert_eq!(seen("[DONE]"), None);
    assert_eq!(seen("[]"), Some(Seen::default()));
    assert_eq!(seen(&"[".repeat(100_000)), None);
    let deep = format!(
        r#"{{"delta":{}1{}}}"#,
        r#"{"content":"#.repeat(100),
        "}".repeat(100)
    );
    assert_eq!(text(&deep), 0);
}

#[test]
fn figures_are_found_where_imitators_put_them() {
    let figures = r#""usage":{"prompt_tokens":9,"completion_tokens":2}"#;
    for document in [
        format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop",{figures}}}]}}"#),
        format!(
            r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop"}}],"x_groq":{{"id":"r",{figures}}}}}"#
        ),
    ] {
        let mut tally = Tally::default();
        let seen = read(document.as_bytes(), &mut tally).expect("a document");
        assert!(!seen.usage_chunk, "{document}");
        let (usage, suspect) = tally.usage(Endpoint::ChatCompletions);
        let usage = usage.map(|usage| (usage.input, usage.output));
        assert_eq!((usage, suspect), (Some((9, 2)), false), "{document}");
    }
}

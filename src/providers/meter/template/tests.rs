use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

use crate::providers::{Endpoint, meter::Sight, sse::Event};

/// Documents with places for texts, of every kind that counts in its own way.
const SHAPES: [&str; 19] = [
    r#"{"id":"c","choices":[{"index":0,"delta":{"content":"@"},"finish_reason":null}],"usage":null}"#,
    r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"@"}}]}"#,
    r#"{"id":"c","choices":[{"index":0,"delta":{"content":"@"}}],"obfuscation":"@"}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"@"}}]}}]}"#,
    r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"@"}}]}}]}"#,
    r#"{"choices":[{"delta":{"content":"@"}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
    r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#,
    r#"{"choices":[{"delta":{"content":"@","images":[{"type":"image_url"}]}}]}"#,
    r#"{"choices":[{"delta":{"content":"@"},"finish_reason":"stop"}]}"#,
    r#"{"choices":[{"delta":{"reasoning":"@","reasoning_content":"four"}}]}"#,
    r#"{"usage_info":{"pages_processed":2},"content":"@"}"#,
    r#"{"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}}"#,
    r#"{"message":{"usage":{"input_tokens":3,"output_tokens":2}},"delta":"@"}"#,
    r#"{"type":"response.output_text.delta","delta":"@"}"#,
    r#"{"type":"response.audio.delta","delta":"@"}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"@"}}"#,
    r#"{"type":"content_block_start","content_block":{"input":"@"}}"#,
    r#"{"type":"message_stop","delta":"@"}"#,
    r#"{"error":"@"}"#,
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[ -~]{0,40}",
        prop::sample::select(vec![
            "a\\n",
            "\"",
            "\u{1}",
            "\\u00e4",
            "ä",
            "\",\"content\":\"x"
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    /// A stream that is compared with itself is understood as one of which every event is read.
    #[test]
    fn what_is_compared_is_what_is_read(
        events in prop::collection::vec((0..SHAPES.len(), text(), any::<bool>()), 1..40),
    ) {
        let mut compared = Sight::default();
        let mut read = Sight::default();
        let mut last = 0;
        for (shape, text, again) in events {
            let shape = if again { last } else { shape };
            last = shape;
            let data = SHAPES[shape].replace('@', &text);
            let event = Event { name: b"", data: data.as_bytes() };
            read.template.forget();
            prop_assert_eq!(compared.take(&event), read.take(&event));
            for endpoint in [Endpoint::ChatCompletions, Endpoint::Responses, Endpoint::Messages] {
                prop_assert_eq!(compared.observed(endpoint), read.observed(endpoint));
            }
            prop_assert_eq!(compared.ended, read.ended);
            prop_assert_eq!(compared.finished, read.finished);
            prop_assert_eq!(compared.told, read.told);
            prop_assert_eq!(compared.said, read.said);
        }
    }
}

#[test]
fn only_the_first_of_many_is_read() {
    let mut sight = Sight::default();
    let start =
        br#"{"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}}"#;
    sight.take(&Event {
        name: b"",
        data: start,
    });
    for text in ["one", " two", " three"] {
        let data = SHAPES[0].replace('@', text);
        let event = Event {
            name: b"",
            data: data.as_bytes(),
        };
        assert_eq!(sight.template.text_of(event.data).is_some(), text != "one");
        sight.take(&event);
    }
    assert_eq!(sight.observed.output_bytes, 13);
    assert_eq!(sight.observed.output_events, 3);
}

/// Of two copies the longer one counts.
#[test]
fn a_thought_that_comes_twice_is_read_each_time() {
    let mut sight = Sight::default();
    for (text, counted) in [("longer", 6), ("a", 10), ("", 14), ("b", 18)] {
        let data = format!(
            r#"{{"choices":[{{"delta":{{"reasoning":"{text}","reasoning_content":"four"}}}}]}}"#
        );
        let event = Event {
            name: b"",
            data: data.as_bytes(),
        };
        sight.take(&event);
        assert_eq!(sight.observed.output_bytes, counted, "{text:?}");
    }
}

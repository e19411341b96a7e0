use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

use super::{ABSURD, Tally};
use crate::{
    domain::Usage,
    providers::{Endpoint, Observed, json::Reader},
};

/// What a sequence of usage objects comes to.
fn usage(endpoint: Endpoint, objects: &[&str]) -> (Option<Usage>, bool) {
    let mut tally = Tally::default();
    for object in objects {
        tally
            .read(&mut Reader::new(object.as_bytes()))
            .expect("JSON");
    }
    tally.usage(endpoint)
}

fn chat(object: &str) -> (Option<Usage>, bool) {
    usage(Endpoint::ChatCompletions, &[object])
}

#[test]
fn openai_counts_the_cache_inside_the_input() {
    let (usage, suspect) = chat(
        r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,
        "prompt_tokens_details":{"cached_tokens":64,"cache_write_tokens":8},"completion_tokens_details":{"reasoning_tokens":12}}"#,
    );
    let expected = Usage {
        input: 100,
        cached_input: 64,
        cache_write: 8,
        output: 20,
        reasoning: 12,
        ..Usage::default()
    };
    assert_eq!((usage, suspect), (Some(expected), false));
}

#[test]
fn reasoning_beside_the_output_is_never_taken_back() {
    let details = r#""completion_tokens_details":{"reasoning_tokens":5}"#;
    let beside =
        format!(r#"{{"prompt_tokens":10,"completion_tokens":20,"total_tokens":35,{details}}}"#);
    let later = r#"{"prompt_tokens":10,"completion_tokens":21,"total_tokens":99}"#;
    let (usage, suspect) = usage(Endpoint::ChatCompletions, &[&beside, later]);
    assert_eq!(
        usage.map(|usage| (usage.output, usage.reasoning)),
        Some((26, 5))
    );
    assert!(!suspect);
}

#[test]
fn anthropic_counts_the_cache_beside_the_input() {
    let figures = r#"{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":5,
        "cache_creation":{"ephemeral_5m_input_tokens":5},"output_tokens":3,"output_tokens_details":{"thinking_tokens":2}}"#;
    let (usage, suspect) = usage(Endpoint::Messages, &[figures]);
    let expected = Usage {
        input: 115,
        cached_input: 100,
        cache_write: 5,
        output: 3,
        reasoning: 2,
        ..Usage::default()
    };
    assert_eq!((usage, suspect), (Some(expected), false));
}

#[test]
fn steps_that_anthropic_bills_apart_are_added() {
    let steps = |compacted: u64| {
        format!(
            r#"{{"input_tokens":23000,"output_tokens":1000,"iterations":[
            {{"type":"compaction","input_tokens":{compacted},"output_tokens":3500,"cache_read_input_tokens":7,
            "cache_creation_input_tokens":3,"cache_creation":{{"ephemeral_1h_input_tokens":2}}}},
            {{"input_tokens":5,"output_tokens":6,"type":"advisor_message"}},
            {{"type":"message","input_tokens":23000,"output_tokens":1000,"iterations":[{{"type":"compaction","output_tokens":9}}]}}]}}"#
        )
    };
    let expected = Usage {
        input: 23_000 + 180_000 + 7 + 3 + 5,
        cached_input: 7,
        cache_write: 3,
        cache_write_1h: 2,
        output: 1000 + 3500 + 6,
        ..Usage::default()
    };
    let whole = steps(180_000);
    // Whether they are told once or with every figure of a stream.
    let start = r#"{"input_tokens":23000,"output_tokens":1}"#;
    for told in [
        &[whole.as_str()][..],
        &[start, &whole],
        &[start, &steps(5), &whole],
        &[&whole, r#"{"output_tokens":1000}"#],
    ] {
        let figures = usage(Endpoint::Messages, told);
        assert_eq!(figures, (Some(expected), false), "{told:?}");
    }
    for unsound in [
        r#"{"input_tokens":1,"output_tokens":1,"iterations":[{"type":"compaction","input_tokens":-1,"output_tokens":1}]}"#,
        r#"{"input_tokens":1,"output_tokens":1,"iterations":[{"type":"compaction"}]}"#,
    ] {
        assert!(usage(Endpoint::Messages, &[unsound]).1, "{unsound}");
    }
    for nothing in ["null", "[]", "{}", r#"[null,{"type":"message"}]"#] {
        let object = format!(r#"{{"input_tokens":1,"output_tokens":1,"iterations":{nothing}}}"#);
        let figures = usage(Endpoint::Messages, &[&object]);
        assert_eq!(figures.0.map(Usage::total), Some(2), "{nothing}");
        assert!(!figures.1, "{nothing}");
    }
}

#[test]
fn sound_and_cache_writes_of_an_hour_are_told_apart() {
    let (usage_of, suspect) = chat(
        r#"{"prompt_tokens":100,"completion_tokens":50,"prompt_audio_seconds":7,
        "prompt_tokens_details":{"cached_tokens":10,"audio_tokens":30},"completion_tokens_details":{"audio_tokens":40}}"#,
    );
    let expected = Usage {
        input: 100,
        cached_input: 10,
        output: 50,
        audio_input: 30,
        audio_output: 40,
        seconds: 7,
        ..Usage::default()
    };
    assert_eq!((usage_of, suspect), (Some(expected), false));
    // The parts may come without their whole, and never make it smaller.
    for whole in ["", r#""cache_creation_input_tokens":20,"#] {
        let object = format!(
            r#"{{"input_tokens":1,"output_tokens":2,{whole}"cache_creation":{{"ephemeral_5m_input_tokens":5,"ephemeral_1h_input_tokens":15}}}}"#
        );
        let expected = Usage {
            input: 21,
            cache_write: 20,
            cache_write_1h: 15,
            output: 2,
            ..Usage::default()
        };
        assert_eq!(
            usage(Endpoint::Messages, &[&object]),
            (Some(expected), false)
        );
    }
    let pages = r#"{"prompt_tokens":1,"completion_tokens":2,"pages_processed":3}"#;
    assert_eq!(chat(pages).0.map(|usage| usage.pages), Some(3));
}

#[test]
fn more_sound_than_there_is_of_anything_is_suspect() {
    for object in [
        r#"{"prompt_tokens":5,"completion_tokens":5,"prompt_tokens_details":{"audio_tokens":9}}"#,
        r#"{"prompt_tokens":5,"completion_tokens":5,"completion_tokens_details":{"audio_tokens":9}}"#,
    ] {
        let (usage, suspect) = chat(object);
        let usage = usage.expect("usage");
        assert!(suspect && usage.audio_input <= 5 && usage.audio_output <= 5);
    }
}

#[test]
fn pictures_count_whether_there_are_figures_or_not() {
    let drawn = Observed {
        images: 2,
        ..Observed::default()
    };
    assert_eq!(drawn.settle(7, None).0.images, 2);
    let mut tally = Tally::default();
    tally.made_images(1);
    tally.made_images(1);
    let object = br#"{"prompt_tokens":5,"completion_tokens":5}"#;
    tally.read(&mut Reader::new(object)).expect("JSON");
    let (usage, _) = tally.usage(Endpoint::ChatCompletions);
    assert_eq!(usage.map(|usage| usage.images), Some(2));
}

#[test]
fn embeddings_have_no_output() {
    let (figures, suspect) = usage(
        Endpoint::Embeddings,
        &[r#"{"prompt_tokens":8,"total_tokens":8}"#],
    );
    assert_eq!(figures.map(Usage::total), Some(8));
    assert!(!suspect);
    // Jina, Voyage and others tell the total alone, and it has nothing but input.
    let total = r#"{"total_tokens":8}"#;
    let (figures, suspect) = usage(Endpoint::Embeddings, &[total]);
    assert_eq!(
        figures.map(|usage| (usage.input, usage.total())),
        Some((8, 8))
    );
    assert!(!suspect);
    for endpoint in [
        Endpoint::ChatCompletions,
        Endpoint::Completions,
        Endpoint::Responses,
        Endpoint::Messages,
    ] {
        assert_eq!(usage(endpoint, &[total]), (None, true), "{endpoint:?}");
    }
    let later = r#"{"prompt_tokens":3,"total_tokens":8}"#;
    let both = |objects: &[&str]| usage(Endpoint::Embeddings, objects).0.map(Usage::total);
    assert_eq!(both(&[later]), Some(3));
    assert_eq!(both(&[total, later]), Some(8), "nothing is taken back");
    for unclear in [
        r#"{"total_tokens":0}"#,
        r#"{"total_tokens":8,"completion_tokens":3}"#,
    ] {
        let read = usage(Endpoint::Embeddings, &[unclear]);
        assert_eq!(read, (None, true), "{unclear}");
    }
    // A chat without an output figure says nothing that can be settled by.
    assert_eq!(
        chat(r#"{"prompt_tokens":8,"total_tokens":8}"#),
        (None, true)
    );
}

#[test]
fn reasoning_beside_the_output_is_taken_in() {
    let (usage, suspect) = chat(
        r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":235,"completion_tokens_details":{"reasoning_tokens":194}}"#,
    );
    let usage = usage.expect("usage");
    assert_eq!((usage.output, usage.reasoning, suspect), (203, 194, false));
}

#[test]
fn what_is_in_the_total_alone_was_thought_by_googles_models() {
    // Of output, reasoning and whether they are suspect.
    let read = |endpoint, object: &str| {
        let mut tally = Tally {
            thinks_untold: true,
            ..Tally::default()
        };
        let mut reader = Reader::new(object.as_bytes());
        tally.read(&mut reader).expect("JSON");
        let (usage, suspect) = tally.usage(endpoint);
        usage.map(|usage| (usage.output, usage.reasoning, suspect))
    };
    let figures = |more: &str| {
        format!(r#"{{"prompt_tokens":9,"completion_tokens":2,"total_tokens":115{more}}}"#)
    };
    for endpoint in [
        Endpoint::ChatCompletions,
        Endpoint::Completions,
        Endpoint::Responses,
    ] {
        for nothing in ["", r#","completion_tokens_details":{"reasoning_tokens":0}"#] {
            let thought = read(endpoint, &figures(nothing));
            assert_eq!(thought, Some((106, 104, false)), "{nothing}");
        }
    }
    // Where nothing else was written, the output may be left out.
    let alone = r#"{"prompt_tokens":9,"total_tokens":55}"#;
    let alone = read(Endpoint::ChatCompletions, alone);
    assert_eq!(alone, Some((46, 46, false)));
    // More of the input may be in it as well: sound by the second, or what a cache had.
    for input in [
        r#","prompt_audio_seconds":8"#,
        r#","pages_processed":3"#,
        r#","cache_read_input_tokens":104"#,
        r#","cache_creation_input_tokens":104"#,
        r#","cache_read_input_tokens":100,"cache_creation_input_tokens":4"#,
    ] {
        let seen = read(Endpoint::ChatCompletions, &figures(input));
        assert_eq!(
            seen.map(|(output, reasoning, _)| (output, reasoning)),
            Some((2, 0)),
            "{input}"
        );
    }
    // Who does not count the input has it in the total.
    for output in ["0", "2"] {
        let uncounted =
            format!(r#"{{"prompt_tokens":0,"completion_tokens":{output},"total_tokens":115}}"#);
        let seen = read(Endpoint::ChatCompletions, &uncounted);
        assert_eq!(seen, output.parse().ok().map(|output| (output, 0, false)));
    }
    // Reasoning that is named is all there is, and what has no output has none.
    let named = r#","completion_tokens_details":{"reasoning_tokens":1}"#;
    let named = read(Endpoint::ChatCompletions, &figures(named));
    assert_eq!(named, Some((2, 1, false)));
    let vectors = r#"{"prompt_tokens":9,"total_tokens":115}"#;
    assert_eq!(read(Endpoint::Embeddings, vectors), Some((0, 0, false)));
    // Whoever else adds up wrongly is believed the parts.
    let (wrong, suspect) = chat(&figures(""));
    assert_eq!((wrong.map(|usage| usage.output), suspect), (Some(2), false));
}

#[test]
fn running_totals_are_never_added_and_never_shrink() {
    let start = r#"{"input_tokens":25,"output_tokens":1}"#;
    let (grown, suspect) = usage(
        Endpoint::Messages,
        &[start, r#"{"output_tokens":9}"#, r#"{"output_tokens":15}"#],
    );
    assert_eq!((grown.map(Usage::total), suspect), (Some(40), false));
    let (shrunk, suspect) = usage(
        Endpoint::Messages,
        &[start, r#"{"output_tokens":15}"#, r#"{"output_tokens":9}"#],
    );
    assert_eq!((shrunk.map(Usage::total), suspect), (Some(40), true));
    let (as_before, suspect) = usage(
        Endpoint::Messages,
        &[start, r#"{"input_tokens":0,"output_tokens":15}"#],
    );
    assert_eq!((as_before.map(Usage::total), suspect), (Some(40), false));
}

/// As servers write them that know no integers.
#[test]
fn figures_with_a_fraction_of_nothing_are_counts() {
    let (usage, suspect) = chat(
        r#"{"prompt_tokens":100.0,"completion_tokens":20.0,"total_tokens":120.0,"prompt_tokens_details":{"cached_tokens":64.0}}"#,
    );
    let expected = Usage {
        input: 100,
        cached_input: 64,
        output: 20,
        ..Usage::default()
    };
    assert_eq!((usage, suspect), (Some(expected), false));
}

#[test]
fn what_is_no_count_is_suspect() {
    for figure in [
        "-1",
        "1.5",
        "1e3",
        "\"7\"",
        "true",
        "[]",
        "{}",
        "1099511627777",
        "99999999999999999999",
    ] {
        let object = format!(r#"{{"prompt_tokens":{figure},"completion_tokens":1}}"#);
        assert_eq!(chat(&object), (None, true), "{figure}");
        let object = format!(
            r#"{{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{{"cached_tokens":{figure}}}}}"#
        );
        let (usage, suspect) = chat(&object);
        assert_eq!(
            (usage.map(Usage::total), suspect),
            (Some(6), true),
            "{figure}"
        );
    }
    for object in ["[]", "1", "\"x\"", "{}"] {
        assert_eq!(chat(object), (None, true), "{object}");
    }
    assert_eq!(chat("null"), (None, false));
}

#[test]
fn more_cache_than_input_is_suspect_and_no_credit() {
    let (usage, suspect) = chat(
        r#"{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":90,"cache_write_tokens":5}}"#,
    );
    let usage = usage.expect("usage");
    assert_eq!((usage.cached_input, usage.cache_write), (10, 0));
    assert!(suspect);
}

fn figure() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<u64>().prop_map(|n| n.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        (0..=ABSURD + 1).prop_map(|n| n.to_string()),
        (0..50_u32).prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| serde_json::json!(n).to_string()),
        Just("null".to_owned()),
        Just("\"9\"".to_owned()),
    ]
}

fn object() -> impl Strategy<Value = String> {
    let names = [
        "prompt_tokens",
        "completion_tokens",
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cached_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
    ];
    let member = (prop::sample::select(names.to_vec()), figure());
    prop::collection::vec(member, 0..8).prop_map(|members| {
        let written = members.into_iter().map(|(name, figure)| match name {
            "cached_tokens" | "cache_write_tokens" => {
                format!("\"prompt_tokens_details\":{{\"{name}\":{figure}}}")
            }
            "reasoning_tokens" => {
                format!("\"output_tokens_details\":{{\"{name}\":{figure}}}")
            }
            _ => format!("\"{name}\":{figure}"),
        });
        format!("{{{}}}", written.collect::<Vec<_>>().join(","))
    })
}

proptest! {
    #[test]
    fn figures_never_wrap_and_always_make_sense(objects in prop::collection::vec(object(), 0..4)) {
        let objects: Vec<&str> = objects.iter().map(String::as_str).collect();
        for endpoint in [Endpoint::ChatCompletions, Endpoint::Responses, Endpoint::Messages, Endpoint::Embeddings] {
            let (read, suspect) = usage(endpoint, &objects);
            let Some(read) = read else { continue };
            assert!(read.input <= 3 * ABSURD && read.output <= 2 * ABSURD);
            assert!(read.cached_input + read.cache_write <= read.input);
            assert!(read.reasoning <= read.output);
            // Saying more afterwards never makes the bill smaller.
            let mut more = objects.clone();
            more.push(r#"{"prompt_tokens":1,"completion_tokens":1}"#);
            let (later, later_suspect) = usage(endpoint, &more);
            assert!(later.is_some_and(|later| later.total() >= read.total()));
            prop_assert_eq!(suspect && !later_suspect, false);
        }
    }
}

#[test]
fn what_was_read_from_a_cache_has_several_names() {
    for cached in [
        r#""prompt_tokens_details":{"cached_tokens":16}"#,
        r#""prompt_cache_hit_tokens":16,"prompt_cache_miss_tokens":24"#,
        r#""cached_tokens":16"#,
        r#""cached_tokens":16,"prompt_tokens_details":{"cached_tokens":16},"prompt_cache_hit_tokens":16"#,
    ] {
        let object = format!(r#"{{"prompt_tokens":40,"completion_tokens":5,{cached}}}"#);
        let (usage, suspect) = chat(&object);
        let usage = usage.expect("usage");
        assert_eq!(
            (usage.input, usage.cached_input, usage.cache_write, suspect),
            (40, 16, 0, false),
            "{cached}"
        );
    }
}

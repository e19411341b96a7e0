use super::Observed;
use crate::domain::Usage;

#[test]
fn settlement_trusts_only_whole_and_sound_figures() {
    let usage = Usage {
        input: 25,
        output: 4,
        ..Usage::default()
    };
    let whole = Observed {
        usage: Some(usage),
        output_bytes: 400,
        ..Observed::default()
    };
    assert_eq!(whole.settle(7, None), (usage, false));
    let partial = Observed {
        partial: true,
        ..whole
    };
    let counted = Usage {
        output: 100,
        ..usage
    };
    assert_eq!(partial.settle(7, None), (counted, true));
    // What the provider itself says is not bounded by what it was told.
    let bounded = |most| partial.settle(7, Some(most)).0.output;
    assert_eq!(bounded(u64::MAX), counted.output);
    assert_eq!(bounded(0), partial.usage.unwrap().output);
    for unsound in [
        Observed {
            suspect: true,
            ..whole
        },
        Observed {
            usage: None,
            ..whole
        },
    ] {
        let own = Usage {
            input: 7,
            ..counted
        };
        assert_eq!(unsound.settle(7, None), (own, true));
    }
}

#[test]
fn no_figures_are_zero_where_text_was_written() {
    let seen = |input, output, output_bytes| {
        let usage = Usage {
            input,
            output,
            ..Usage::default()
        };
        let observed = Observed {
            usage: Some(usage),
            output_bytes,
            ..Observed::default()
        };
        let (usage, estimated) = observed.settle(7, None);
        (usage.input, usage.output, estimated)
    };
    assert_eq!(seen(0, 0, 400), (7, 100, true));
    assert_eq!(seen(25, 0, 400), (25, 100, true));
    // Nothing was written, and so nothing was counted.
    assert_eq!(seen(25, 0, 0), (25, 0, false));
    assert_eq!(seen(0, 0, 0), (0, 0, false));
}

/// Whoever asks for the prompt, of a provider that leaves it out, and goes before the figures come.
#[test]
fn an_echo_hides_no_words_that_came_one_by_one() {
    let seen = |output_bytes, output_events| Observed {
        output_bytes,
        output_events,
        ..Observed::default()
    };
    let words = seen(1600, 400);
    assert_eq!(words.without_echo(0), words);
    let left = words.without_echo(10_000);
    assert_eq!(left.output_at_least(), 400);
    assert_eq!(left.settle(10, None).0.output, 200);
    // A prompt comes back at once, and may be all that does.
    assert_eq!(seen(500, 1).without_echo(600).output_bytes, 0);
    assert_eq!(seen(500, 0).without_echo(600).output_bytes, 0);
    assert_eq!(seen(520, 2).without_echo(500).output_bytes, 20);
}

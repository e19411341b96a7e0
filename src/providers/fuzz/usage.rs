//! What an answer says it used: never more than it says, never less than nothing, and as a second reader has it.

use bytes::Bytes;

use super::{
    addressed,
    figures::{Expected, Figures},
    second,
};
use crate::{
    domain::Usage,
    providers::{AnswerMeter, Encoding, Endpoint, Observed, StreamMeter, json::DEPTH},
};

/// More tokens than any figures can come to: input, cache and output are at most 2^40 each.
const CEILING: u64 = 1 << 43;

/// An answer: the first byte is the endpoint. It is read whole, and its lines as the events of a stream.
pub(crate) fn usage(data: &[u8]) {
    let Some((endpoint, document)) = addressed(data) else {
        return;
    };
    let frame = Bytes::copy_from_slice(document);
    let observed = whole(endpoint, Encoding::Identity, std::slice::from_ref(&frame));
    sensible(&observed, document);
    let shallow = second::depth(document) <= DEPTH;
    if let Some(members) = second::members(document).filter(|_| shallow) {
        let found = Figures::of(&members);
        if !found.steps {
            let (expected, suspect) = found.expected(endpoint);
            assert_eq!(observed.suspect, suspect);
            assert_eq!(observed.usage.map(|usage| figures(&usage)), expected);
        }
    } else if shallow && !second::is_document(document) {
        assert_eq!(observed.usage, None);
    }
    // However the answer arrives.
    let halves = [
        frame.slice(..frame.len() / 2),
        frame.slice(frame.len() / 2..),
    ];
    assert_eq!(whole(endpoint, Encoding::Identity, &halves), observed);
    for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Unknown] {
        sensible(&whole(endpoint, encoding, &halves), &[]);
    }
    streamed(endpoint, document);
}

/// Each line as an event: figures never fall, and never come from nowhere.
fn streamed(endpoint: Endpoint, document: &[u8]) {
    let mut meter = StreamMeter::new(endpoint);
    let mut before = meter.observed();
    for line in document.split(|byte| *byte == b'\n') {
        let event = [b"data: ", line, b"\n\n"].concat();
        meter.push(event.into());
        let now = meter.observed();
        assert!(now.output_bytes >= before.output_bytes && now.images >= before.images);
        assert!(now.output_events >= before.output_events);
        assert!(
            now.suspect || !before.suspect || now.usage.is_some(),
            "suspicion is kept"
        );
        if let (Some(before), Some(now)) = (before.usage, now.usage) {
            assert!(
                now.input >= before.input && now.output >= before.output,
                "figures fell"
            );
            assert!(now.seconds >= before.seconds && now.pages >= before.pages);
        }
        assert!(
            now.usage.is_some() || before.usage.is_none(),
            "figures were forgotten"
        );
        before = now;
    }
    meter.finish();
    sensible(&meter.observed(), document);
}

fn whole(endpoint: Endpoint, encoding: Encoding, frames: &[Bytes]) -> Observed {
    let mut meter = AnswerMeter::new(endpoint, encoding);
    frames.iter().for_each(|frame| meter.push(frame));
    meter.finish()
}

/// What holds of any figures, suspect or not.
fn sensible(observed: &Observed, document: &[u8]) {
    if !document.is_empty() {
        assert!(observed.output_bytes <= document.len() as u64);
        assert!(observed.images <= document.len() as u64);
    }
    assert!(observed.output_at_least() <= observed.output_bytes);
    if let Some(usage) = observed.usage {
        parts(&usage);
    }
    for input in [0, 1000, u64::MAX] {
        let (settled, estimated) = observed.settle(input, None);
        assert!(settled.output <= CEILING.max(observed.output_bytes));
        assert!(estimated || (observed.usage == Some(settled) && !observed.suspect));
        if observed.usage.is_none() || observed.suspect {
            assert_eq!(
                settled.input, input,
                "figures that are not trusted do not count"
            );
        }
    }
}

/// The parts of what was used are parts of it.
fn parts(usage: &Usage) {
    assert!(usage.input <= CEILING && usage.output <= CEILING);
    assert!(usage.cached_input + usage.cache_write <= usage.input);
    assert!(usage.cache_write_1h <= usage.cache_write);
    assert!(usage.reasoning <= usage.output);
    assert!(usage.audio_input <= usage.input && usage.audio_output <= usage.output);
}

fn figures(usage: &Usage) -> Expected {
    Expected {
        input: usage.input.into(),
        cached_input: usage.cached_input.into(),
        cache_write: usage.cache_write.into(),
        cache_write_1h: usage.cache_write_1h.into(),
        output: usage.output.into(),
        reasoning: usage.reasoning.into(),
        audio_input: usage.audio_input.into(),
        audio_output: usage.audio_output.into(),
        seconds: usage.seconds.into(),
        pages: usage.pages.into(),
    }
}

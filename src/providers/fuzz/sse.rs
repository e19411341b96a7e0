//! Server-sent events: the same for every split, and the same as a reader that goes line by line.

use bytes::Bytes;

use super::{addressed, second};
use crate::providers::{
    Endpoint, Observed, StreamMeter,
    json::DEPTH,
    sse::{LARGEST, Scanner},
};

/// The name and the data of an event.
type Event = (Vec<u8>, Vec<u8>);

const MARK: &[u8] = b"\xef\xbb\xbf";

/// A stream: the first byte is the endpoint, the second says where it is split.
pub(crate) fn stream(data: &[u8]) {
    let Some((endpoint, rest)) = addressed(data) else {
        return;
    };
    let Some((seed, text)) = rest.split_first() else {
        return;
    };
    if text.len() >= LARGEST {
        return;
    }
    let whole = [text];
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    let pieces = split(text, *seed);
    let expected = line_by_line(text);
    for frames in [&whole[..], &bytes, &pieces] {
        assert_eq!(scanned(frames), expected);
    }

    let plain = metered(endpoint, false, &whole);
    assert_eq!(plain.0, text, "what is not hidden passes as it is");
    let hiding = metered(endpoint, true, &whole);
    assert_eq!((&hiding.1, hiding.2), (&plain.1, plain.2));
    for frames in [&bytes, &pieces] {
        assert_eq!(metered(endpoint, false, frames), plain);
        assert_eq!(metered(endpoint, true, frames), hiding);
    }
    assert!(plain.1.output_bytes <= text.len() as u64);
    assert!(plain.1.output_at_least() <= plain.1.output_bytes);
    hides_usage_alone(text, &hiding.0, &expected);
}

/// The events that are left are those that are no usage chunk.
fn hides_usage_alone(text: &[u8], left: &[u8], events: &[Event]) {
    // A mark that comes to stand first would be read as none.
    let marked = text.windows(3).skip(1).any(|window| window == MARK);
    let read =
        |(_, data): &Event| std::str::from_utf8(data).is_ok() && second::depth(data) <= DEPTH;
    if marked || !events.iter().all(read) {
        return;
    }
    let shown = events.iter().filter(|(_, data)| !is_usage_chunk(data));
    let shown: Vec<Event> = shown.cloned().collect();
    assert_eq!(line_by_line(left), shown);
    if shown.len() == events.len() {
        assert_eq!(left, text);
    }
}

/// The chunk that `include_usage` adds: a usage object, no choices, and no error; without a list of choices, nothing else.
fn is_usage_chunk(data: &[u8]) -> bool {
    let Some(members) = second::members(data) else {
        return false;
    };
    let named = |wanted: &'static str| {
        let members = members.iter();
        members.filter(move |(name, _)| name.as_deref() == Some(wanted))
    };
    let usage = named("usage").any(|(_, value)| value.starts_with('{'));
    let choices = named("choices").next_back().map(|(_, value)| *value);
    let error = named("error").any(|(_, value)| *value != "null");
    let empty = |value: &str| {
        value.starts_with('[') && second::items(value).is_some_and(|items| items.is_empty())
    };
    let frame = [
        "id",
        "object",
        "created",
        "model",
        "system_fingerprint",
        "service_tier",
        "usage",
    ];
    let bare = members.iter().all(|(name, value)| {
        let name = name.as_deref();
        let choices = name == Some("choices") && empty(value);
        *value == "null" || choices || name.is_some_and(|name| frame.contains(&name))
    });
    usage && !error && (choices.is_some_and(empty) || bare)
}

/// What the scanner finds.
fn scanned(frames: &[&[u8]]) -> Vec<Event> {
    let mut scanner = Scanner::new();
    let mut events = Vec::new();
    for frame in frames {
        let mut at = scanner.begin(frame);
        assert!(at <= frame.len());
        while let Some(cut) = scanner.next(frame, at) {
            assert!(cut.end > at && cut.end <= frame.len());
            events.extend(
                cut.event
                    .map(|event| (event.name.to_vec(), event.data.to_vec())),
            );
            at = cut.end;
            assert!(scanner.at_boundary());
        }
    }
    events.extend(
        scanner
            .last()
            .map(|event| (event.name.to_vec(), event.data.to_vec())),
    );
    events
}

/// What goes out, what was seen, and whether the stream said that it is complete.
fn metered(endpoint: Endpoint, hide: bool, frames: &[&[u8]]) -> (Vec<u8>, Observed, bool) {
    let mut meter = StreamMeter::new(endpoint).hiding_usage(hide);
    let mut out = Vec::new();
    for frame in frames {
        out.extend(
            meter
                .push(Bytes::copy_from_slice(frame))
                .unwrap_or_default(),
        );
    }
    out.extend(meter.finish().unwrap_or_default());
    (out, meter.observed(), meter.ended())
}

/// Pieces of at most sixteen bytes, by a generator of Lehmer's.
fn split(mut text: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed) + 1;
    let mut pieces = Vec::new();
    while !text.is_empty() {
        state = state.wrapping_mul(48_271) % 0x7fff_ffff;
        let length = usize::try_from(state % 17).unwrap_or(0).min(text.len());
        let (piece, rest) = text.split_at(length);
        pieces.push(piece);
        text = rest;
    }
    pieces
}

/// The standard's own steps (WHATWG HTML §9.2.6), but that an event at the end needs no blank line.
fn line_by_line(text: &[u8]) -> Vec<Event> {
    let mut rest = text.strip_prefix(MARK).unwrap_or(text);
    let (mut events, mut name, mut data) = (Vec::new(), Vec::new(), Vec::new());
    while !rest.is_empty() {
        let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let (line, behind) = rest.split_at(length.unwrap_or(rest.len()));
        rest = match behind {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => behind,
        };
        if line.is_empty() {
            dispatch(&mut events, &mut name, &mut data);
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => name = value.to_vec(),
            b"data" => {
                data.extend_from_slice(value);
                data.push(b'\n');
            }
            _ => {}
        }
    }
    dispatch(&mut events, &mut name, &mut data);
    events
}

fn dispatch(events: &mut Vec<Event>, name: &mut Vec<u8>, data: &mut Vec<u8>) {
    let (name, mut data) = (std::mem::take(name), std::mem::take(data));
    data.pop();
    // The standard lets one empty line of data through; nobody sends that.
    if !data.is_empty() {
        events.push((name, data));
    }
}

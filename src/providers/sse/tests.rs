use proptest::prelude::{any, prop, prop_assert_eq, proptest};

use super::{END, LARGEST, Scanner};
use crate::providers::meter::fixtures::fixtures;

/// The events of frames, as texts.
fn events(frames: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut scanner = Scanner::new();
    let mut events = Vec::new();
    for frame in frames {
        let mut at = scanner.begin(frame);
        while let Some(cut) = scanner.next(frame, at) {
            assert!(cut.end > at && cut.end <= frame.len());
            if let Some(event) = cut.event {
                events.push((event.name.to_vec(), event.data.to_vec()));
            }
            at = cut.end;
        }
    }
    if let Some(event) = scanner.last() {
        events.push((event.name.to_vec(), event.data.to_vec()));
    }
    events
}

fn data(text: &str) -> Vec<String> {
    let whole = events(&[text.as_bytes()]);
    let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
    assert_eq!(events(&bytes), whole, "{text:?}");
    whole
        .into_iter()
        .map(|(_, data)| String::from_utf8(data).expect("text"))
        .collect()
}

#[test]
fn events_end_with_a_blank_line_of_any_kind() {
    assert_eq!(data("data: a\n\ndata: b\n\n"), ["a", "b"]);
    assert_eq!(data("data: a\r\n\r\ndata: b\r\n\r\n"), ["a", "b"]);
    assert_eq!(data("data: a\r\rdata: b\r\r"), ["a", "b"]);
    assert_eq!(
        data("data: a\n\r\ndata: b\r\n\rdata: c\r\n\n"),
        ["a", "b", "c"]
    );
    assert_eq!(data("\n\n\ndata: a\n\n\n\n\ndata: b\n\n"), ["a", "b"]);
}

#[test]
fn fields_are_read_as_the_standard_says() {
    assert_eq!(data("data:a\ndata: b\ndata:  c\n\n"), ["a\nb\n c"]);
    assert_eq!(data(": comment\ndata: a\nid: 1\nretry: 9\nx: y\n\n"), ["a"]);
    assert_eq!(data("data\n\ndata:\n\nevent: x\n\n: ping\n\n"), [""; 0]);
    assert_eq!(data("data\ndata\n\n"), ["\n"]);
    assert_eq!(data(" data: a\n\nDATA: b\n\n"), [""; 0]);
    assert_eq!(data("data: a:b\n\n"), ["a:b"]);
    assert_eq!(data("data: a\0b\n\n"), ["a\0b"]);
    assert_eq!(data("data: x\u{2028}y\u{85}z\n\n"), ["x\u{2028}y\u{85}z"]);
    let named = events(&[b"event: one\nevent: two\ndata: a\n\ndata: b\n\n"]);
    assert_eq!(
        named,
        [
            (b"two".to_vec(), b"a".to_vec()),
            (b"".to_vec(), b"b".to_vec())
        ]
    );
}

#[test]
fn a_byte_order_mark_may_come_first_and_the_end_without_a_blank_line() {
    assert_eq!(data("\u{feff}data: a\n\n\u{feff}data: b\n\n"), ["a"]);
    assert_eq!(data("data: a\n\ndata: b"), ["a", "b"]);
    assert_eq!(data("data: a\n\ndata: b\n"), ["a", "b"]);
    assert_eq!(data(""), [""; 0]);
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    let events = events(&[b"data: \xff\xc3", b"\xa9\n\n"]);
    assert_eq!(events, [(b"".to_vec(), b"\xff\xc3\xa9".to_vec())]);
}

#[test]
fn an_event_that_is_too_large_passes_unread() {
    let mut text = b"data: a\n\ndata: ".to_vec();
    text.resize(10 << 20, b'x');
    text.extend_from_slice(b"\n\ndata: b\n\n");
    let expected = [(b"".to_vec(), b"a".to_vec()), (b"".to_vec(), b"b".to_vec())];
    assert_eq!(events(&[&text]), expected);
    let frames: Vec<&[u8]> = text.chunks(100_000).collect();
    assert_eq!(events(&frames), expected);
    // The bound is the same however the event arrives.
    for size in [LARGEST, LARGEST + 1] {
        let mut text = b"data: ".to_vec();
        text.resize(size - 2, b'x');
        text.extend_from_slice(b"\n\n");
        let read = usize::from(size == LARGEST);
        assert_eq!(events(&[&text]).len(), read);
        let (start, end) = text.split_at(1000);
        assert_eq!(events(&[start, end]).len(), read);
    }
}

#[test]
fn memory_is_given_back_after_a_large_event() {
    let mut scanner = Scanner::new();
    let frame = vec![b'x'; 1 << 20];
    assert_eq!(scanner.next(&frame, 0), None);
    assert!(!scanner.at_boundary());
    assert!(scanner.next(b"\n\n", 0).is_some());
    assert!(scanner.at_boundary());
    assert_eq!(scanner.next(b"data: a", 0), None);
    assert!(scanner.carry.capacity() < 1 << 20);
}

#[test]
fn of_a_larger_event_both_ends_are_kept() {
    let mut text = b"data: first".to_vec();
    text.resize(LARGEST + 5, b'x');
    text.extend_from_slice(b"last\n\n");
    for size in [text.len(), 100_000, 999] {
        let mut scanner = Scanner::new();
        let mut cuts = 0;
        for frame in text.chunks(size) {
            assert!(scanner.carry.len() <= LARGEST.max(2 * END));
            cuts += usize::from(scanner.next(frame, 0).is_some());
        }
        let large = scanner.large().expect("a large event");
        assert!(large.beginning.starts_with(b"data: first"), "{size}");
        assert!(large.end.ends_with(b"last\n\n"), "{size}");
        assert!((END..=2 * END).contains(&large.end.len()), "{size}");
        assert_eq!(cuts, 1);
        assert!(scanner.next(b"data: b\n\n", 0).is_some());
        assert_eq!(scanner.large(), None, "{size}");
        assert!(scanner.carry.capacity() < LARGEST);
    }
}

#[test]
fn every_fixture_has_the_same_events_for_every_split() {
    for (name, text) in fixtures("sse") {
        let whole = events(&[&text]);
        assert!(!whole.is_empty(), "{name}");
        for at in 0..=text.len() {
            let (start, end) = text.split_at(at);
            assert_eq!(events(&[start, end]), whole, "{name} at {at}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(events(&bytes), whole, "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_have_the_same_events_for_any_split(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "\n", "\r", "\r\n", "data", ":", " ", "data: x", "event: e", "\u{feff}", "\0", ": c", "é",
            ]),
            0..30,
        ),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let text = pieces.concat().into_bytes();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        places.extend([0, text.len()]);
        places.sort_unstable();
        let frames: Vec<&[u8]> = places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
        prop_assert_eq!(events(&frames), events(&[&text]));
    }
}

#[test]
fn the_first_event_is_told_from_the_others() {
    for (text, end) in [
        ("data: a\n\ndata: b\n\n", 9),
        ("data: a\r\n\r\ndata: b\r\n\r\n", 11),
        ("data: a\r\rdata: b\r\r", 9),
        ("event: x\ndata: a\n\n", 18),
        ("\ndata: a\n\n", 1),
        ("data: a\n", 8),
        ("data", 4),
        ("", 0),
    ] {
        assert_eq!(super::end_of_event(text.as_bytes()), end, "{text:?}");
    }
}

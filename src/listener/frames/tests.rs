//! Frames in pieces.

use std::time::Duration;

use proptest::prelude::{any, prop, proptest};
use tokio::time::advance;

use super::{Frames, IDLE_FRAMES, PREFACE, SPELL};

fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
    let mut bytes = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
    bytes.resize(bytes.len() + usize::from(length), 0xff);
    bytes
}

/// Frames behind the preface.
fn begun() -> Frames {
    let mut frames = Frames::new();
    assert_eq!(frames.read(&[b'p'; PREFACE]), None);
    frames
}

#[tokio::test]
async fn a_head_is_open_from_its_first_header_to_its_last_byte() {
    let mut frames = begun();
    // SETTINGS, and DATA whose payload looks like anything.
    assert_eq!(frames.read(&frame(4, 0, 0)), None);
    assert_eq!(frames.read(&frame(0, 0, 40)), None);
    let whole = frame(1, 4, 3);
    assert_eq!(frames.read(&whole[..8]), None);
    assert_eq!(frames.read(&whole[8..11]), Some(1));
    assert_eq!(frames.read(&whole[11..]), None);
    assert_eq!(frames.read(&frame(1, 1, 3)), Some(2));
    assert_eq!(frames.read(&frame(9, 0, 3)), Some(2));
    assert_eq!(frames.read(&frame(9, 4, 0)), None);
    // A busy client may leave one unfinished at each cut, and is not late with any.
    for number in 3..9 {
        let cut = [frame(1, 0, 3), frame(9, 4, 1), frame(1, 0, 3)].concat();
        let number = number * 2;
        assert_eq!(frames.read(&cut[..cut.len() - 1]), Some(number - 2));
        assert_eq!(frames.read(&cut[cut.len() - 1..]), Some(number - 2));
        assert_eq!(frames.read(&frame(9, 4, 0)), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_frames_for_nothing_are_a_flood_unless_they_take_their_time() {
    // Empty DATA, PRIORITY, SETTINGS, PING, and a type that nobody knows.
    for kind in [0, 2, 4, 6, 200] {
        let mut frames = begun();
        let several = frame(kind, 0, 0).repeat(100);
        for _ in 0..IDLE_FRAMES / 100 {
            frames.read(&several);
            assert!(!frames.is_flood(), "{kind}");
        }
        frames.read(&several);
        assert!(frames.is_flood(), "{kind}");

        let mut frames = begun();
        for _ in 0..50 {
            frames.read(&several);
            advance(SPELL / 9).await;
        }
        assert!(!frames.is_flood(), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_carries_something_is_no_flood() {
    let mut frames = begun();
    // DATA with bytes or an end, RST_STREAM, WINDOW_UPDATE, and requests with the priority of each.
    for bytes in [
        frame(0, 0, 1),
        frame(0, 1, 0),
        frame(3, 0, 4),
        frame(8, 0, 4),
        [frame(2, 0, 5), frame(16, 0, 5), frame(1, 4, 9)].concat(),
    ] {
        frames.read(&bytes.repeat(5000));
        assert!(!frames.is_flood());
    }
    advance(Duration::from_secs(1)).await;
}

proptest! {
    #[test]
    fn cuts_change_nothing(
        kinds in prop::collection::vec((0_u8..12, any::<u8>(), 0_u8..30), 0..20),
        cuts in prop::collection::vec(1_usize..40, 1..60),
    ) {
        let all: Vec<u8> = kinds.iter().flat_map(|(kind, flags, length)| frame(*kind, *flags, *length)).collect();
        let mut whole = begun();
        let open = whole.read(&all);
        let mut pieces = begun();
        let (mut rest, mut last) = (&all[..], None);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            last = pieces.read(piece);
            rest = behind;
        }
        assert_eq!(last, open);
        assert_eq!(pieces.idle, whole.idle);
    }
}

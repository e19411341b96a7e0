use std::time::Duration;

use proptest::{collection::vec, prelude::any, prop_assert, prop_assert_eq, proptest};

use super::{Bench, call_id, hold, posting_of, settled};
use crate::{
    domain::{NanoUsd, Usage},
    store::{
        Checkpoint, Inflight, Recovered,
        inflight::frame::{CHECKPOINTS, HEAD, HOLD, Kind, SETTLEMENT, SLOT, Stay, seal},
        read_slot,
    },
};

const FIRST: Checkpoint = Checkpoint {
    usage: seen(1500),
    cost: NanoUsd::from_nanos(900_000),
};
const SECOND: Checkpoint = Checkpoint {
    usage: seen(2600),
    cost: NanoUsd::from_nanos(1_560_000),
};

const fn seen(output: u64) -> Usage {
    Usage {
        input: 640,
        cached_input: 512,
        cache_write: 0,
        output,
        reasoning: 100,
        cache_write_1h: 0,
        audio_input: 0,
        audio_output: 0,
        images: 0,
        seconds: 0,
        pages: 0,
    }
}

/// Slot 0 after a hold, two checkpoints and, where asked for, the settlement; and before the last write.
fn written(bench: &Bench, inflight: &Inflight, settle: bool) -> (Vec<u8>, Vec<u8>) {
    let slot = || bench.bytes()[HEAD..HEAD + SLOT].to_vec();
    let mut place = inflight.take().unwrap();
    place.write_hold(&hold(1)).unwrap();
    assert!(place.checkpoint(Duration::ZERO, 1500, || FIRST));
    let mut before = slot();
    assert!(place.checkpoint(Duration::ZERO, 2600, || SECOND));
    if settle {
        before = slot();
        place.settle(&posting_of(&hold(1))).unwrap();
    }
    let after = slot();
    place.void();
    (before, after)
}

fn open(checkpoint: Option<Checkpoint>) -> Recovered {
    Recovered::Open(Box::new(hold(1)), checkpoint)
}

#[test]
fn any_bit_that_changes_is_noticed_or_harmless() {
    let bench = Bench::new();
    let inflight = bench.start();
    let (_, open_slot) = written(&bench, &inflight, false);
    let (_, settled_slot) = written(&bench, &inflight, true);
    let settlement = settled(posting_of(&hold(1)));
    for at in 0..SLOT {
        for bit in 0..8 {
            let mut bytes = open_slot.clone();
            bytes[at] ^= 1 << bit;
            let found = read_slot(0, &bytes);
            if CHECKPOINTS[1].contains(&at) {
                assert_eq!(found, Some(open(Some(FIRST))), "byte {at}");
            } else if found.is_some() {
                assert_eq!(found, Some(open(Some(SECOND))), "byte {at}");
            } else {
                assert!(HOLD.contains(&at), "byte {at}");
            }

            let mut bytes = settled_slot.clone();
            bytes[at] ^= 1 << bit;
            let found = read_slot(0, &bytes);
            if SETTLEMENT.contains(&at) && found != Some(settlement.clone()) {
                assert_eq!(found, Some(open(Some(SECOND))), "byte {at}");
            } else {
                // Names are short, so that the settlement says everything even without its hold.
                assert_eq!(found, Some(settlement.clone()), "byte {at}");
            }
        }
    }
}

#[test]
fn a_write_that_was_torn_anywhere_counts_whole_or_not_at_all() {
    let bench = Bench::new();
    let inflight = bench.start();
    for (settle, expected) in [
        (false, [open(Some(FIRST)), open(Some(SECOND))]),
        (true, [open(Some(SECOND)), settled(posting_of(&hold(1)))]),
    ] {
        let (before, after) = written(&bench, &inflight, settle);
        for tear in 0..=SLOT {
            let from_the_front = [&after[..tear], &before[tear..]].concat();
            let from_the_back = [&before[..tear], &after[tear..]].concat();
            for bytes in [from_the_front, from_the_back] {
                let found = read_slot(0, &bytes).unwrap();
                assert!(expected.contains(&found), "torn at {tear}: {found:?}");
            }
        }
    }
    // The very first write of a slot.
    let (_, whole) = written(&bench, &inflight, false);
    for tear in 0..HOLD.end {
        let mut bytes = vec![0; SLOT];
        bytes[..tear].copy_from_slice(&whole[..tear]);
        let found = read_slot(0, &bytes);
        assert!(
            found.is_none() || found == Some(open(None)),
            "torn at {tear}"
        );
    }
}

#[test]
fn what_an_earlier_use_of_the_slot_left_is_told_apart() {
    let bench = Bench::new();
    let inflight = bench.start();
    for generation in [1, u32::MAX] {
        inflight.set_generation(generation);
        // The second number starts again from zero.
        let (_, old) = written(&bench, &inflight, true);
        let mut place = inflight.take().unwrap();
        place.write_hold(&hold(2)).unwrap();
        let new_hold = bench.bytes()[HEAD..][HOLD].to_vec();
        place.settle(&posting_of(&hold(2))).unwrap();
        let new_settlement = bench.bytes()[HEAD..][SETTLEMENT].to_vec();
        place.recorded();

        let mut bytes = old.clone();
        bytes[HOLD].copy_from_slice(&new_hold);
        let expected = Recovered::Open(Box::new(hold(2)), None);
        assert_eq!(read_slot(0, &bytes), Some(expected));
        let mut bytes = old;
        bytes[SETTLEMENT].copy_from_slice(&new_settlement);
        assert_eq!(read_slot(0, &bytes), Some(settled(posting_of(&hold(2)))));
    }
}

#[test]
fn a_slot_counts_in_its_own_place_only() {
    let bench = Bench::new();
    let (_, bytes) = written(&bench, &bench.start(), true);
    assert!(read_slot(0, &bytes).is_some());
    assert_eq!(read_slot(1, &bytes), None);
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_they_are_read(slot in any::<u32>(), bytes in vec(any::<u8>(), 0..2 * SLOT)) {
        prop_assert!(read_slot(slot, &bytes).is_none());
    }

    /// Random content under a right checksum: what somebody made on purpose.
    #[test]
    fn a_forged_frame_is_read_or_not(content in vec(any::<u8>(), 0..200), settlement in any::<bool>()) {
        let (kind, range) = if settlement { (Kind::Settlement, SETTLEMENT) } else { (Kind::Hold, HOLD) };
        let mut slot = vec![0; SLOT];
        let stay = Stay { slot: 5, generation: 1, id: call_id(1) };
        let sealed = seal(&mut slot[range], kind, stay, |encoder| encoder.put(&content)).is_some();
        prop_assert!(sealed);
        if let Some(found) = read_slot(5, &slot) {
            prop_assert_eq!(found.into_posting().call.id, call_id(1));
        }
    }

    #[test]
    fn half_a_slot_of_another_call_never_mixes(cut in 0..SLOT) {
        let bench = Bench::new();
        let inflight = bench.start();
        let (_, one) = written(&bench, &inflight, true);
        let mut place = inflight.take().unwrap();
        place.write_hold(&hold(2)).unwrap();
        place.settle(&posting_of(&hold(2))).unwrap();
        let two = bench.bytes()[HEAD..HEAD + SLOT].to_vec();
        drop(place);
        let mixed = [&one[..cut], &two[cut..]].concat();
        let whole = [
            settled(posting_of(&hold(1))),
            settled(posting_of(&hold(2))),
            open(Some(SECOND)),
        ];
        if let Some(found) = read_slot(0, &mixed) {
            prop_assert!(whole.contains(&found), "{found:?}");
        }
    }
}

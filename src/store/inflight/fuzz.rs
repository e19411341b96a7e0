//! What must hold of a slot of the in-flight file: whatever its bytes are, nobody is charged by accident.

use std::path::Path;

use super::{
    Checkpoint, Recovered, checkpoint,
    file::{head, read_head},
    frame::{CHECKPOINTS, HEAD, HOLD, Kind, SETTLEMENT, SLOT, Stay, seal},
    hold,
    recovery::{Content, content},
    settlement,
};
use crate::domain::{NanoUsd, RequestId, Usage};

/// The slot that everything is in.
const PLACE: u32 = 5;

const STAY: Stay = Stay {
    slot: PLACE,
    generation: 7,
    id: RequestId::from_bytes([7; 16]),
};

/// The head of a file, a slot's bytes as they are, or frames under right checksums: the first byte says which.
pub(crate) fn in_flight(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    match first % 4 {
        0 => any_bytes(rest),
        1 => first_line(rest),
        2 => forged(rest, None),
        _ => match rest.split_first_chunk::<3>() {
            Some(([high, low, bits], rest)) => {
                let at = usize::from(u16::from_be_bytes([*high, *low])) % SLOT;
                forged(rest, Some((at, *bits)));
            }
            None => forged(rest, None),
        },
    }
}

/// Bytes that no daemon wrote are damage, unless they are none at all.
fn any_bytes(bytes: &[u8]) {
    match content(PLACE, bytes) {
        None => assert!(bytes.iter().all(|byte| *byte == 0)),
        Some(Content::Damaged) => {}
        // A checksum that is right by chance, or that a mutation has found.
        Some(Content::Call(call)) => whole(call),
    }
}

/// A head is ours, letter for letter, or is no head.
fn first_line(bytes: &[u8]) {
    if let Ok(slots) = read_head(Path::new("faregate.db.inflight"), bytes) {
        let ours = head(slots);
        assert!(bytes.len() != HEAD || bytes == ours);
        assert_eq!(read_head(Path::new("f"), &ours).ok(), Some(slots));
    }
    let slots = bytes
        .iter()
        .take(4)
        .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    assert_eq!(read_head(Path::new("f"), &head(slots)).ok(), Some(slots));
}

/// A hold and a settlement of any content, under right checksums, and then perhaps one byte that changes.
fn forged(data: &[u8], change: Option<(usize, u8)>) {
    let cut = data
        .iter()
        .position(|byte| *byte == b'|')
        .unwrap_or(data.len());
    let (held, settled) = data.split_at(cut);
    let settled = settled.strip_prefix(b"|").unwrap_or(settled);
    let mut slot = [0; SLOT];
    for (kind, range, content) in [
        (Kind::Hold, HOLD, held),
        (Kind::Settlement, SETTLEMENT, settled),
    ] {
        let sealed = (!content.is_empty()).then(|| {
            seal(&mut slot[range.clone()], kind, STAY, |encoder| {
                encoder.put(content)
            })
            .is_some()
        });
        if sealed == Some(false) {
            slot[range].fill(0);
        }
    }
    for (range, number) in CHECKPOINTS.into_iter().zip(1..) {
        let count = |at: usize| {
            data.iter()
                .rev()
                .skip(at)
                .take(5)
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        };
        let seen = Checkpoint {
            usage: Usage {
                input: count(0),
                cached_input: count(5),
                cache_write: count(10),
                output: count(15),
                reasoning: count(20),
                ..Usage::default()
            },
            cost: NanoUsd::from_nanos(i64::try_from(count(25)).unwrap_or(0)),
        };
        let bytes = checkpoint::seal(&seen, number, STAY);
        slot[range].copy_from_slice(&bytes);
        assert_eq!(checkpoint::newest(&slot, STAY), Some(seen));
    }
    let before = content(PLACE, &slot);
    // In another place, or at another time, they are nothing.
    assert!(!matches!(content(PLACE + 1, &slot), Some(Content::Call(_))));
    if let Some(Content::Call(call)) = before.clone() {
        whole(call);
    }
    let Some((at, bits)) = change else {
        return;
    };
    slot[at] ^= bits;
    if let Some(Content::Call(now)) = content(PLACE, &slot) {
        let Some(Content::Call(before)) = before else {
            // What could not be read stays so.
            assert!(bits == 0, "one byte made a call of damage");
            return;
        };
        assert_eq!(now.id(), before.id());
        // Less may be known, and nothing else.
        match (&now, &before) {
            (Recovered::Open(now, _), Recovered::Open(before, _)) => assert_eq!(now, before),
            (Recovered::Settled(now), Recovered::Settled(before)) => {
                assert_eq!(
                    (now.call.usage, now.call.cost),
                    (before.call.usage, before.call.cost)
                );
            }
            (Recovered::Open(..), Recovered::Settled(_)) => assert!(SETTLEMENT.contains(&at)),
            (Recovered::Settled(_), Recovered::Open(..)) => {
                assert!(bits == 0, "a byte settled a call")
            }
        }
    }
}

/// What was read can be written, is then the same, and charges no more than was held.
fn whole(call: Recovered) {
    if let Recovered::Open(record, _) = &call {
        let mut area = [0; HOLD.end];
        let sealed = hold::seal(&mut area, record, STAY).is_ok();
        assert!(sealed, "a hold that was read has room");
        let (_, again) = hold::open(&area, PLACE).expect("what was written is read");
        assert_eq!(
            again,
            hold::HoldRecord {
                id: again.id,
                ..(**record).clone()
            }
        );
    }
    let id = call.id();
    let held = match &call {
        Recovered::Open(record, _) => Some((record.held_tokens, record.held)),
        Recovered::Settled(_) => None,
    };
    let posting = call.into_posting();
    assert_eq!(posting.call.id, id);
    assert!(posting.counters.iter().all(|change| change.add > 0));
    if let Some((tokens, money)) = held {
        assert!(tokens == 0 || posting.call.usage.total() <= tokens);
        assert_eq!(posting.call.cost.is_some(), money.is_some());
        assert!(posting.call.cost <= money);
    }
    let mut area = [0; SETTLEMENT.end - SETTLEMENT.start];
    let sealed = settlement::seal(&mut area, &posting, STAY).is_some();
    assert!(sealed, "a settlement always has room");
    let (_, settled) = settlement::open(&area, PLACE).expect("what was written is read");
    let again = settled.into_posting(None);
    assert_eq!(
        (again.call.account, again.call.key),
        (posting.call.account, posting.call.key)
    );
    assert_eq!(
        (again.call.usage, again.call.cost),
        (posting.call.usage, posting.call.cost)
    );
    assert_eq!(
        (again.call.outcome, again.call.status),
        (posting.call.outcome, posting.call.status)
    );
    assert_eq!(again.credit.is_some(), posting.credit.is_some());
    // Where everything has room, nothing is lost.
    if again.counters.len() == posting.counters.len() {
        assert_eq!(again.counters, posting.counters);
    }
}

//! How far an answer is.

use crate::domain::{NanoUsd, Usage};

use super::{
    cursor::{Decoder, Encoder},
    frame::{CHECKPOINTS, Stay, VERSION, checksum},
};

/// How far an answer is: what the call is charged if nothing more is ever known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// What it has used so far. Only tokens of input, from and to a cache, of output and of reasoning are kept.
    pub usage: Usage,
    /// What that costs; nothing where it has no price.
    pub cost: NanoUsd,
}

/// Bytes of a checkpoint.
pub(super) const LENGTH: usize = 40;

const _: () = {
    assert!(CHECKPOINTS[0].end - CHECKPOINTS[0].start == LENGTH);
    assert!(CHECKPOINTS[1].end - CHECKPOINTS[1].start == LENGTH);
};

/// The bytes of checkpoint `number`.
pub(super) fn seal(checkpoint: &Checkpoint, number: u16, stay: Stay) -> [u8; LENGTH] {
    let Checkpoint { usage, cost } = checkpoint;
    let mut bytes = [0; LENGTH];
    let mut encoder = Encoder::new(&mut bytes[4..]);
    encoder.byte(VERSION);
    encoder.put(&number.to_le_bytes());
    let counts = [
        usage.input,
        usage.cached_input,
        usage.cache_write,
        usage.output,
        usage.reasoning,
    ];
    for count in counts {
        encoder.count(count);
    }
    encoder.amount(*cost);
    let sum = sum(stay, &bytes);
    bytes[..4].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// The newest whole checkpoint of a slot.
pub(super) fn newest(slot: &[u8], stay: Stay) -> Option<Checkpoint> {
    let [odd, even] = CHECKPOINTS.map(|range| slot.get(range).and_then(|area| open(area, stay)));
    let newest = match (odd, even) {
        // Numbers start again after 65,536 of them.
        (Some(odd), Some(even)) if odd.0.wrapping_sub(even.0) < 1 << 15 => Some(odd),
        (odd, even) => even.or(odd),
    };
    newest.map(|(_, checkpoint)| checkpoint)
}

fn open(area: &[u8], stay: Stay) -> Option<(u16, Checkpoint)> {
    let mut decoder = Decoder(area);
    if decoder.u32()? != sum(stay, area) || decoder.byte()? != VERSION {
        return None;
    }
    let number = decoder.u16()?;
    let usage = Usage {
        input: decoder.count()?,
        cached_input: decoder.count()?,
        cache_write: decoder.count()?,
        output: decoder.count()?,
        reasoning: decoder.count()?,
        ..Usage::default()
    };
    let cost = decoder.amount()?;
    Some((number, Checkpoint { usage, cost }))
}

fn sum(stay: Stay, bytes: &[u8]) -> u32 {
    checksum(&[
        &stay.slot.to_le_bytes(),
        &stay.generation.to_le_bytes(),
        &stay.id.to_bytes(),
        bytes.get(4..).unwrap_or_default(),
    ])
}

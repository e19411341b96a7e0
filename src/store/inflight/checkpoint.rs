//! How far an answer is.

use crate::domain::Usage;

use super::{
    cursor::{Eye, Pen},
    frame::{CHECKPOINTS, Kind, Stay, checksum},
};

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// Output tokens that have been seen, by our own count.
    pub output: u64,
    /// What the provider has reported so far.
    pub reported: Option<Usage>,
}

/// Bytes of a checkpoint.
pub(super) const LENGTH: usize = 48;

const _: () = {
    assert!(CHECKPOINTS[0].end - CHECKPOINTS[0].start == LENGTH);
    assert!(CHECKPOINTS[1].end - CHECKPOINTS[1].start == LENGTH);
};

/// The bytes of checkpoint `number`.
pub(super) fn seal(checkpoint: &Checkpoint, number: u32, stay: Stay) -> [u8; LENGTH] {
    let kind = match checkpoint.reported {
        Some(_) => Kind::ReportedCheckpoint,
        None => Kind::Checkpoint,
    };
    let Usage {
        input,
        cached_input,
        cache_write,
        output,
        reasoning,
    } = checkpoint.reported.unwrap_or_default();
    let mut bytes = [0; LENGTH];
    let mut pen = Pen::new(&mut bytes[4..]);
    pen.put(&kind.tag());
    pen.put(&number.to_le_bytes());
    let counts = [
        checkpoint.output,
        input,
        cached_input,
        cache_write,
        output,
        reasoning,
    ];
    for count in counts {
        pen.count(count);
    }
    let sum = sum(stay, &bytes);
    bytes[..4].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// The newest whole checkpoint of a slot.
pub(super) fn newest(slot: &[u8], stay: Stay) -> Option<Checkpoint> {
    let [odd, even] = CHECKPOINTS.map(|range| slot.get(range).and_then(|area| open(area, stay)));
    let newest = match (odd, even) {
        (Some(odd), Some(even)) if odd.0.wrapping_sub(even.0) < 1 << 31 => Some(odd),
        (odd, even) => even.or(odd),
    };
    newest.map(|(_, checkpoint)| checkpoint)
}

fn open(area: &[u8], stay: Stay) -> Option<(u32, Checkpoint)> {
    let mut eye = Eye(area);
    if eye.u32()? != sum(stay, area) {
        return None;
    }
    let tag: [u8; 4] = eye.array()?;
    let number = eye.u32()?;
    let seen = eye.count()?;
    let usage = Usage {
        input: eye.count()?,
        cached_input: eye.count()?,
        cache_write: eye.count()?,
        output: eye.count()?,
        reasoning: eye.count()?,
    };
    let reported = if tag == Kind::ReportedCheckpoint.tag() {
        Some(usage)
    } else if tag == Kind::Checkpoint.tag() {
        None
    } else {
        return None;
    };
    let output = seen;
    Some((number, Checkpoint { output, reported }))
}

fn sum(stay: Stay, bytes: &[u8]) -> u32 {
    checksum(&[
        &stay.slot.to_le_bytes(),
        &stay.generation.to_le_bytes(),
        &stay.id.to_bytes(),
        bytes.get(4..).unwrap_or_default(),
    ])
}

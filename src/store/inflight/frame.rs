//! Where in a slot what stands, and how it is told from what was not written whole.

use crate::domain::RequestId;

use super::cursor::{Decoder, Encoder};

/// Bytes before the first slot: a page, so that no slot crosses one.
pub(super) const HEAD: usize = 4096;
/// Bytes of a slot.
pub(super) const SLOT: usize = 1024;
/// Where the hold is.
pub(super) const HOLD: std::ops::Range<usize> = 0..672;
/// Where checkpoints are, in turn.
pub(super) const CHECKPOINTS: [std::ops::Range<usize>; 2] = [672..712, 712..752];
/// Where the settlement is.
pub(super) const SETTLEMENT: std::ops::Range<usize> = 752..SLOT;

/// The layout's version.
pub(super) const VERSION: u8 = 1;

/// Bytes before a frame's own.
pub(super) const BEGINNING: usize = 30;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Hold = 1,
    Settlement = 2,
}

impl Kind {
    /// The four bytes that name it.
    pub(super) const fn tag(self) -> [u8; 4] {
        [b'F', b'G', VERSION, self as u8]
    }
}

/// One use of one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stay {
    pub(super) slot: u32,
    pub(super) generation: u32,
    pub(super) id: RequestId,
}

impl Stay {
    /// Whether this use of the slot came after `other`. Numbers start again after four billion.
    pub(super) fn is_after(self, other: Self) -> bool {
        let ahead = self.generation.wrapping_sub(other.generation);
        ahead != 0 && ahead < 1 << 31
    }
}

/// Writes a frame into `area`, whose other bytes are zero, and returns what is to be written to the file; `None` where
/// it does not fit.
pub(super) fn seal(
    area: &mut [u8],
    kind: Kind,
    stay: Stay,
    write: impl FnOnce(&mut Encoder<'_>),
) -> Option<&[u8]> {
    let mut encoder = Encoder::new(area);
    encoder.put(&[0; BEGINNING]);
    write(&mut encoder);
    let length = encoder.written()?;
    let mut encoder = Encoder::new(&mut area[4..]);
    encoder.put(&kind.tag());
    encoder.put(&u16::try_from(length).ok()?.to_le_bytes());
    encoder.put(&stay.generation.to_le_bytes());
    encoder.put(&stay.id.to_bytes());
    let sum = checksum(&[&stay.slot.to_le_bytes(), &area[4..length]]);
    area[..4].copy_from_slice(&sum.to_le_bytes());
    Some(&area[..length])
}

/// The use and the content of the frame in `area`, where it is whole.
pub(super) fn open(area: &[u8], kind: Kind, slot: u32) -> Option<(Stay, Decoder<'_>)> {
    let mut decoder = Decoder(area);
    let sum = decoder.u32()?;
    let tag: [u8; 4] = decoder.array()?;
    let length = usize::from(decoder.u16()?);
    let covered = area.get(4..length)?;
    if tag != kind.tag() || checksum(&[&slot.to_le_bytes(), covered]) != sum {
        return None;
    }
    let generation = decoder.u32()?;
    let id = RequestId::from_bytes(decoder.array()?);
    let stay = Stay {
        slot,
        generation,
        id,
    };
    Some((stay, Decoder(area.get(BEGINNING..length)?)))
}

/// CRC-32 of all parts in a row.
pub(super) fn checksum(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

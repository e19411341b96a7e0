//! Where the bytes are that a string may not hold as they are: quotes, backslashes and control characters.

use wide::u8x16;

/// Bytes that are looked at together: a bit for each.
pub(super) const BLOCK: usize = u64::BITS as usize;

/// Bytes that are compared by one instruction.
const LANES: usize = 16;

/// What stands in a block, a bit for each byte.
pub(super) struct Block {
    pub(super) quotes: u64,
    pub(super) backslashes: u64,
    pub(super) controls: u64,
    /// The letter n, which follows most backslashes that no quote or backslash follows.
    pub(super) newlines: u64,
}

impl Block {
    pub(super) fn of(bytes: &[u8; BLOCK]) -> Self {
        let mut block = Self {
            quotes: 0,
            backslashes: 0,
            controls: 0,
            newlines: 0,
        };
        for (at, lanes) in bytes.as_chunks().0.iter().enumerate() {
            let lanes = u8x16::new(*lanes);
            let bits = |found: u8x16| u64::from(found.to_bitmask()) << (LANES * at);
            block.quotes |= bits(are(lanes, b'"'));
            block.backslashes |= bits(are(lanes, b'\\'));
            block.controls |= bits(controls(lanes));
            block.newlines |= bits(are(lanes, b'n'));
        }
        block
    }

    /// The bytes behind an odd number of backslashes, which are the second of an escape, and whether the next block begins
    /// with one. `open` says so of this block.
    ///
    /// A run of backslashes to which the bit of its start is added carries to the bit behind it: from an even place to an
    /// odd one, or the other way, if they are an odd number (Langdale and Lemire, 2019, section 3.1.1).
    pub(super) const fn escaped(&self, open: bool) -> (u64, bool) {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let first = open as u64;
        // One that is escaped begins no escape.
        let runs = self.backslashes & !first;
        let starts = runs & !(runs << 1);
        let from_even = runs.wrapping_add(starts & EVEN);
        let (from_odd, beyond) = runs.overflowing_add(starts & !EVEN);
        let behind = (from_even & !EVEN) | (from_odd & EVEN);
        let escaped = (behind & !runs) | (first & !self.backslashes);
        (escaped, beyond)
    }
}

fn are(lanes: u8x16, byte: u8) -> u8x16 {
    lanes.simd_eq(u8x16::splat(byte))
}

fn controls(lanes: u8x16) -> u8x16 {
    lanes.simd_lt(u8x16::splat(b' '))
}

/// How many bytes at the start of `text` a string may hold as they are: no quote, backslash or control character.
pub(in crate::providers) fn plain(text: &[u8]) -> usize {
    let (chunks, rest) = text.as_chunks();
    for (at, lanes) in chunks.iter().enumerate() {
        let lanes = u8x16::new(*lanes);
        let found = are(lanes, b'"') | are(lanes, b'\\') | controls(lanes);
        let bits = found.to_bitmask();
        if bits != 0 {
            return LANES * at + bits.trailing_zeros() as usize;
        }
    }
    let stop = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < b' ';
    text.len() - rest.len() + rest.iter().position(stop).unwrap_or(rest.len())
}

/// Which bytes make an escape of two.
const SHORT: [bool; 256] = {
    let mut is_short = [false; 256];
    let mut rest: &[u8] = b"\"\\/bfnrt";
    while let [byte, behind @ ..] = rest {
        is_short[*byte as usize] = true;
        rest = behind;
    }
    is_short
};

/// How long the escape is that `text` begins with; `None` where JSON knows no such.
#[inline]
pub(super) fn escape_length(text: &[u8]) -> Option<usize> {
    match text.get(1)? {
        byte if SHORT[usize::from(*byte)] => Some(2),
        b'u' if text.get(2..6)?.iter().all(u8::is_ascii_hexdigit) => Some(6),
        _ => None,
    }
}

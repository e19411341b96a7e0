//! Where the bytes are that a string may not hold as they are: quotes, backslashes and control characters.

use wide::u8x16;

/// Bytes that are looked at together: a bit for each.
pub(super) const BLOCK: usize = u64::BITS as usize;

/// A block and the byte before it.
pub(super) const WINDOW: usize = BLOCK + 1;

/// Bytes that are compared by one instruction.
const LANES: usize = 16;

/// What stands in a block, a bit for each byte.
pub(super) struct Block {
    pub(super) quotes: u64,
    pub(super) backslashes: u64,
    /// The letter n, which follows most backslashes that no quote or backslash follows.
    pub(super) newlines: u64,
    /// Whether it has control characters, or others that are not ASCII.
    pub(super) uncommon: bool,
}

impl Block {
    pub(super) fn of(bytes: &[u8; BLOCK]) -> Self {
        let mut block = Self {
            quotes: 0,
            backslashes: 0,
            newlines: 0,
            uncommon: false,
        };
        let (mut lowest, mut all) = (u8x16::splat(b' '), u8x16::splat(0));
        for (at, lanes) in bytes.as_chunks().0.iter().enumerate() {
            let lanes = u8x16::new(*lanes);
            let bits = |found: u8x16| u64::from(found.to_bitmask()) << (LANES * at);
            block.quotes |= bits(are(lanes, b'"'));
            block.backslashes |= bits(are(lanes, b'\\'));
            block.newlines |= bits(are(lanes, b'n'));
            lowest = lowest.min(lanes);
            all |= lanes;
        }
        // The highest bits are those that are looked at: set where it is so, and in what is not ASCII.
        block.uncommon = (controls(lowest) | all).to_bitmask() != 0;
        block
    }

    /// Where a block has control characters.
    #[cold]
    pub(super) fn controls(bytes: &[u8; BLOCK]) -> u64 {
        let lanes = bytes.as_chunks().0.iter().rev();
        lanes.fold(0, |found, lanes| {
            found << LANES | u64::from(controls(u8x16::new(*lanes)).to_bitmask())
        })
    }

    /// The bytes behind an odd number of backslashes, which are the second of an escape, and whether the next block begins
    /// with one. `open` says so of this block.
    ///
    /// A run of backslashes to which the bit of its start is added carries to the bit behind it: from an even place to an
    /// odd one, or the other way, if they are an odd number (Langdale and Lemire, 2019, section 3.1.1).
    pub(super) const fn escaped(&self, open: bool) -> (u64, bool) {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let first = open as u64;
        let behind = self.backslashes << 1 | first;
        if self.backslashes & behind == 0 {
            return (behind, self.backslashes >> 63 == 1);
        }
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

/// Whether a block has no escapes but of quotes and new lines, and nothing else that needs a closer look: all of what is
/// long, nearly. `open` says whether the byte before it begins an escape.
pub(super) fn is_usual(window: &[u8; WINDOW], open: bool, ascii: bool) -> bool {
    let (Some(before), Some(bytes)) = (window.first_chunk::<BLOCK>(), window.last_chunk::<BLOCK>())
    else {
        return false;
    };
    let (mut odd, mut lowest, mut all) = (u8x16::splat(0), u8x16::splat(b' '), u8x16::splat(0));
    for (before, lanes) in before.as_chunks().0.iter().zip(bytes.as_chunks().0) {
        let lanes = u8x16::new(*lanes);
        let escaped = are(u8x16::new(*before), b'\\');
        // A backslash that is escaped is odd, so that all others here do begin an escape.
        odd |= (escaped ^ are(lanes, b'"')) & !are(lanes, b'n');
        lowest = lowest.min(lanes);
        all |= lanes;
    }
    odd |= controls(lowest);
    if ascii {
        odd |= all;
    }
    odd.to_bitmask() == 0 && open == (before.first() == Some(&b'\\'))
}

fn are(lanes: u8x16, byte: u8) -> u8x16 {
    lanes.simd_eq(u8x16::splat(byte))
}

fn controls(lanes: u8x16) -> u8x16 {
    lanes.simd_lt(u8x16::splat(b' '))
}

/// How many bytes at the start of `text` a string may hold as they are: no quote, backslash or control character.
pub(in crate::providers) fn plain(text: &[u8]) -> usize {
    scan::<false>(text)
}

/// The same of ASCII.
pub(super) fn plain_ascii(text: &[u8]) -> usize {
    scan::<true>(text)
}

fn scan<const ASCII: bool>(text: &[u8]) -> usize {
    let mut rest = text;
    while let Some((lanes, behind)) = rest.split_first_chunk::<LANES>() {
        let lanes = u8x16::new(*lanes);
        let mut found = are(lanes, b'"') | are(lanes, b'\\') | controls(lanes);
        if ASCII {
            found |= lanes;
        }
        let bits = found.to_bitmask();
        if bits != 0 {
            return text.len() - rest.len() + bits.trailing_zeros() as usize;
        }
        rest = behind;
    }
    let stop = |byte: &u8| matches!(byte, ..b' ' | b'"' | b'\\') || ASCII && !byte.is_ascii();
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

//! Where the bytes are that a string may not hold as they are: quotes, backslashes and control characters.

/// Bytes that are looked at together: a bit for each.
pub(super) const BLOCK: usize = u64::BITS as usize;

/// The bits from this one on.
pub(super) fn after(bit: usize) -> u64 {
    u32::try_from(bit)
        .ok()
        .and_then(|bit| u64::MAX.checked_shl(bit))
        .unwrap_or(0)
}

/// Which bytes a string may not hold as they are, in a form that compilers turn into vector instructions.
pub(super) fn specials(block: &[u8; BLOCK]) -> u64 {
    // Bit 8 i of a word with a 0 or 1 in each byte goes to bit 56 + i.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut is_special = [0_u8; BLOCK];
    for (is, byte) in is_special.iter_mut().zip(block) {
        *is = u8::from((*byte == b'"') | (*byte == b'\\') | (*byte < 0x20));
    }
    let (words, _) = is_special.as_chunks();
    let bits = words
        .iter()
        .map(|word| u64::from_le_bytes(*word).wrapping_mul(GATHER) >> 56);
    bits.enumerate()
        .fold(0, |all, (word, bits)| all | bits << (8 * word))
}

/// How many bytes at the start of `text` a string may hold as they are: no quote, backslash or control character.
pub(in crate::providers) fn plain(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut length = 0;
    // Eight bytes at a time. `(v - ONES * n) & !v & HIGH` marks bytes below n. A borrow can mark a byte too much,
    // but only above the first true one, and the lowest mark is all that is used.
    for chunk in text.chunks_exact(8) {
        let Ok(chunk) = <[u8; 8]>::try_from(chunk) else {
            break;
        };
        let v = u64::from_le_bytes(chunk);
        let quote = v ^ (ONES * b'"' as u64);
        let backslash = v ^ (ONES * b'\\' as u64);
        let found = (v.wrapping_sub(ONES * 0x20) & !v)
            | (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash);
        if found & HIGH != 0 {
            return length + ((found & HIGH).trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    let rest = text.get(length..).unwrap_or_default();
    let stop = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < 0x20;
    length + rest.iter().position(stop).unwrap_or(rest.len())
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

//! Choices that look free and follow from a seed.

use sha2::{Digest, Sha256};

/// A SplitMix64 sequence. It is not for secrets; it is small, and the same on every machine.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    /// The sequence that belongs to `seed` and `parts`.
    pub(super) fn of(seed: u64, parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new_with_prefix(seed.to_be_bytes());
        for part in parts {
            // The length keeps ("ab", "c") apart from ("a", "bc").
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let start = digest.finalize();
        Self(
            start
                .iter()
                .take(8)
                .fold(0, |value, byte| value << 8 | u64::from(*byte)),
        )
    }

    /// The next number of the sequence.
    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to `bound`, without it; 0 when `bound` is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.number().checked_rem(bound).unwrap_or(0)
    }

    /// One word of a list; empty when the list is.
    pub(super) fn pick(&mut self, words: &[&'static str]) -> &'static str {
        let index = self.below(words.len() as u64);
        usize::try_from(index)
            .ok()
            .and_then(|index| words.get(index))
            .copied()
            .unwrap_or_default()
    }

    /// `prefix` and 24 hexadecimal digits, the way vendors name things.
    pub(super) fn id(&mut self, prefix: &str) -> String {
        format!(
            "{prefix}{:016x}{:08x}",
            self.number(),
            self.number() & 0xffff_ffff
        )
    }
}

//! Numbers that only look like chance: the same seed gives the same run.

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap();
        usize::try_from(self.number() % bound).unwrap()
    }
}

/// How often a test is repeated: as the variable says, or `usual`.
pub(super) fn rounds(variable: &str, usual: usize) -> usize {
    #[expect(clippy::disallowed_methods, reason = "a test that is longer on demand")]
    let wanted = std::env::var(variable).ok();
    wanted.map_or(usual, |count| count.parse().unwrap())
}

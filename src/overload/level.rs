//! How near something is to its limit.

/// From plenty to none. What each level does is said where it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Below 85 %.
    #[default]
    Calm,
    /// From 85 %: connections are not kept.
    Busy,
    /// From 92 %: who has more than a share gets no more.
    Scarce,
    /// From 95 %: nobody gets any more.
    Full,
}

/// Percent of the limit at which each level begins; Envoy's overload manager acts at the last two.
const BUSY: u64 = 85;
const SCARCE: u64 = 92;
const FULL: u64 = 95;

impl Level {
    /// The level of `used` out of `limit`.
    #[must_use]
    pub fn of(used: u64, limit: u64) -> Self {
        // Limits are far below the 2^57 at which these would saturate.
        let used = used.saturating_mul(100);
        let at = |percent: u64| used >= limit.saturating_mul(percent);
        if !at(BUSY) {
            Self::Calm
        } else if !at(SCARCE) {
            Self::Busy
        } else if !at(FULL) {
            Self::Scarce
        } else {
            Self::Full
        }
    }

    /// From 0 to 3, as the metric has it.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The level of a number that [`Self::number`] gave.
    pub(super) const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Calm,
            1 => Self::Busy,
            2 => Self::Scarce,
            _ => Self::Full,
        }
    }
}

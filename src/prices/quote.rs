//! What a call can cost at most.

use crate::domain::NanoUsd;

/// A trillionth of a dollar in the units that are counted in: two factors of millionths are not divided out.
const PICO: u128 = 1_000_000_000_000;
/// A billionth of a dollar in the units that are counted in.
pub(super) const NANO: u128 = 1_000 * PICO;

/// What a call can cost at most: a part that is exact, a part for its input, and a price for each output token.
///
/// Everything is kept in units of 10^-24 dollars, saturating: what does not fit into `u128` is above every amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// Exact: prices of the request itself.
    pub(super) fixed: u128,
    /// At most: the input, and units that the answer may have.
    pub(super) input: u128,
    /// At most, for each output token of each answer.
    pub(super) output: u128,
}

impl Quote {
    /// A call that costs nothing.
    pub const NOTHING: Self = Self {
        fixed: 0,
        input: 0,
        output: 0,
    };

    /// The exact part, rounded up. It is taken at admission as used.
    pub fn fixed(&self) -> NanoUsd {
        rounded_up(self.fixed)
    }

    /// What is held on top of the exact part for answers of at most `output` tokens each.
    ///
    /// Together with [`Quote::fixed`] it is never less than the cost of a call within its bounds, and less than a
    /// billionth of a dollar more than the sum before rounding.
    pub fn hold_for(&self, output: u64) -> NanoUsd {
        let total = nanos(self.total(output));
        let hold = total.saturating_sub(nanos(self.fixed));
        NanoUsd::from_nanos(i64::try_from(hold).unwrap_or(i64::MAX))
    }

    /// The most output tokens for each answer that `left` pays for, [`Quote::fixed`] included: `None` where it does not
    /// pay for any, not even none; `u64::MAX` where they cost nothing.
    pub fn affordable(&self, left: NanoUsd) -> Option<u64> {
        let left = u128::try_from(left.nanos()).ok()?.saturating_mul(NANO);
        let rest = left.checked_sub(self.total(0))?;
        let tokens = rest.checked_div(self.output);
        Some(tokens.map_or(u64::MAX, |tokens| u64::try_from(tokens).unwrap_or(u64::MAX)))
    }

    fn total(&self, output: u64) -> u128 {
        let answers = self.output.saturating_mul(output.into());
        self.fixed
            .saturating_add(self.input)
            .saturating_add(answers)
    }
}

/// An amount in billionths of a dollar, rounded up; more than can be kept is [`NanoUsd::MAX`].
pub(super) fn rounded_up(amount: u128) -> NanoUsd {
    NanoUsd::from_nanos(i64::try_from(nanos(amount)).unwrap_or(i64::MAX))
}

const fn nanos(amount: u128) -> u128 {
    amount.div_ceil(NANO)
}

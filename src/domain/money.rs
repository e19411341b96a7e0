//! Money, as whole billionths of a US dollar.

use std::fmt;

/// Billionths of a US dollar. Balances may be below zero; sums are checked or saturate where they say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NanoUsd(i64);

/// The one currency of this version, as records name it (ISO 4217).
pub const CURRENCY: &str = "USD";

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAmount {
    /// It is no plain decimal number.
    #[error("is not a decimal number such as 12.50")]
    NotDecimal,
    /// It has more decimals than can be kept.
    #[error("is finer than can be kept exactly: at most {0} decimals")]
    TooFine(u32),
    /// It is larger than can be kept.
    #[error("is too large")]
    TooLarge,
}

impl InvalidAmount {
    /// The words, with the most that there can be.
    pub fn up_to(self, most: impl fmt::Display) -> String {
        match self {
            Self::TooLarge => format!("{self}: at most {most}"),
            Self::NotDecimal | Self::TooFine(_) => self.to_string(),
        }
    }
}

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount, a little over nine billion dollars.
    pub const MAX: Self = Self(i64::MAX);
    /// Decimals of an amount in dollars.
    const DECIMALS: u32 = 9;
    const DOLLAR: u64 = 1_000_000_000;

    /// So many billionths of a dollar.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// As billionths of a dollar.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The same as counters have it, which are never below zero.
    pub fn counted(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }

    /// Reads a decimal number of dollars exactly: `12.50`, `-3`, `0.000000001`.
    ///
    /// # Errors
    /// It is no plain decimal number, finer than a billionth or too large.
    pub fn parse(text: &str) -> Result<Self, InvalidAmount> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let nanos = decimal(digits, Self::DECIMALS)?;
        let nanos = i64::try_from(nanos).map_err(|_| InvalidAmount::TooLarge)?;
        Ok(Self(if negative { -nanos } else { nanos }))
    }

    /// The sum; `None` where it cannot be kept.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference; `None` where it cannot be kept.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// The sum, held at the ends of what can be kept.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, held at the ends of what can be kept.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// As much on the other side of zero, held at the end of what can be kept.
    pub const fn saturating_neg(self) -> Self {
        Self(self.0.saturating_neg())
    }

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

/// Reads digits with at most one point as a whole number of units of `10^-decimals`. Nothing is rounded.
///
/// # Errors
/// It is no plain decimal number, has more decimals than `decimals` (zeros at the end do not count) or is too large.
pub fn decimal(text: &str, decimals: u32) -> Result<u128, InvalidAmount> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let dangling = text.contains('.') && fraction.is_empty();
    if whole.is_empty() || dangling || !digits(whole) || !digits(fraction) {
        return Err(InvalidAmount::NotDecimal);
    }
    let fraction = fraction.trim_end_matches('0');
    let places = u32::try_from(fraction.len()).map_err(|_| InvalidAmount::TooFine(decimals))?;
    let missing = decimals
        .checked_sub(places)
        .ok_or(InvalidAmount::TooFine(decimals))?;
    let scale = 10_u128
        .checked_pow(missing)
        .ok_or(InvalidAmount::TooLarge)?;
    whole
        .bytes()
        .chain(fraction.bytes())
        .try_fold(0_u128, |sum, byte| {
            sum.checked_mul(10)?.checked_add(u128::from(byte - b'0'))
        })
        .and_then(|units| units.checked_mul(scale))
        .ok_or(InvalidAmount::TooLarge)
}

/// Dollars with two decimals at least, and as many as it takes: `12.50`, `0.000435`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let (dollars, rest) = (nanos / Self::DOLLAR, nanos % Self::DOLLAR);
        let mut digits = [0_u8; 9];
        let mut left = rest;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(left % 10).unwrap_or(0);
            left /= 10;
        }
        let used = digits
            .iter()
            .rposition(|digit| *digit != b'0')
            .map_or(0, |last| last + 1)
            .max(2);
        let digits = std::str::from_utf8(&digits[..used]).unwrap_or_default();
        write!(f, "{sign}{dollars}.{digits}")
    }
}

/// As a decimal string: a number would be read through floating point.
impl serde::Serialize for NanoUsd {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;

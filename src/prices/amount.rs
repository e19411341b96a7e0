//! Prices of one unit and factors, read exactly from decimal text.

use std::fmt;

use crate::domain::{InvalidAmount, decimal};

/// A price of one unit (a token, a picture, a second, a request), in trillionths of a US dollar.
///
/// At most 2^60, over a million dollars, so that a sum over 2^64 tokens is far from the end of `u128`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pico(u64);

/// What prices are multiplied by, in millionths: at most a thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Factor(u32);

impl Pico {
    /// Nothing, which is a price.
    pub const ZERO: Self = Self(0);
    /// The highest price.
    pub const MAX: Self = Self(1 << 60);
    /// Decimals of a price in dollars.
    pub const DECIMALS: u32 = 12;
    /// Decimals of a price in dollars per million units.
    pub const DECIMALS_PER_MILLION: u32 = 6;

    /// So many trillionths of a dollar; `None` above [`Pico::MAX`].
    pub const fn new(pico: u64) -> Option<Self> {
        if pico <= Self::MAX.0 {
            Some(Self(pico))
        } else {
            None
        }
    }

    /// As trillionths of a dollar.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Reads dollars per unit: `0.04`.
    ///
    /// # Errors
    /// It is no plain decimal number, finer than a trillionth or too large.
    pub fn parse(text: &str) -> Result<Self, InvalidAmount> {
        Self::of(decimal(text, Self::DECIMALS)?)
    }

    /// Reads dollars per million units: `0.15`.
    ///
    /// # Errors
    /// It is no plain decimal number, has more than six decimals or is too large.
    pub fn parse_per_million(text: &str) -> Result<Self, InvalidAmount> {
        Self::of(decimal(text, Self::DECIMALS_PER_MILLION)?)
    }

    /// Reads a JSON number of dollars per unit, such as `1.5e-07`; what is finer than a trillionth is rounded up.
    ///
    /// # Errors
    /// It is no number, is negative or too large.
    pub fn import(text: &str) -> Result<Self, InvalidAmount> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let exponent: i32 = exponent.parse().map_err(|_| InvalidAmount::NotDecimal)?;
                (mantissa, exponent)
            }
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(InvalidAmount::NotDecimal);
        }
        let (mut value, mut rest) = (0_u128, false);
        // Digits before this place are whole trillionths; those behind it only decide whether there is a rest.
        let shift = i64::from(exponent) + i64::from(Self::DECIMALS);
        let mut place = shift + i64::try_from(whole.len()).map_err(|_| InvalidAmount::TooLarge)?;
        for digit in whole
            .bytes()
            .chain(fraction.bytes())
            .map(|byte| byte - b'0')
        {
            if place > 0 {
                value = value.saturating_mul(10).saturating_add(digit.into());
            } else {
                rest |= digit != 0;
            }
            place -= 1;
        }
        if value > 0 && place > 0 {
            let scale = u32::try_from(place)
                .ok()
                .and_then(|place| 10_u128.checked_pow(place));
            value = value.saturating_mul(scale.ok_or(InvalidAmount::TooLarge)?);
        }
        Self::of(value.saturating_add(rest.into()))
    }

    /// Dollars per million units, as text.
    pub fn per_million(self) -> impl fmt::Display {
        Decimal(self.0.into(), Self::DECIMALS_PER_MILLION)
    }

    /// Dollars per unit times a factor, exactly, as text.
    pub fn times(self, factor: Factor) -> impl fmt::Display {
        Decimal(self.scaled(factor), Self::DECIMALS + Factor::DECIMALS)
    }

    /// Dollars per million units times a factor, exactly, as text.
    pub fn per_million_times(self, factor: Factor) -> impl fmt::Display {
        let decimals = Self::DECIMALS_PER_MILLION + Factor::DECIMALS;
        Decimal(self.scaled(factor), decimals)
    }

    fn scaled(self, factor: Factor) -> u128 {
        u128::from(self.0) * u128::from(factor.millionths())
    }

    fn of(pico: u128) -> Result<Self, InvalidAmount> {
        let pico = u64::try_from(pico).ok().and_then(Self::new);
        pico.ok_or(InvalidAmount::TooLarge)
    }
}

/// Dollars per unit, as few decimals as it takes: `0.04`, `0.00000015`.
impl fmt::Display for Pico {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal(self.0.into(), Self::DECIMALS).fmt(f)
    }
}

impl Factor {
    /// Prices as they are.
    pub const ONE: Self = Self(1_000_000);
    /// The highest factor, a thousand.
    pub const MAX: Self = Self(1_000_000_000);
    /// Decimals of a factor.
    pub const DECIMALS: u32 = 6;

    /// So many millionths; `None` above [`Factor::MAX`].
    pub const fn from_millionths(millionths: u32) -> Option<Self> {
        if millionths <= Self::MAX.0 {
            Some(Self(millionths))
        } else {
            None
        }
    }

    /// As millionths.
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// Reads a factor: `1.2`.
    ///
    /// # Errors
    /// It is no plain decimal number, has more than six decimals or is above a thousand.
    pub fn parse(text: &str) -> Result<Self, InvalidAmount> {
        let millionths = u32::try_from(decimal(text, Self::DECIMALS)?).ok();
        let factor = millionths.and_then(Self::from_millionths);
        factor.ok_or(InvalidAmount::TooLarge)
    }
}

impl Default for Factor {
    fn default() -> Self {
        Self::ONE
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal(self.0.into(), Self::DECIMALS).fmt(f)
    }
}

/// A whole number of units of `10^-places`.
pub(super) struct Decimal(pub(super) u128, pub(super) u32);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(mut number, places) = *self;
        let mut places = places as usize;
        while places > 0 && number.is_multiple_of(10) {
            (number, places) = (number / 10, places - 1);
        }
        let digits = format!("{number:0>width$}", width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let point = if fraction.is_empty() { "" } else { "." };
        f.pad(&format!("{whole}{point}{fraction}"))
    }
}

#[cfg(test)]
mod tests;

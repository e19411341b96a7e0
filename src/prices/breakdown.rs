//! The cost of a call, taken apart: the same sum as the cost itself, line by line.

use std::fmt;

use super::{
    Factor, Item, Pico, Terms,
    amount::Decimal,
    quote::{NANO, rounded_up},
    terms::{Part, parts},
};
use crate::domain::{NanoUsd, ServiceTier, Usage};

/// The cost of a call, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breakdown {
    /// Above how many tokens of input these prices hold; 0 for those of short inputs.
    pub above: u64,
    /// What was used and has a price, in the order of the record.
    pub lines: Vec<Line>,
    /// Everything that was used, before factors.
    pub units: Exact,
    /// Another way of being served, and what it multiplies the prices of units by.
    pub service: Option<(ServiceTier, Factor)>,
    /// Prices of the request itself, by name.
    pub requests: Vec<(&'static str, Pico)>,
    /// What the plan multiplies everything by.
    pub factor: Factor,
    /// The exact sum.
    pub sum: Exact,
    /// The cost: the sum, rounded up to a billionth of a dollar.
    pub cost: NanoUsd,
}

/// So many units at one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Of what.
    pub item: Item,
    /// How many.
    pub count: u64,
    /// What one of them costs, which may be the price of what it is a kind of.
    pub price: Pico,
    /// What they cost together.
    pub amount: Exact,
}

/// An amount that is not rounded, in units of 10^-24 dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exact(u128);

/// Decimals of an exact amount.
const DECIMALS: u32 = 24;

impl Terms {
    /// What [`Terms::cost`] adds up.
    pub fn breakdown(&self, usage: &Usage) -> Breakdown {
        let one = u128::from(Factor::ONE.millionths());
        let unscaled = |amount: u128| Exact(amount.saturating_mul(one).saturating_mul(one));
        let used = self.table().map(|table| parts(table, usage));
        let used: Vec<Part> = used.into_iter().flatten().collect();
        let line = |part: &Part| Line {
            item: part.item,
            count: part.count,
            price: part.rate,
            amount: unscaled(part.amount()),
        };
        let above = self.table().map_or(0, |table| table.step(usage.input));
        let sum = self.exact(usage);
        Breakdown {
            above,
            lines: used
                .iter()
                .filter(|part| part.count > 0)
                .map(line)
                .collect(),
            units: unscaled(used.iter().map(Part::amount).fold(0, u128::saturating_add)),
            service: self.service().map(|service| (service.tier, service.factor)),
            requests: self.requests().collect(),
            factor: self.factor(),
            sum: Exact(sum),
            cost: rounded_up(sum),
        }
    }
}

impl Exact {
    /// Whether it is a whole number of billionths of a dollar, so that nothing has to be rounded.
    pub const fn is_whole(self) -> bool {
        self.0.is_multiple_of(NANO)
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal(self.0, DECIMALS).fmt(f)
    }
}

impl serde::Serialize for Exact {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;

//! What a row took from lots: as text beside the row, and summed up on the lots themselves.

use std::collections::BTreeMap;

use rusqlite::Transaction;

use crate::{
    accounts::{Draw, Draws},
    domain::NanoUsd,
};

/// Lots and how much is taken from each.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::store) struct Sums(BTreeMap<i64, i64>);

impl Sums {
    /// Adds what some row took.
    pub(in crate::store) fn add(&mut self, draws: &[Draw]) {
        for Draw { entry, amount } in draws.iter().filter(|draw| is_of_a_lot(draw)) {
            let sum = self.0.entry(*entry).or_default();
            *sum = sum.saturating_add(amount.nanos());
        }
    }

    /// Takes everything from the lots. A lot may end below zero: what was drawn is drawn, and the balance is what counts.
    pub(in crate::store) fn take(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut update = transaction.prepare_cached(TAKE_FROM_LOT)?;
        for (entry, amount) in &self.0 {
            update.execute((amount, entry))?;
        }
        Ok(())
    }

    /// The same as draws.
    pub(in crate::store) fn draws(&self) -> Vec<Draw> {
        let draw = |(entry, amount): (&i64, &i64)| Draw {
            entry: *entry,
            amount: NanoUsd::from_nanos(*amount),
        };
        self.0.iter().map(draw).collect()
    }
}

// It stops at the column's end instead of turning into a floating-point number.
const TAKE_FROM_LOT: &str = "UPDATE credit_lots
    SET remaining_nano_usd = max(remaining_nano_usd, ?1 - 9223372036854775807) - ?1 WHERE entry = ?2";

/// What of an amount no draw covers.
pub(in crate::store) fn uncovered(amount: NanoUsd, draws: &[Draw]) -> NanoUsd {
    let covered = draws.iter().filter(|draw| is_of_a_lot(draw));
    covered.fold(amount, |left, draw| left.saturating_sub(draw.amount))
}

/// What lots have of an amount, in the order in which calls draw. Nothing is taken yet.
pub(in crate::store) fn cover(
    transaction: &Transaction<'_>,
    account: &str,
    amount: NanoUsd,
) -> rusqlite::Result<Draws> {
    let mut select = transaction.prepare_cached(LOTS_IN_ORDER)?;
    let mut rows = select.query([account])?;
    let (mut left, mut draws) = (amount, Draws::new());
    while left > NanoUsd::ZERO
        && let Some(row) = rows.next()?
    {
        let amount = left.min(NanoUsd::from_nanos(row.get(1)?));
        left = left.saturating_sub(amount);
        draws.push(Draw {
            entry: row.get(0)?,
            amount,
        });
    }
    Ok(draws)
}

// Priority, then what is lost first, then what is older.
const LOTS_IN_ORDER: &str = "SELECT number, remaining_nano_usd
    FROM credit_entries JOIN credit_lots ON entry = number
    WHERE account = ? AND remaining_nano_usd > 0
    ORDER BY priority, expires_at IS NULL, expires_at, number";

/// Lots are numbered from 1. What memory gave back without knowing its lot has no number, and was drawn from no row.
fn is_of_a_lot(draw: &Draw) -> bool {
    draw.entry > 0 && draw.amount > NanoUsd::ZERO
}

/// Draws as a row keeps them: `{"12":435000}`; `None` for none.
pub(in crate::store) fn text(draws: &[Draw]) -> Option<String> {
    use std::fmt::Write;
    let mut text = String::new();
    // A lot that was drawn from twice is one member.
    let mut sums = Sums::default();
    sums.add(draws);
    for Draw { entry, amount } in sums.draws() {
        let before = if text.is_empty() { '{' } else { ',' };
        // Writing to a string cannot fail.
        let _ = write!(text, "{before}\"{entry}\":{}", amount.nanos());
    }
    (!text.is_empty()).then(|| text + "}")
}

/// Reads what [`text`] wrote.
pub(in crate::store) fn unpack(text: &str) -> Option<Vec<Draw>> {
    let read: BTreeMap<i64, i64> = serde_json::from_str(text).ok()?;
    let draw = |(entry, amount)| Draw {
        entry,
        amount: NanoUsd::from_nanos(amount),
    };
    Some(read.into_iter().map(draw).collect())
}

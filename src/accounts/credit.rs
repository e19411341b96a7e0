//! Prepaid credit of one account: the lots it is made of, what calls hold of it, and what is left.
//!
//! Everything that adds credit makes a lot, named by its entry in the store. Calls draw from lots in a fixed order, so
//! that what would be lost first is spent first. Must not know calls, prices or the store.

use smallvec::SmallVec;

use crate::domain::{AccountId, NanoUsd, Timestamp};

/// What one entry added, as far as it has not been drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lot {
    /// The number of the entry that made it.
    pub entry: i64,
    /// What is left of it.
    pub remaining: NanoUsd,
    /// Lots of a lower number are drawn first (Stripe's credit grants have the same order: 0 to 100).
    pub priority: u8,
    /// From when on what is left of it is lost.
    pub expires_at: Option<Timestamp>,
}

/// An amount taken from a lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// The entry that made the lot.
    pub entry: i64,
    /// How much.
    pub amount: NanoUsd,
}

/// All that one charge took from lots. What no lot covered is debt, and in no draw.
pub type Draws = SmallVec<[Draw; 1]>;

/// The credit of an account as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditRow {
    /// Whose.
    pub account: AccountId,
    /// All entries less all charges. Where it is less than the lots have, the rest is debt.
    pub balance: NanoUsd,
    /// Lots of which something is left.
    pub lots: Vec<Lot>,
}

/// The credit of an account as a reader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// Entries less charges; below zero only when a call cost more than it held.
    pub balance: NanoUsd,
    /// Held by calls in flight.
    pub held: NanoUsd,
}

/// The lots of an account, its debt and what is held.
#[derive(Debug, Default)]
pub(super) struct CreditState {
    /// In the order of drawing. Empty ones stay while something that was drawn may be given back to them.
    lots: Vec<Lot>,
    debt: NanoUsd,
    held: NanoUsd,
    /// Charges and entries that may yet be given back.
    open: u32,
    /// What was lost and is not recorded yet.
    expired: Vec<Draw>,
    /// Lots that were put into others while something that was drawn may be given back to them, and those others.
    renewed: Vec<(i64, i64)>,
}

impl Credit {
    /// What a new call may hold.
    #[must_use]
    pub fn available(self) -> NanoUsd {
        self.balance.saturating_sub(self.held)
    }
}

impl CreditState {
    /// Continues what was stored.
    pub(super) fn restore(row: &CreditRow) -> Self {
        let mut credit = Self::default();
        for lot in &row.lots {
            credit.insert(*lot);
        }
        let debt = credit.lots_total().saturating_sub(row.balance);
        // Debt that a later top-up has covered is taken from that lot now, as it was then. Which one that was nobody knows
        // any more, so what is lost first pays: a lot that has ended may have no more than this.
        let end = |lot: &Lot| lot.expires_at.map_or(i64::MAX, Timestamp::millis);
        credit.lots.sort_by_key(end);
        credit.debt = credit.take(debt, &mut Draws::new(), |_| true);
        for lot in std::mem::take(&mut credit.lots) {
            credit.insert(lot);
        }
        credit
    }

    /// What a reader sees.
    pub(super) fn read(&self) -> Credit {
        Credit {
            balance: self.lots_total().saturating_sub(self.debt),
            held: self.held,
        }
    }

    /// Adds a lot; debt is paid from it first.
    pub(super) fn add(&mut self, lot: Lot) {
        let paid = self.debt.min(lot.remaining);
        self.debt = self.debt.saturating_sub(paid);
        self.insert(Lot {
            remaining: lot.remaining.saturating_sub(paid),
            ..lot
        });
    }

    /// Loses what has expired at `now`, except what calls in flight were promised. What was lost under a clock that was
    /// ahead, and is not recorded, is there again.
    pub(super) fn roll(&mut self, now: Timestamp) {
        let lots = &mut self.lots;
        self.expired.retain(|lost| {
            let lasts = |lot: &&mut Lot| {
                lot.entry == lost.entry && lot.expires_at.is_some_and(|end| now < end)
            };
            let Some(lot) = lots.iter_mut().find(lasts) else {
                return true;
            };
            lot.remaining = lot.remaining.saturating_add(lost.amount);
            false
        });
        for at in 0..self.lots.len() {
            let lot = self.lots[at];
            let over = lot.expires_at.is_some_and(|end| end <= now);
            if !over || lot.remaining == NanoUsd::ZERO {
                continue;
            }
            let free = self.read().available().max(NanoUsd::ZERO);
            let amount = lot.remaining.min(free);
            if amount > NanoUsd::ZERO {
                self.lots[at].remaining = lot.remaining.saturating_sub(amount);
                self.expired.push(Draw {
                    entry: lot.entry,
                    amount,
                });
            }
        }
    }

    /// What has been lost since this was last asked; whoever asks records it.
    pub(super) fn take_expired(&mut self) -> Vec<Draw> {
        let expired = std::mem::take(&mut self.expired);
        self.forget_empty_lots();
        expired
    }

    /// Whether more may be lost of lots whose time has come: calls hold some of it, or some may yet be given back.
    pub(super) fn may_lose_more(&self, now: Timestamp) -> bool {
        let over = |lot: &Lot| lot.expires_at.is_some_and(|end| end <= now);
        self.lots.iter().any(over)
    }

    /// Says that what was lost could not be recorded yet.
    pub(super) fn put_back_expired(&mut self, draws: Vec<Draw>) {
        self.expired.extend(draws);
    }

    /// Holds an amount.
    pub(super) fn set_aside(&mut self, amount: NanoUsd) {
        self.held = self.held.saturating_add(amount);
        self.open += 1;
    }

    /// Ends a hold.
    pub(super) fn release(&mut self, amount: NanoUsd) {
        self.held = self.held.saturating_sub(amount);
        self.open = self.open.saturating_sub(1);
        self.forget_empty_lots();
    }

    /// Empty lots are kept for nothing once nothing can be given back to them.
    fn forget_empty_lots(&mut self) {
        let expired = &self.expired;
        let is_lost = |lot: &Lot| expired.iter().any(|lost| lost.entry == lot.entry);
        if self.open == 0 {
            self.lots
                .retain(|lot| lot.remaining > NanoUsd::ZERO || is_lost(lot));
            self.renewed = Vec::new();
        }
    }

    /// Takes an amount from the lots in their order; what they do not have becomes debt.
    pub(super) fn draw(&mut self, amount: NanoUsd, draws: &mut Draws) {
        let uncovered = self.take(amount, draws, |_| true);
        self.debt = self.debt.saturating_add(uncovered);
    }

    /// The same, from some lots before all others.
    pub(super) fn draw_first(&mut self, entries: &[i64], amount: NanoUsd, draws: &mut Draws) {
        let left = self.take(amount, draws, |lot| entries.contains(&lot.entry));
        self.draw(left, draws);
    }

    /// Takes what is left of some lots, except what calls in flight were promised.
    pub(super) fn empty(&mut self, entries: &[i64], draws: &mut Draws) {
        let mut free = self.read().available().max(NanoUsd::ZERO);
        for lot in &mut self.lots {
            if entries.contains(&lot.entry) {
                let amount = lot.remaining.min(free);
                lot.remaining = lot.remaining.saturating_sub(amount);
                free = free.saturating_sub(amount);
                draws.push(Draw {
                    entry: lot.entry,
                    amount,
                });
            }
        }
    }

    /// Puts what is left of some lots into another. Nothing is missing in between, and what calls in flight hold, they hold
    /// of all lots together. What was drawn since the store looked is in neither.
    pub(super) fn renew(&mut self, entries: &[i64], lot: Lot) {
        let mut left = NanoUsd::ZERO;
        let is_its = |lot: &&mut Lot| entries.contains(&lot.entry);
        for lot in self.lots.iter_mut().filter(is_its) {
            left = left.saturating_add(std::mem::take(&mut lot.remaining));
        }
        self.renewed
            .extend(entries.iter().map(|entry| (*entry, lot.entry)));
        self.forget_empty_lots();
        self.insert(Lot {
            remaining: left,
            ..lot
        });
    }

    /// The lot that one of this number is in by now: where it was put into another, the store has all of it there.
    pub(super) fn present(&self, entry: i64) -> i64 {
        let renewed = self.renewed.iter();
        renewed.fold(
            entry,
            |entry, (was, is)| {
                if entry == *was { *is } else { entry }
            },
        )
    }

    /// Gives back what [`Self::draw`] took.
    pub(super) fn give_back(&mut self, amount: NanoUsd, draws: &Draws) {
        let mut covered = NanoUsd::ZERO;
        for draw in draws {
            let entry = self.present(draw.entry);
            if let Some(lot) = self.lots.iter_mut().find(|lot| lot.entry == entry) {
                lot.remaining = lot.remaining.saturating_add(draw.amount);
                covered = covered.saturating_add(draw.amount);
            }
        }
        // What no lot had covered is debt no more. Where a later lot has paid that debt, it stands on its own.
        let uncovered = amount.saturating_sub(covered);
        let forgiven = self.debt.min(uncovered);
        let debt = std::mem::take(&mut self.debt).saturating_sub(forgiven);
        self.insert_if_any(uncovered.saturating_sub(forgiven));
        self.draw(debt, &mut Draws::new());
    }

    fn insert_if_any(&mut self, remaining: NanoUsd) {
        if remaining > NanoUsd::ZERO {
            self.insert(Lot {
                entry: 0,
                remaining,
                priority: u8::MAX,
                expires_at: None,
            });
        }
    }

    fn take(&mut self, amount: NanoUsd, draws: &mut Draws, from: impl Fn(&Lot) -> bool) -> NanoUsd {
        let mut left = amount.max(NanoUsd::ZERO);
        for lot in self.lots.iter_mut().filter(|lot| from(lot)) {
            let taken = left.min(lot.remaining);
            if taken <= NanoUsd::ZERO {
                continue;
            }
            lot.remaining = lot.remaining.saturating_sub(taken);
            left = left.saturating_sub(taken);
            match draws.iter_mut().find(|draw| draw.entry == lot.entry) {
                Some(draw) => draw.amount = draw.amount.saturating_add(taken),
                None => draws.push(Draw {
                    entry: lot.entry,
                    amount: taken,
                }),
            }
            if left == NanoUsd::ZERO {
                break;
            }
        }
        left
    }

    fn insert(&mut self, lot: Lot) {
        // What never expires is spent last among its equals.
        let order = |lot: &Lot| {
            let end = lot.expires_at.map_or(i64::MAX, Timestamp::millis);
            (lot.priority, end, lot.entry)
        };
        let at = self
            .lots
            .partition_point(|other| order(other) < order(&lot));
        // Most accounts have one or two.
        if self.lots.len() == self.lots.capacity() {
            self.lots.reserve_exact(1);
        }
        self.lots.insert(at, lot);
    }

    fn lots_total(&self) -> NanoUsd {
        self.lots
            .iter()
            .fold(NanoUsd::ZERO, |sum, lot| sum.saturating_add(lot.remaining))
    }
}

#[cfg(test)]
mod tests;

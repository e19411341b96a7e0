//! All limits that bind one key: its own, its share of the plan, its account's and its plan's.
//!
//! The levels are lists, not fields: a new kind of limit is one more entry.

use std::sync::Arc;

use super::{Book, CounterName, CounterRow, Owner};
use crate::domain::{
    AccountId, Anchor, Clock, KeyId, Limits, Mode, Quota, RateLimits, Scope, Unit,
};

/// A quota and the counter that it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaLevel {
    pub(super) slot: usize,
    /// Whose limit it is.
    pub scope: Scope,
    /// Whether it is the plan's, for an account or for each of its keys, so that a larger plan lifts it.
    pub of_plan: bool,
    /// The limit.
    pub quota: Quota,
}

/// A limit that only time lifts, and the place of its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateLevel {
    pub(super) slot: usize,
    pub(super) scope: Scope,
    pub(super) limit: u64,
}

/// Every limit that binds a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels {
    pub(super) quotas: Vec<QuotaLevel>,
    pub(super) requests: Vec<RateLevel>,
    pub(super) tokens: Vec<RateLevel>,
    pub(super) concurrent: Vec<RateLevel>,
    /// Whether calls are paid from the account's credit.
    pub credit: bool,
}

/// Which of the limits that bind a key a rate is. Two of them may have one owner, and are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum RateOrigin {
    /// The key's own.
    Key,
    /// The plan's for each key.
    PerKey,
    /// The account's own.
    Account,
    /// The plan's, counted per account.
    Plan,
}

/// Who a rate belongs to, and which of the owner's limits it is.
pub(super) type RateName = Arc<(RateOrigin, Owner)>;

/// Where the limits of a key come from.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    pub(super) account: &'a AccountId,
    pub(super) key: &'a KeyId,
    /// The plan's limits, counted per account.
    pub(super) plan: &'a Limits,
    /// The account's own.
    pub(super) own: &'a Limits,
    /// The plan's limits for each key.
    pub(super) per_key: &'a Limits,
    /// The key's own.
    pub(super) narrow: &'a Limits,
    /// Whether the plan takes credit.
    pub(super) credit: bool,
    pub(super) anchor: Anchor,
    /// The number of the directory that they stand in.
    pub(super) generation: u64,
}

impl Levels {
    /// Gives every limit its place in the account's book.
    pub(super) fn compile(
        from: &Sources<'_>,
        book: &Book,
        clock: &Clock,
        stored: &dyn Fn(&CounterName) -> Vec<CounterRow>,
    ) -> Self {
        let current = book.is_current(from.generation);
        let mut levels = Self {
            credit: from.credit,
            ..Self::default()
        };
        for (origin, limits) in [
            (RateOrigin::Key, from.narrow),
            (RateOrigin::PerKey, from.per_key),
            (RateOrigin::Account, from.own),
            (RateOrigin::Plan, from.plan),
        ] {
            let (scope, owner) = match origin {
                RateOrigin::Key | RateOrigin::PerKey => (Scope::Key, Owner::Key(from.key.clone())),
                RateOrigin::Account => (Scope::Account, Owner::Account(from.account.clone())),
                RateOrigin::Plan => (Scope::Plan, Owner::Account(from.account.clone())),
            };
            for quota in &limits.quotas {
                let name = CounterName {
                    owner: owner.clone(),
                    unit: quota.unit,
                    per: quota.per,
                };
                let slot = book.counter(name, stored, clock.now(), from.anchor);
                levels.quotas.push(QuotaLevel {
                    slot,
                    scope,
                    of_plan: matches!(origin, RateOrigin::PerKey | RateOrigin::Plan),
                    quota: *quota,
                });
            }
            let name = Arc::new((origin, owner));
            levels.add_rates(book, &name, scope, limits.rates, (clock, current));
        }
        // A key is made once and kept; room for limits that never come would be half of it.
        levels.quotas.shrink_to_fit();
        levels.requests.shrink_to_fit();
        levels.tokens.shrink_to_fit();
        levels.concurrent.shrink_to_fit();
        levels
    }

    /// Gives the rates of `name` their places. Where they are `current`, a limit that has changed starts fresh.
    fn add_rates(
        &mut self,
        book: &Book,
        name: &RateName,
        scope: Scope,
        rates: RateLimits,
        (clock, current): (&Clock, bool),
    ) {
        let level = |slot, limit| RateLevel { slot, scope, limit };
        if let Some(limit) = rates.requests_per_minute {
            let slot = book.rate(name, limit, clock, current);
            self.requests.push(level(slot, limit.get().into()));
        }
        if let Some(limit) = rates.tokens_per_minute {
            let slot = book.bucket(name, limit, clock, current);
            self.tokens.push(level(slot, limit.get()));
        }
        if let Some(limit) = rates.concurrent_requests {
            let slot = book.seats(name);
            self.concurrent.push(level(slot, limit.get().into()));
        }
    }

    /// Whether a token quota is enforced.
    pub fn limits_tokens(&self) -> bool {
        self.quotas
            .iter()
            .any(|level| level.quota.unit == Unit::Tokens && level.is_enforced())
    }

    /// Whether money is counted: by a budget, one in shadow mode included, or because calls take credit. Then every call
    /// needs a price.
    pub fn counts_money(&self) -> bool {
        self.credit
            || self
                .quotas
                .iter()
                .any(|level| level.quota.unit == Unit::Usd)
    }

    /// Whether a call has to be bounded, its output too: something that is enforced grows with it.
    pub fn limits_output(&self) -> bool {
        self.credit
            || self
                .quotas
                .iter()
                .any(|level| level.quota.unit != Unit::Requests && level.is_enforced())
    }
}

impl QuotaLevel {
    /// Whether it refuses.
    pub(super) fn is_enforced(&self) -> bool {
        self.quota.mode == Mode::Enforce
    }
}

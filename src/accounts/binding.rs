//! What a call asks of its limits, and what they answer.

use std::time::Duration;

use super::{Credit, Draws, QuotaLevel, counter::Counter, levels::RateLevel};
use crate::{
    domain::{Amount, LimitStatus, Mode, NanoUsd, Per, Scope, Timestamp, Unit},
    prices::Quote,
};

/// Why a level binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// All of it is used.
    Spent,
    /// This call alone is more than what is left.
    TooLarge,
    /// Enough is left, but calls in flight hold it.
    OnHold,
    /// Too many per minute.
    Rate,
    /// Too many at once.
    Concurrency,
}

/// The level that binds, and its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Why.
    pub reason: Reason,
    /// Whose limit it is.
    pub scope: Scope,
    /// Whether it is the plan's, for an account or for each of its keys, so that a larger plan lifts it.
    pub of_plan: bool,
    /// What is counted.
    pub unit: Unit,
    /// The window; `None` for a minute's rate, calls at once and credit.
    pub per: Option<Per>,
    /// The limit; of money, billionths of a dollar.
    pub limit: u64,
    /// Settled use.
    pub used: u64,
    /// Held by calls in flight.
    pub held: u64,
    /// What this call would take.
    pub asked: u64,
    /// When it starts again.
    pub resets_at: Option<Timestamp>,
    /// How long to wait, for limits that only time lifts.
    pub wait: Option<Duration>,
    /// The status the limit asks for.
    pub status: LimitStatus,
    /// The account's credit, where that is what binds.
    pub credit: Option<Credit>,
    /// The output limit with which the call would fit every level now, where credit binds.
    pub affordable: Option<u64>,
}

impl Binding {
    /// One of its figures, with what it counts.
    pub fn amount(&self, figure: u64) -> Amount {
        Amount::of(self.unit, figure)
    }
}

/// What a call wants to hold.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Input tokens at most.
    pub input: u64,
    /// Output tokens.
    pub output: Output,
    /// How many answers are asked for; at least 1.
    pub answers: u64,
    /// Input tokens for the minute's bucket.
    pub bucket_input: u64,
    /// What it may cost.
    pub quote: Quote,
    /// Whether quotas are taken at all; counting tokens and listing models only pass the rates.
    pub quotas: bool,
}

/// How much output a call may produce.
#[derive(Debug, Clone, Copy)]
pub enum Output {
    /// So many, by the client's own word or by nature.
    Fixed(u64),
    /// As many as every level can hold, within these ends.
    UpTo {
        /// At most.
        most: u64,
        /// Not fewer, so that the answer is of use.
        floor: u64,
    },
    /// So many by the client's own word, or as many as the credit affords where that is less.
    Clamp {
        /// What the client says.
        most: u64,
        /// Not fewer, as the provider takes no such call.
        floor: u64,
    },
}

impl Output {
    /// As many as it would be if no level were short.
    pub(super) const fn most(self) -> u64 {
        match self {
            Self::Fixed(most) | Self::UpTo { most, .. } | Self::Clamp { most, .. } => most,
        }
    }
}

/// How a call ended, for its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It counts.
    Used {
        /// Input and output tokens.
        tokens: u64,
        /// What it costs, the exact part included; nothing where the model has no price.
        cost: NanoUsd,
    },
    /// It never happened.
    Void,
}

/// What a settlement moves in the store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moved {
    /// Counters of quotas and budgets.
    pub counters: Vec<super::CounterChange>,
    /// The lots that paid, where the call was charged to prepaid credit.
    pub credit: Option<Draws>,
}

/// A limit as a reader sees it.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Its figures. The reason tells no more than what kind of limit it is: nothing is refused by it here.
    pub figures: Binding,
    /// Whether it refuses.
    pub mode: Mode,
    /// The length of its window.
    pub window: Duration,
}

pub(super) fn binding(
    reason: Reason,
    level: &QuotaLevel,
    counter: &Counter,
    asked: u64,
) -> Binding {
    Binding {
        reason,
        scope: level.scope,
        of_plan: level.of_plan,
        unit: level.quota.unit,
        per: Some(level.quota.per),
        limit: level.quota.limit,
        used: counter.used,
        held: counter.held,
        asked,
        resets_at: Some(counter.window.end),
        wait: None,
        status: level.quota.status,
        credit: None,
        affordable: None,
    }
}

/// Credit that binds a call of so much.
pub(super) fn indebted(reason: Reason, credit: Credit, asked: NanoUsd) -> Binding {
    Binding {
        reason,
        scope: Scope::Account,
        of_plan: false,
        unit: Unit::Usd,
        per: None,
        limit: credit.balance.counted(),
        used: 0,
        held: credit.held.counted(),
        asked: asked.counted(),
        resets_at: None,
        wait: None,
        status: LimitStatus::PaymentRequired,
        credit: Some(credit),
        affordable: None,
    }
}

pub(super) fn timed(reason: Reason, level: &RateLevel, used: u64, wait: Duration) -> Binding {
    Binding {
        reason,
        scope: level.scope,
        // What only time lifts is waited for.
        of_plan: false,
        unit: Unit::Requests,
        per: None,
        limit: level.limit,
        used,
        held: 0,
        asked: 1,
        resets_at: None,
        wait: Some(wait),
        status: LimitStatus::TooManyRequests,
        credit: None,
        affordable: None,
    }
}

//! What a call asks of its limits, and what they answer.

use std::time::Duration;

use super::{QuotaLevel, counter::Counter, levels::RateLevel};
use crate::domain::{LimitStatus, Mode, Per, Scope, Timestamp, Unit};

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
    /// What is counted.
    pub unit: Unit,
    /// The window; `None` for a minute's rate or calls at once.
    pub per: Option<Per>,
    /// The limit.
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
}

/// How a call ended, for its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It counts, with this many tokens.
    Used(u64),
    /// It never happened.
    Void,
}

/// A limit as a reader sees it.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Its figures; the reason is of no meaning.
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
        unit: level.quota.unit,
        per: Some(level.quota.per),
        limit: level.quota.limit,
        used: counter.used,
        held: counter.held,
        asked,
        resets_at: Some(counter.window.end),
        wait: None,
        status: level.quota.status,
    }
}

pub(super) fn timed(reason: Reason, level: &RateLevel, used: u64, wait: Duration) -> Binding {
    Binding {
        reason,
        scope: level.scope,
        unit: Unit::Requests,
        per: None,
        limit: level.limit,
        used,
        held: 0,
        asked: 1,
        resets_at: None,
        wait: Some(wait),
        status: LimitStatus::TooManyRequests,
    }
}

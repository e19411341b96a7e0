//! What a refusal knows: its code, whom it concerns, which limit binds.

use std::{fmt, time::Duration};

use super::Code;
use crate::domain::{
    AccountId, Amount, LimitStatus, ModelName, NanoUsd, Per, PlanId, Scope, SubscriptionStatus,
    Timestamp, Unit,
};

/// A decision not to forward, or a provider's failure, with all that its answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What happened; decides the status.
    pub code: Code,
    /// Who is refused, once the key is known.
    pub subject: Option<Subject>,
    /// The limit that binds.
    pub limit: Option<LimitFacts>,
    /// The credit that the call would be paid from.
    pub credit: Option<CreditFacts>,
    /// When trying again can succeed.
    pub retry_after: Option<Duration>,
    /// What else a person has to know.
    pub detail: Detail,
}

/// Whom a refusal concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Who pays.
    pub account: AccountId,
    /// The account's plan.
    pub plan: PlanId,
    /// The subscription's status, where there is one.
    pub subscription: Option<SubscriptionStatus>,
    /// Whether answers must not name figures (`redact: amounts` of the plan).
    pub redact: bool,
}

/// What kind of limit binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// Requests or tokens per calendar window.
    Quota,
    /// Money per calendar window.
    Budget,
    /// Requests or tokens per minute.
    RateLimit,
    /// Calls at the same time.
    Concurrency,
}

impl LimitKind {
    /// The word in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Budget => "budget",
            Self::RateLimit => "rate_limit",
            Self::Concurrency => "concurrency",
        }
    }
}

/// What a limit counts per.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedPer {
    /// A minute, whenever it begins.
    Minute,
    /// A calendar window or a billing period.
    Window(Per),
}

impl CountedPer {
    /// The word in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Window(per) => per.as_str(),
        }
    }
}

impl fmt::Display for CountedPer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A limit and how much of it is used. The figures of a budget are billionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitFacts {
    /// Its kind.
    pub kind: LimitKind,
    /// Whose limit it is.
    pub scope: Scope,
    /// Whether it is the plan's, for an account or for each of its keys, so that a larger plan lifts it.
    pub of_plan: bool,
    /// What is counted; money only for a budget.
    pub unit: Unit,
    /// What it counts per; `None` for calls at the same time.
    pub per: Option<CountedPer>,
    /// How many.
    pub limit: u64,
    /// Settled use.
    pub used: u64,
    /// Held by calls in flight.
    pub held: u64,
    /// What this call would have taken; 0 where it does not matter.
    pub asked: u64,
    /// When it starts again.
    pub resets_at: Option<Timestamp>,
    /// The status the limit asks for.
    pub status: LimitStatus,
}

/// Prepaid credit and what a call wanted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditFacts {
    /// What is there; below zero after an overrun.
    pub balance: NanoUsd,
    /// Of it, what calls in flight hold.
    pub held: NanoUsd,
    /// What this call would take at most; zero where it is not known.
    pub asked: NanoUsd,
    /// The output limit, in tokens, with which this call can be paid. 0: no limit makes it so. `None`: not known, or
    /// the output limit is not what decides.
    pub max_affordable_tokens: Option<u64>,
}

/// What else a person has to know. Texts from clients appear only as parsed, printable names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// The code says it all.
    None,
    /// The model that was asked for.
    Model(ModelName),
    /// A fixed explanation, one sentence with what to do.
    Say(&'static str),
    /// An explanation with a figure or a name of ours in it, one sentence with what to do.
    Explain(Box<str>),
    /// The methods that the path knows, as the `Allow` field has them.
    Allow(&'static str),
    /// The limit in bytes that was passed.
    Bytes(u64),
    /// The instant a subscription closed or a key expired.
    Since(Timestamp),
}

impl LimitFacts {
    /// What is left for other calls. A rate limit that refuses counts as empty, whatever trickled in since.
    pub fn remaining(&self) -> u64 {
        match self.kind {
            LimitKind::Quota | LimitKind::Budget => self
                .limit
                .saturating_sub(self.used)
                .saturating_sub(self.held),
            LimitKind::RateLimit | LimitKind::Concurrency => 0,
        }
    }

    /// Whether it starts again with a calendar window.
    pub(super) const fn windowed(&self) -> bool {
        matches!(self.kind, LimitKind::Quota | LimitKind::Budget)
    }

    /// A figure of this limit, as answers write it.
    pub(super) fn amount(&self, figure: u64) -> Amount {
        match self.kind {
            LimitKind::Budget => Amount::of(Unit::Usd, figure),
            LimitKind::Quota | LimitKind::RateLimit | LimitKind::Concurrency => {
                Amount::Count(figure)
            }
        }
    }
}

impl CreditFacts {
    /// What a new call may hold; below zero after an overrun.
    pub(super) fn available(&self) -> NanoUsd {
        self.balance.saturating_sub(self.held)
    }
}

impl Refusal {
    /// A refusal that knows no more than its code.
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            subject: None,
            limit: None,
            credit: None,
            retry_after: None,
            detail: Detail::None,
        }
    }

    /// Names whom it concerns.
    #[must_use]
    pub fn about(self, subject: Subject) -> Self {
        Self {
            subject: Some(subject),
            ..self
        }
    }

    /// Says more.
    #[must_use]
    pub fn with(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }

    /// Names the limit that binds.
    #[must_use]
    pub fn limited_by(self, limit: LimitFacts) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    /// Names the credit that the call would be paid from.
    #[must_use]
    pub fn with_credit(self, credit: CreditFacts) -> Self {
        Self {
            credit: Some(credit),
            ..self
        }
    }

    /// Says when trying again can succeed.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

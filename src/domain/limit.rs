//! What a plan, an account or a key may say about how much is allowed.

use std::num::{NonZeroU32, NonZeroU64};

use super::Per;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Forwarded calls.
    Requests,
    /// Input and output tokens together.
    Tokens,
    /// Money, in billionths of a US dollar. A quota of it is a budget.
    Usd,
}

impl Unit {
    /// The word in configuration, answers and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Usd => "usd",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Requests, Self::Tokens, Self::Usd]
            .into_iter()
            .find(|unit| unit.as_str() == word)
    }
}

/// Who a limit was written for; it names the level in refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The key's own limit, or its share by the plan's `per_key`.
    Key,
    /// The account's own limit, over all its keys.
    Account,
    /// The plan's limit, over all keys of the account.
    Plan,
}

impl Scope {
    /// The word in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Account => "account",
            Self::Plan => "plan",
        }
    }
}

/// The status of the refusal when a quota is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LimitStatus {
    /// Somebody can pay to lift it.
    #[default]
    PaymentRequired,
    /// Nobody can, by decision.
    Forbidden,
    /// Time alone lifts it.
    TooManyRequests,
}

/// What happens at the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The call is refused.
    #[default]
    Enforce,
    /// The call is counted and logged, never refused.
    Shadow,
}

/// So many of a unit per window: a quota of requests or tokens, or a budget of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// What is counted.
    pub unit: Unit,
    /// The window.
    pub per: Per,
    /// How many; 0 allows none. Of money, billionths of a dollar, at most `i64::MAX`.
    pub limit: u64,
    /// How the refusal is answered.
    pub status: LimitStatus,
    /// Whether it refuses.
    pub mode: Mode,
}

/// Limits that only time lifts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateLimits {
    /// Calls per minute; the burst is the same number.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Tokens per minute.
    pub tokens_per_minute: Option<NonZeroU64>,
    /// Calls whose answer has not ended.
    pub concurrent_requests: Option<NonZeroU32>,
}

/// All that one level says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Limits that only time lifts.
    pub rates: RateLimits,
    /// Limits per window; at most one for a unit and window.
    pub quotas: Vec<Quota>,
}

impl Limits {
    /// Whether something is counted in windows of this kind.
    pub fn count_per(&self, per: Per) -> bool {
        self.quotas.iter().any(|quota| quota.per == per)
    }
}

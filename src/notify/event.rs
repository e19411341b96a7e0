//! What people are told, as a type and as the body of a message.

use serde_json::{Map, Value, json};

use crate::{
    domain::{AccountId, EmailAddress, KeyId, PlanId, Timestamp},
    store::Mark,
};

/// The types of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// 80 % of a quota is used.
    QuotaWarning,
    /// A quota is used.
    QuotaExhausted,
    /// 80 % of a budget is used.
    BudgetWarning,
    /// A budget is used.
    BudgetExhausted,
    /// Little credit is left.
    CreditLow,
    /// No credit is left.
    CreditExhausted,
    /// A trial ends soon.
    TrialEnding,
    /// A subscription renews soon.
    RenewalUpcoming,
    /// A payment failed.
    PaymentFailed,
    /// What was served without payment ends soon.
    GraceEnding,
    /// Calls are refused from now on.
    AccessSuspended,
    /// Calls are served again.
    AccessRestored,
    /// Somebody wants to know whether messages arrive.
    Test,
}

/// Which events a webhook wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// All of them.
    All,
    /// All whose type begins so, such as `budget.`.
    Family(&'static str),
    /// This one.
    One(Event),
}

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) event: Event,
    pub(crate) account: Option<AccountId>,
    pub(crate) key: Option<KeyId>,
    pub(crate) plan: Option<PlanId>,
    /// Where the account's people are written to.
    pub(crate) email: Option<EmailAddress>,
    /// The members of `data` after `account`, `key` and `plan`.
    pub(crate) facts: Map<String, Value>,
}

/// Something that was seen, and what to tell of it; nothing, where it was only to be noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) mark: Mark,
    pub(crate) notice: Option<Notice>,
}

/// Bytes of a body at most: Standard Webhooks asks for less than 20 KB.
const LARGEST: usize = 19_000;

impl Event {
    /// Every type that the gateway tells by itself, in the order of the documentation.
    pub const ALL: [Self; 12] = [
        Self::QuotaWarning,
        Self::QuotaExhausted,
        Self::BudgetWarning,
        Self::BudgetExhausted,
        Self::CreditLow,
        Self::CreditExhausted,
        Self::TrialEnding,
        Self::RenewalUpcoming,
        Self::PaymentFailed,
        Self::GraceEnding,
        Self::AccessSuspended,
        Self::AccessRestored,
    ];

    /// The `type` of a body.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QuotaWarning => "quota.warning",
            Self::QuotaExhausted => "quota.exhausted",
            Self::BudgetWarning => "budget.warning",
            Self::BudgetExhausted => "budget.exhausted",
            Self::CreditLow => "credit.low",
            Self::CreditExhausted => "credit.exhausted",
            Self::TrialEnding => "subscription.trial_ending",
            Self::RenewalUpcoming => "subscription.renewal_upcoming",
            Self::PaymentFailed => "payment.failed",
            Self::GraceEnding => "subscription.grace_ending",
            Self::AccessSuspended => "access.suspended",
            Self::AccessRestored => "access.restored",
            Self::Test => "notification.test",
        }
    }

    /// The part before the point, with it.
    fn family(self) -> &'static str {
        let word = self.as_str();
        word.find('.').map_or(word, |point| &word[..=point])
    }
}

impl Pattern {
    /// Reads `*`, `budget.*` or `budget.warning`; `None` where no event is meant.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        if let Some(start) = text.strip_suffix('*') {
            let mut families = Event::ALL.into_iter().map(Event::family);
            return families.find(|family| *family == start).map(Self::Family);
        }
        let one = Event::ALL.into_iter().find(|event| event.as_str() == text);
        one.map(Self::One)
    }

    /// Whether `event` is meant. A test is for everybody.
    pub fn wants(self, event: Event) -> bool {
        match self {
            _ if event == Event::Test => true,
            Self::All => true,
            Self::Family(family) => event.family() == family,
            Self::One(one) => one == event,
        }
    }
}

impl Notice {
    /// Something about an account.
    pub(crate) fn new(event: Event, facts: Value) -> Self {
        let facts = match facts {
            Value::Object(facts) => facts,
            _ => Map::new(),
        };
        Self {
            event,
            account: None,
            key: None,
            plan: None,
            email: None,
            facts,
        }
    }

    /// The body of its messages; `at` is when it was seen. It is shorter than receivers may limit it to: what is too
    /// long can only be the links, and goes.
    pub(crate) fn body(&self, at: Timestamp) -> String {
        let mut data = Map::new();
        data.insert("account".to_owned(), json!(self.account));
        if let Some(key) = &self.key {
            data.insert("key".to_owned(), json!(key));
        }
        data.insert("plan".to_owned(), json!(self.plan));
        data.extend(self.facts.clone());
        let whole = |data: &Map<String, Value>| {
            json!({"type": self.event.as_str(), "timestamp": at, "data": data}).to_string()
        };
        let body = whole(&data);
        if body.len() <= LARGEST {
            return body;
        }
        data.remove("actions");
        whole(&data)
    }
}

#[cfg(test)]
mod tests;

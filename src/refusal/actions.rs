//! What lifts a refusal, in the order in which a person would try it.

use serde::{Serialize, ser::SerializeSeq as _};

use super::{Code, Links, Refusal, links::Address, verdict::Verdict};
use crate::domain::{AccountId, Timestamp};
use http::StatusCode;

/// Something that somebody can pay or change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// More credit.
    TopUp,
    /// A larger plan.
    Upgrade,
    /// A first subscription.
    Subscribe,
    /// A payment method that works.
    UpdatePaymentMethod,
    /// The subscription again.
    Renew,
}

/// At most one remedy, with the page where it is found, and at most one wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Actions<'a> {
    /// What to do, and where, when a page is configured.
    pub(super) remedy: Option<(Remedy, Option<Address<'a>>)>,
    /// Until when to wait.
    pub(super) until: Option<Timestamp>,
}

#[derive(Serialize)]
struct Action<'a> {
    rel: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    href: Option<Address<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

impl Remedy {
    fn of(refusal: &Refusal, status: StatusCode) -> Option<Self> {
        if status != StatusCode::PAYMENT_REQUIRED {
            return None;
        }
        // A key's or an account's own limit was set for it and stays what it is under a larger plan.
        let own = refusal.limit.is_some_and(|limit| !limit.of_plan);
        match refusal.code {
            Code::CreditExhausted | Code::InsufficientCreditForRequest => Some(Self::TopUp),
            Code::QuotaExhausted | Code::BudgetExceeded | Code::RequestExceedsLimit if own => None,
            Code::PlanUpgradeRequired
            | Code::QuotaExhausted
            | Code::BudgetExceeded
            | Code::RequestExceedsLimit => Some(Self::Upgrade),
            code => Self::of_subscription(code),
        }
    }

    /// What opens a subscription whose refusals have `code`; `None` for the codes that are not about subscriptions.
    pub const fn of_subscription(code: Code) -> Option<Self> {
        match code {
            Code::SubscriptionRequired => Some(Self::Subscribe),
            Code::SubscriptionIncomplete
            | Code::SubscriptionUnpaid
            | Code::SubscriptionPastDue
            // A trial that ended without a payment method is paused until there is one.
            | Code::SubscriptionPaused => Some(Self::UpdatePaymentMethod),
            Code::SubscriptionIncompleteExpired
            | Code::SubscriptionCanceled
            | Code::SubscriptionExpired => Some(Self::Renew),
            _ => None,
        }
    }

    /// The word in answers and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TopUp => "top_up",
            Self::Upgrade => "upgrade",
            Self::Subscribe => "subscribe",
            Self::UpdatePaymentMethod => "update_payment_method",
            Self::Renew => "renew",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::TopUp,
            Self::Upgrade,
            Self::Subscribe,
            Self::UpdatePaymentMethod,
            Self::Renew,
        ]
        .into_iter()
        .find(|remedy| remedy.as_str() == word)
    }

    /// The words on a button, or at the beginning of a line.
    pub const fn label(self) -> &'static str {
        match self {
            Self::TopUp => "Top up the credit",
            Self::Upgrade => "Upgrade the plan",
            Self::Subscribe => "Subscribe",
            Self::UpdatePaymentMethod => "Update the payment method",
            Self::Renew => "Renew the subscription",
        }
    }

    /// The words in a sentence, before ` at <address>`.
    pub(super) const fn clause(self) -> &'static str {
        match self {
            Self::TopUp => "top up",
            Self::Upgrade => "upgrade",
            Self::Subscribe => "subscribe",
            Self::UpdatePaymentMethod => "update the payment method",
            Self::Renew => "renew it",
        }
    }

    /// The clause where no page is configured.
    pub(super) const fn clause_without_page(self) -> &'static str {
        match self {
            Self::TopUp => "ask who runs this gateway how to top up",
            Self::Upgrade => "a larger plan lifts this",
            Self::Subscribe => "ask who runs this gateway how to subscribe",
            Self::UpdatePaymentMethod => "update the payment method",
            Self::Renew => "renew the subscription",
        }
    }

    /// The page where it is found, when one is configured.
    pub fn page<'a>(self, links: &'a Links, account: Option<&'a AccountId>) -> Option<Address<'a>> {
        match self {
            Self::UpdatePaymentMethod => links.portal(account),
            Self::TopUp | Self::Upgrade | Self::Subscribe | Self::Renew => links.pay(account),
        }
    }
}

impl<'a> Actions<'a> {
    /// What lifts `refusal`.
    pub(super) fn of(refusal: &'a Refusal, verdict: &Verdict, links: &'a Links) -> Self {
        let account = refusal.subject.as_ref().map(|subject| &subject.account);
        let remedy = Remedy::of(refusal, verdict.status);
        Self {
            remedy: remedy.map(|remedy| (remedy, remedy.page(links, account))),
            until: verdict.until,
        }
    }
}

impl Serialize for Actions<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        if let Some((remedy, href)) = self.remedy {
            list.serialize_element(&Action {
                rel: remedy.as_str(),
                href,
                until: None,
            })?;
        }
        if self.until.is_some() {
            list.serialize_element(&Action {
                rel: "wait",
                href: None,
                until: self.until,
            })?;
        }
        list.end()
    }
}

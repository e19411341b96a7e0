//! The `billing` member of a body: who is concerned, which limit binds and what lifts it.

use serde::Serialize;

use super::{CountedPer, LimitFacts, LimitKind, actions::Actions, render::View};
use crate::domain::{Amount, CURRENCY, NanoUsd, Scope, Timestamp};

/// What the account stands at, and what lifts the refusal.
#[derive(Serialize)]
pub(super) struct Billing<'a> {
    account: Option<&'a str>,
    plan: Option<&'a str>,
    subscription: Option<&'static str>,
    limit: Option<Bound>,
    /// `null` where no credit decides, and where it must not be named.
    credit: Option<CreditMember>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_affordable_tokens: Option<u64>,
    actions: Actions<'a>,
}

/// A limit, or credit read as one; without its figures where they must not be named.
#[derive(Serialize)]
pub(super) struct Bound {
    kind: &'static str,
    scope: &'static str,
    unit: &'static str,
    per: Option<&'static str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    figures: Option<Figures>,
    resets_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Figures {
    limit: Amount,
    used: Amount,
    held: Amount,
    remaining: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'static str>,
}

/// Prepaid credit, as every answer writes it.
#[derive(Debug, Serialize)]
pub struct CreditMember {
    balance: NanoUsd,
    held: NanoUsd,
    available: NanoUsd,
    currency: &'static str,
}

impl CreditMember {
    /// Of a balance, what calls in flight hold of it, and what is left for a new one.
    pub fn new(balance: NanoUsd, held: NanoUsd) -> Self {
        Self {
            balance,
            held,
            available: balance.saturating_sub(held),
            currency: CURRENCY,
        }
    }
}

/// The member of `view`'s body; none where neither the account is known nor paying helps.
pub(super) fn billing<'a>(view: &'a View<'_>) -> Option<Billing<'a>> {
    let subject = view.refusal.subject.as_ref();
    if subject.is_none() && !view.about_money() {
        return None;
    }
    let redact = view.refusal.redacts();
    Some(Billing {
        account: subject.map(|subject| subject.account.as_str()),
        plan: subject.map(|subject| subject.plan.as_str()),
        subscription: subject
            .and_then(|subject| subject.subscription)
            .map(|status| status.as_str()),
        limit: view.refusal.limit.map(|limit| limit_member(&limit, redact)),
        credit: view
            .refusal
            .credit
            .filter(|_| !redact)
            .map(|credit| CreditMember::new(credit.balance, credit.held)),
        max_affordable_tokens: view.affordable,
        actions: view.actions,
    })
}

/// What binds; `None` where no limit and no credit does.
pub(super) fn bound(view: &View<'_>) -> Option<Bound> {
    let redact = view.refusal.redacts();
    match (view.refusal.limit, view.refusal.credit) {
        (Some(limit), _) => Some(limit_member(&limit, redact)),
        (None, Some(credit)) => Some(Bound {
            kind: "credit",
            scope: Scope::Account.as_str(),
            unit: "usd",
            per: None,
            figures: (!redact).then(|| Figures {
                limit: Amount::Usd(credit.balance),
                used: Amount::Usd(NanoUsd::ZERO),
                held: Amount::Usd(credit.held),
                remaining: Amount::Usd(credit.available()),
                currency: Some(CURRENCY),
            }),
            resets_at: None,
        }),
        (None, None) => None,
    }
}

fn limit_member(limit: &LimitFacts, redact: bool) -> Bound {
    Bound {
        kind: limit.kind.as_str(),
        scope: limit.scope.as_str(),
        unit: limit.unit.as_str(),
        per: limit.per.map(CountedPer::as_str),
        figures: (!redact).then(|| Figures {
            limit: limit.amount(limit.limit),
            used: limit.amount(limit.used),
            held: limit.amount(limit.held),
            remaining: limit.amount(limit.remaining()),
            currency: (limit.kind == LimitKind::Budget).then_some(CURRENCY),
        }),
        resets_at: limit.resets_at,
    }
}

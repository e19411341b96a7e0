//! The `billing` member of a body: who is concerned, which limit binds and what lifts it.

use serde::Serialize;

use super::{LimitFacts, LimitKind, actions::Actions, render::View};
use crate::domain::Timestamp;

/// What the account stands at, and what lifts the refusal.
#[derive(Serialize)]
pub(super) struct Billing<'a> {
    account: Option<&'a str>,
    plan: Option<&'a str>,
    subscription: Option<&'static str>,
    limit: Option<Limit>,
    /// Always `null` where no credit is kept.
    credit: (),
    actions: Actions<'a>,
}

/// A limit; without its figures where they must not be named.
#[derive(Serialize)]
struct Limit {
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
    limit: u64,
    used: u64,
    held: u64,
    remaining: u64,
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
        credit: (),
        actions: view.actions,
    })
}

fn limit_member(limit: &LimitFacts, redact: bool) -> Limit {
    Limit {
        kind: match limit.kind {
            LimitKind::Quota => "quota",
            LimitKind::RateLimit => "rate_limit",
            LimitKind::Concurrency => "concurrency",
        },
        scope: limit.scope.as_str(),
        unit: limit.unit,
        per: limit.per,
        figures: (!redact).then(|| Figures {
            limit: limit.limit,
            used: limit.used,
            held: limit.held,
            remaining: limit.remaining(),
        }),
        resets_at: limit.resets_at,
    }
}

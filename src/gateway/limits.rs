//! `GET /v1/faregate/limits`: a key's standing and every limit that binds it.

use bytes::Bytes;
use serde::Serialize;

use super::local;
use crate::{
    accounts::{Key, Reading},
    admission::{counted_per, limit_kind},
    domain::{
        self, Amount, Anchor, CURRENCY, Clock, Mode, Per, Standing, SubscriptionPolicy, Timestamp,
        Unit,
    },
    refusal::{CountedPer, CreditMember},
};

#[derive(Serialize)]
struct Page<'a> {
    account: &'a str,
    key: &'a str,
    plan: &'a str,
    subscription: Option<Subscription>,
    /// Prepaid credit, where the plan takes it.
    credit: Option<CreditMember>,
    limits: Vec<Limit>,
}

#[derive(Serialize)]
struct Subscription {
    status: &'static str,
    current_period_end: Option<Timestamp>,
    grace_until: Option<Timestamp>,
}

#[derive(Serialize)]
struct Limit {
    kind: &'static str,
    scope: &'static str,
    unit: &'static str,
    per: Option<&'static str>,
    limit: Amount,
    used: Amount,
    held: Amount,
    remaining: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'static str>,
    resets_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
}

/// The page of `key`, as JSON.
pub(super) fn page(key: &Key, policy: SubscriptionPolicy, clock: &Clock) -> Bytes {
    let account = &key.account;
    let now = clock.now();
    let mut limits = Vec::new();
    account
        .book
        .read(&key.levels, clock, account.anchor, |reading| {
            limits.push(limit(&reading, now))
        });
    let goes_on = |subscription: &domain::Subscription| {
        let closed = matches!(subscription.standing(now, policy), Standing::Closed(_));
        !closed && !subscription.cancel_at_period_end
    };
    let subscription = account
        .subscription
        .as_ref()
        .map(|subscription| Subscription {
            status: subscription.status.as_str(),
            // One that is past goes on by its own length while the payment provider is silent, and the windows with it.
            current_period_end: match account.anchor {
                Anchor::Billing(period) if period.end <= now && goes_on(subscription) => {
                    Some(Per::Period.window(now, account.anchor).end)
                }
                _ => subscription.current_period_end(),
            },
            grace_until: subscription.grace_until(policy),
        });
    let page = Page {
        account: account.id.as_str(),
        key: key.id.as_str(),
        plan: account.plan.id.as_str(),
        subscription,
        credit: key.levels.credit.then(|| {
            let credit = account.book.credit(now);
            CreditMember::new(credit.balance, credit.held)
        }),
        limits,
    };
    local::document(&page)
}

fn limit(reading: &Reading, now: Timestamp) -> Limit {
    let Reading { figures, mode, .. } = reading;
    let kind = limit_kind(figures.reason, figures.unit);
    let wait = figures.wait.filter(|wait| !wait.is_zero());
    Limit {
        kind: kind.as_str(),
        scope: figures.scope.as_str(),
        unit: figures.unit.as_str(),
        per: counted_per(figures).map(CountedPer::as_str),
        limit: figures.amount(figures.limit),
        used: figures.amount(figures.used),
        held: figures.amount(figures.held),
        remaining: figures.amount(
            figures
                .limit
                .saturating_sub(figures.used)
                .saturating_sub(figures.held),
        ),
        currency: (figures.unit == Unit::Usd).then_some(CURRENCY),
        resets_at: figures
            .resets_at
            .or_else(|| wait.map(|wait| now.plus(wait))),
        mode: (*mode == Mode::Shadow).then_some("shadow"),
    }
}

//! Accounts, keys and plans as JSON. No digest of a secret is shown, because nobody needs one.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{
    accounts::{AccountSpec, KeySpec, PlanSpec, Source, limits_to_json},
    domain::{Limits, ModelName, Subscription, Timestamp},
};

/// An account.
pub(super) fn account(spec: &AccountSpec) -> Value {
    let mut view = object(json!({
        "id": spec.id,
        "plan": spec.plan,
        "source": source(spec.source),
        "created_at": created(spec.created_at),
        "disabled": spec.disabled,
        "subscription": spec.subscription.as_ref().map(subscription),
        "email": spec.email,
        "models": models(spec.models.as_ref()),
    }));
    limits(&mut view, &spec.limits);
    view.into()
}

/// A key. `state` says at a glance whether it works at `now`.
pub(super) fn key(spec: &KeySpec, now: Timestamp) -> Value {
    let state = if spec.own.revoked_at.is_some() {
        "revoked"
    } else if spec.own.expires_at.is_some_and(|end| end <= now) {
        "expired"
    } else if spec.disabled {
        "disabled"
    } else {
        "active"
    };
    let previous = spec.digests.iter().filter_map(|(_, end)| *end);
    let previous = previous.filter(|end| *end > now).max();
    let networks = &spec.own.allowed_ips;
    let networks = networks.iter().map(ToString::to_string).collect::<Vec<_>>();
    let allowed_ips = Some(networks).filter(|networks| !networks.is_empty());
    let mut view = object(json!({
        "id": spec.id,
        "account": spec.account,
        "source": source(spec.source),
        "public_part": spec.public_part.as_str(),
        "state": state,
        "created_at": created(spec.created_at),
        "expires_at": spec.own.expires_at,
        "revoked_at": spec.own.revoked_at,
        "previous_secret_until": previous,
        "disabled": spec.disabled,
        "models": models(spec.own.models.as_ref()),
        "allowed_ips": allowed_ips,
    }));
    limits(&mut view, &spec.own.limits);
    view.into()
}

/// A plan.
pub(super) fn plan(spec: &PlanSpec) -> Value {
    let mut view = object(json!({
        "id": spec.id,
        "subscription_required": spec.subscription_required,
        "credit_required": spec.credit_required,
        "on_low_credit": spec.on_low_credit.as_str(),
        "price_factor": spec.price_factor.to_string(),
        "redact_amounts": spec.redact_amounts,
        "models": models(spec.models.as_ref()),
        "per_key": limits_to_json(&spec.per_key),
        "default_max_output_tokens": spec.default_max_output_tokens,
    }));
    limits(&mut view, &spec.limits);
    view.into()
}

/// A subscription with its dates; a date that is not known is `null`.
pub(super) fn subscription(stated: &Subscription) -> Value {
    json!({
        "status": stated.status.as_str(),
        "current_period_start": stated.period.map(|period| period.start),
        "current_period_end": stated.current_period_end(),
        "past_due_since": stated.past_due_since,
        "trial_end": stated.trial_end,
        "cancel_at": stated.cancel_at,
        "cancel_at_period_end": stated.cancel_at_period_end,
        "ends_at": stated.ends_at,
    })
}

/// A declared account or key that the store has not seen yet has no date.
fn created(at: Timestamp) -> Option<Timestamp> {
    Some(at).filter(|at| *at != Timestamp::default())
}

fn limits(view: &mut Map<String, Value>, limits: &Limits) {
    view.insert("rate_limits".to_owned(), json!({}));
    view.insert("quotas".to_owned(), json!([]));
    view.insert("budgets".to_owned(), json!([]));
    view.extend(object(limits_to_json(limits)));
}

fn models(models: Option<&BTreeSet<ModelName>>) -> Option<Vec<&ModelName>> {
    models.map(|models| models.iter().collect())
}

const fn source(source: Source) -> &'static str {
    match source {
        Source::Config => "config",
        Source::Api => "api",
    }
}

/// The members of a literal object.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

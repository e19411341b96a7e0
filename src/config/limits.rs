//! `rate_limits`, `quotas` and `budgets`, wherever they stand.

use std::num::{NonZeroU32, NonZeroU64};

use super::{
    fields::{Fields, Take},
    problem::{Place, Report},
};
use crate::domain::{LimitStatus, Limits, Mode, NanoUsd, Per, Quota, RateLimits, Unit};

/// The limits of one level.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) limits: Limits,
    /// Where its token quotas stand; they ask something of every model.
    pub(crate) token_quotas: Vec<Place>,
    /// Where its budgets stand; they ask for a price as well.
    pub(crate) budgets: Vec<Place>,
}

/// Compiles the limits of a plan, account or key.
pub(crate) fn level(fields: &Fields, report: &mut Report) -> Level {
    let mut level = Level {
        limits: Limits {
            rates: fields.section("rate_limits").map(rates).unwrap_or_default(),
            quotas: Vec::new(),
        },
        token_quotas: Vec::new(),
        budgets: Vec::new(),
    };
    let quotas = fields
        .sections("quotas")
        .map(|fields| (fields, quota(fields, report)));
    let quotas: Vec<_> = quotas.collect();
    let budgets = fields
        .sections("budgets")
        .map(|fields| (fields, budget(fields)));
    for (fields, quota) in quotas.into_iter().chain(budgets) {
        let Some(quota) = quota else {
            continue;
        };
        let same = |known: &Quota| known.unit == quota.unit && known.per == quota.per;
        if level.limits.quotas.iter().any(same) {
            let text = match quota.unit {
                Unit::Usd => format!("is the second budget per {} in this list", quota.per),
                unit => format!(
                    "is the second quota of {} per {} in this list",
                    unit.as_str(),
                    quota.per
                ),
            };
            let problem = report.problem(&fields.place, text);
            problem.hint("keep one of the two");
            continue;
        }
        match quota.unit {
            Unit::Requests => {}
            Unit::Tokens => level.token_quotas.push(fields.place.clone()),
            Unit::Usd => level.budgets.push(fields.place.clone()),
        }
        level.limits.quotas.push(quota);
    }
    level
}

fn rates(fields: &Fields) -> RateLimits {
    RateLimits {
        requests_per_minute: fields.get("requests_per_minute"),
        tokens_per_minute: fields.get("tokens_per_minute"),
        concurrent_requests: fields.get("concurrent_requests"),
    }
}

fn quota(fields: &Fields, report: &mut Report) -> Option<Quota> {
    let (tokens, requests) = (fields.has("tokens"), fields.has("requests"));
    if tokens == requests {
        let text = if tokens {
            "counts tokens and requests at once"
        } else {
            "says neither tokens nor requests"
        };
        let problem = report.problem(&fields.place, text);
        problem.hint("write one item for each, such as {tokens: 100000, per: day}");
        return None;
    }
    let unit = if tokens { Unit::Tokens } else { Unit::Requests };
    windowed(fields, unit, fields.get(unit.as_str())?)
}

fn budget(fields: &Fields) -> Option<Quota> {
    let limit = fields.get::<NanoUsd>("usd")?;
    windowed(fields, Unit::Usd, u64::try_from(limit.nanos()).ok()?)
}

fn windowed(fields: &Fields, unit: Unit, limit: u64) -> Option<Quota> {
    Some(Quota {
        unit,
        per: Per::parse(fields.get("per")?)?,
        limit,
        status: match fields.get("status")? {
            "403" => LimitStatus::Forbidden,
            "429" => LimitStatus::TooManyRequests,
            _ => LimitStatus::PaymentRequired,
        },
        mode: match fields.get("mode")? {
            "shadow" => Mode::Shadow,
            _ => Mode::Enforce,
        },
    })
}

impl Take for NanoUsd {
    fn take(value: &super::fields::Value) -> Option<Self> {
        match value {
            super::fields::Value::Money(amount) => Some(*amount),
            _ => None,
        }
    }
}

impl Take for NonZeroU32 {
    fn take(value: &super::fields::Value) -> Option<Self> {
        Self::new(u32::try_from(u64::take(value)?).ok()?)
    }
}

impl Take for NonZeroU64 {
    fn take(value: &super::fields::Value) -> Option<Self> {
        Self::new(u64::take(value)?)
    }
}

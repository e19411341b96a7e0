//! Limits as JSON, money as decimal strings, in the shape that they have in the configuration file; the store and the admin API speak it.

use std::num::{NonZeroU32, NonZeroU64};

use serde_json::{Map, Value};

use crate::domain::{LimitStatus, Limits, Mode, NanoUsd, Per, Quota, RateLimits, Unit};

/// Writes limits: `{"rate_limits":{…},"quotas":[…],"budgets":[…]}`. What is not limited is left out.
pub fn limits_to_json(limits: &Limits) -> Value {
    let Limits { rates, quotas } = limits;
    let RateLimits {
        requests_per_minute,
        tokens_per_minute,
        concurrent_requests,
    } = rates;
    let rates: Map<String, Value> = [
        (
            "requests_per_minute",
            requests_per_minute.map(|n| n.get().into()),
        ),
        (
            "tokens_per_minute",
            tokens_per_minute.map(|n| n.get().into()),
        ),
        (
            "concurrent_requests",
            concurrent_requests.map(|n| n.get().into()),
        ),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect();

    let mut json = Map::new();
    if !rates.is_empty() {
        json.insert("rate_limits".to_owned(), rates.into());
    }
    let (budgets, quotas): (Vec<&Quota>, Vec<&Quota>) =
        quotas.iter().partition(|quota| quota.unit == Unit::Usd);
    for (name, list) in [("quotas", quotas), ("budgets", budgets)] {
        if !list.is_empty() {
            let list: Vec<Value> = list.into_iter().map(quota_to_json).collect();
            json.insert(name.to_owned(), list.into());
        }
    }
    json.into()
}

/// Reads what [`limits_to_json`] writes, and what a person would write: `status` and `mode` have defaults.
///
/// # Errors
/// Says where and what is wrong, as in `quotas[1].per: must be one of hour, day, week, month, period`.
pub fn limits_from_json(value: &Value) -> Result<Limits, String> {
    let mut limits = Limits::default();
    for (name, value) in object(value, "limits")? {
        match name.as_str() {
            "rate_limits" => limits.rates = rates_from_json(value)?,
            "quotas" => limits.quotas.extend(quotas_from_json(value, &QUOTAS)?),
            "budgets" => limits.quotas.extend(quotas_from_json(value, &BUDGETS)?),
            _ => return Err(unknown("", name, "rate_limits, quotas, budgets")),
        }
    }
    // In the order of their kinds, whatever order the object had.
    limits.quotas.sort_by_key(|quota| quota.unit == Unit::Usd);
    Ok(limits)
}

const STATUSES: [(u16, LimitStatus); 3] = [
    (402, LimitStatus::PaymentRequired),
    (403, LimitStatus::Forbidden),
    (429, LimitStatus::TooManyRequests),
];

const MODES: [(&str, Mode); 2] = [("enforce", Mode::Enforce), ("shadow", Mode::Shadow)];

/// A list of limits per window, and the units that it may have.
struct List {
    name: &'static str,
    units: &'static [Unit],
    known: &'static str,
    lacks: &'static str,
}

const QUOTAS: List = List {
    name: "quotas",
    units: &[Unit::Requests, Unit::Tokens],
    known: "requests, tokens, per, status, mode",
    lacks: "says neither requests nor tokens",
};

const BUDGETS: List = List {
    name: "budgets",
    units: &[Unit::Usd],
    known: "usd, per, status, mode",
    lacks: "does not say how many usd",
};

fn quota_to_json(quota: &Quota) -> Value {
    let Quota {
        unit,
        per,
        limit,
        status,
        mode,
    } = quota;
    let status = match status {
        LimitStatus::PaymentRequired => 402,
        LimitStatus::Forbidden => 403,
        LimitStatus::TooManyRequests => 429,
    };
    let mode = match mode {
        Mode::Enforce => "enforce",
        Mode::Shadow => "shadow",
    };
    let limit: Value = match unit {
        Unit::Requests | Unit::Tokens => (*limit).into(),
        Unit::Usd => {
            let nanos = i64::try_from(*limit).unwrap_or(i64::MAX);
            NanoUsd::from_nanos(nanos).to_string().into()
        }
    };
    serde_json::json!({ unit.as_str(): limit, "per": per.as_str(), "status": status, "mode": mode })
}

fn rates_from_json(value: &Value) -> Result<RateLimits, String> {
    let mut rates = RateLimits::default();
    for (name, value) in object(value, "rate_limits")? {
        let at = format!("rate_limits.{name}");
        match name.as_str() {
            "requests_per_minute" => rates.requests_per_minute = Some(per_minute(value, &at)?),
            "tokens_per_minute" => {
                let tokens = NonZeroU64::new(whole(value, &at)?);
                rates.tokens_per_minute = Some(tokens.ok_or_else(|| zero(&at))?);
            }
            "concurrent_requests" => rates.concurrent_requests = Some(per_minute(value, &at)?),
            _ => {
                let known = "requests_per_minute, tokens_per_minute, concurrent_requests";
                return Err(unknown("rate_limits.", name, known));
            }
        }
    }
    Ok(rates)
}

fn quotas_from_json(value: &Value, of: &List) -> Result<Vec<Quota>, String> {
    let name = of.name;
    let list = value
        .as_array()
        .ok_or_else(|| format!("{name}: must be a list"))?;
    let mut quotas: Vec<Quota> = Vec::with_capacity(list.len());
    for (index, value) in list.iter().enumerate() {
        let quota = quota_from_json(value, &format!("{name}[{index}]"), of)?;
        // Both would move the same counter, and only one of them could be meant.
        if let Some(first) = quotas
            .iter()
            .position(|other| (other.unit, other.per) == (quota.unit, quota.per))
        {
            let (unit, per) = (quota.unit.as_str(), quota.per);
            return Err(format!(
                "{name}[{index}]: {unit} per {per} is limited already by {name}[{first}]"
            ));
        }
        quotas.push(quota);
    }
    Ok(quotas)
}

fn quota_from_json(value: &Value, at: &str, of: &List) -> Result<Quota, String> {
    let mut counted: Option<(Unit, u64)> = None;
    let mut per = None;
    let mut status = LimitStatus::default();
    let mut mode = Mode::default();
    for (name, value) in object(value, at)? {
        let here = format!("{at}.{name}");
        match name.as_str() {
            "per" => {
                let window = value.as_str().and_then(Per::parse);
                per = Some(window.ok_or_else(|| {
                    format!("{here}: must be one of hour, day, week, month, period")
                })?);
            }
            "status" => {
                let known = STATUSES
                    .iter()
                    .find(|(number, _)| value.as_u64() == Some(u64::from(*number)));
                status = known
                    .ok_or_else(|| format!("{here}: must be 402, 403 or 429"))?
                    .1;
            }
            "mode" => {
                let known = MODES.iter().find(|(word, _)| value.as_str() == Some(*word));
                mode = known
                    .ok_or_else(|| format!("{here}: must be enforce or shadow"))?
                    .1;
            }
            word => {
                let unit = Unit::parse(word)
                    .filter(|unit| of.units.contains(unit))
                    .ok_or_else(|| unknown(&format!("{at}."), word, of.known))?;
                let limit = match unit {
                    Unit::Usd => money(value, &here)?,
                    Unit::Requests | Unit::Tokens => whole(value, &here)?,
                };
                if counted.replace((unit, limit)).is_some() {
                    return Err(format!(
                        "{at}: has requests and tokens; write one quota for each"
                    ));
                }
            }
        }
    }
    let (unit, limit) = counted.ok_or_else(|| format!("{at}: {}", of.lacks))?;
    let per = per.ok_or_else(|| {
        format!("{at}: per is missing; it is one of hour, day, week, month, period")
    })?;
    Ok(Quota {
        unit,
        per,
        limit,
        status,
        mode,
    })
}

fn object<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, String> {
    value
        .as_object()
        .ok_or_else(|| format!("{at}: must be an object"))
}

fn whole(value: &Value, at: &str) -> Result<u64, String> {
    value
        .as_u64()
        .ok_or_else(|| format!("{at}: must be a whole number"))
}

/// An amount of dollars as a decimal string; a whole number is exact too.
fn money(value: &Value, at: &str) -> Result<u64, String> {
    let wrong = |words: &str| format!("{at}: {words}");
    let read = |text: &str| NanoUsd::parse(text).map_err(|error| wrong(&error.up_to(NanoUsd::MAX)));
    let amount = match value {
        Value::String(text) => read(text)?,
        Value::Number(number) if number.is_u64() => read(&number.to_string())?,
        _ => return Err(wrong("must be a decimal string such as \"12.50\"")),
    };
    u64::try_from(amount.nanos()).map_err(|_| wrong("must not be below zero"))
}

fn per_minute(value: &Value, at: &str) -> Result<NonZeroU32, String> {
    let number = u32::try_from(whole(value, at)?)
        .map_err(|_| format!("{at}: must be at most {}", u32::MAX))?;
    NonZeroU32::new(number).ok_or_else(|| zero(at))
}

fn zero(at: &str) -> String {
    format!("{at}: must be at least 1; to allow none, disable the key or account")
}

fn unknown(before: &str, name: &str, known: &str) -> String {
    format!("{before}{name}: is not known here; {known} are")
}

#[cfg(test)]
mod tests;

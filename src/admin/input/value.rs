//! One value at a time. Errors go behind the member's name: "`plan` must be a text, not a number".

use ipnet::IpNet;
use serde_json::Value;

use crate::domain::{
    AccountId, EmailAddress, InvalidEmailAddress, InvalidId, KeyId, ModelName, PlanId,
    SubscriptionStatus, Timestamp,
};

/// What a value is, in words.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("must be a text, not {}", kind(value)))
}

fn name<T>(value: &Value, parse: impl FnOnce(&str) -> Result<T, InvalidId>) -> Result<T, String> {
    parse(text(value)?).map_err(|wrong| wrong.to_string())
}

pub(in crate::admin) fn account_id(value: &Value) -> Result<AccountId, String> {
    name(value, AccountId::parse)
}

pub(in crate::admin) fn key_id(value: &Value) -> Result<KeyId, String> {
    name(value, KeyId::parse)
}

pub(in crate::admin) fn plan_id(value: &Value) -> Result<PlanId, String> {
    name(value, PlanId::parse)
}

pub(in crate::admin) fn model_name(value: &Value) -> Result<ModelName, String> {
    name(value, ModelName::parse)
}

pub(in crate::admin) fn flag(value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("must be true or false, not {}", kind(value)))
}

pub(in crate::admin) fn timestamp(value: &Value) -> Result<Timestamp, String> {
    let read = text(value)?.parse();
    read.map_err(|wrong: crate::domain::InvalidTimestamp| wrong.to_string())
}

pub(in crate::admin) fn email(value: &Value) -> Result<EmailAddress, String> {
    let read = text(value)?.parse();
    read.map_err(|wrong: InvalidEmailAddress| wrong.to_string())
}

pub(in crate::admin) fn status(value: &Value) -> Result<SubscriptionStatus, String> {
    let word = text(value)?;
    SubscriptionStatus::parse(word).ok_or_else(|| {
        let known = SubscriptionStatus::ALL.map(SubscriptionStatus::as_str);
        format!("is {word:?}; it must be one of {}", known.join(", "))
    })
}

/// An address with a prefix length, or one address alone.
pub(in crate::admin) fn network(value: &Value) -> Result<IpNet, String> {
    let written = text(value)?;
    let alone = || {
        written
            .parse()
            .map(|address: std::net::IpAddr| address.into())
    };
    written.parse().or_else(|_| alone()).map_err(|_| {
        format!("has {written:?}, which is neither an address nor a network such as 10.0.0.0/8")
    })
}

/// A duration in whole seconds, up to a year.
pub(in crate::admin) fn seconds(value: &Value) -> Result<u64, String> {
    const YEAR: u64 = 366 * 86_400;
    let count = value
        .as_u64()
        .filter(|count| *count <= YEAR)
        .ok_or_else(|| format!("must be a whole number of seconds from 0 to {YEAR}"))?;
    Ok(count)
}

/// A list of which every element is read by `element`.
pub(in crate::admin) fn list<T, C: FromIterator<T>>(
    element: impl Fn(&Value) -> Result<T, String>,
) -> impl FnOnce(&Value) -> Result<C, String> {
    move |value| {
        let elements = value
            .as_array()
            .ok_or_else(|| format!("must be a list, not {}", kind(value)))?;
        let numbered = elements.iter().enumerate();
        numbered
            .map(|(index, value)| {
                element(value).map_err(|wrong| format!("(element {}) {wrong}", index + 1))
            })
            .collect()
    }
}

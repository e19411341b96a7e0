//! One value at a time. Errors go behind the member's name: "`plan` must be a string, not a number".

use ipnet::IpNet;
use serde_json::Value;

use crate::admin::credit::LARGEST;
use crate::domain::{
    self, AccountId, EmailAddress, InvalidAmount, InvalidEmailAddress, InvalidId, KeyId, ModelName,
    NanoUsd, PlanId, SubscriptionStatus, Timestamp,
};

/// What a value is, in words.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("must be a string, not {}", kind(value)))
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
    instant(text(value)?)
}

/// An instant, or a day, which is meant from its midnight in UTC.
pub(in crate::admin) fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_or_day(text).map_err(|wrong| format!("{wrong}, or a day such as 2026-11-20"))
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
    domain::network(written).ok_or_else(|| {
        format!("has {written:?}, which is neither an address nor a network such as 10.0.0.0/8")
    })
}

/// The networks that a key may be used from.
pub(in crate::admin) fn networks(value: &Value) -> Result<Vec<IpNet>, String> {
    let networks: Vec<IpNet> = list(network)(value)?;
    if networks.is_empty() {
        return Err(
            "is an empty list, which could mean no address or every address; leave it out to allow every address, or \
             write `disabled: true` to allow none"
                .to_owned(),
        );
    }
    Ok(networks)
}

/// Most seconds that a duration has: a year.
pub const YEAR: u64 = 366 * 86_400;

/// A duration in whole seconds, up to a year.
pub(in crate::admin) fn seconds(value: &Value) -> Result<u64, String> {
    let count = value
        .as_u64()
        .filter(|count| *count <= YEAR)
        .ok_or_else(|| format!("must be a whole number of seconds from 0 to {YEAR}"))?;
    Ok(count)
}

/// An exact amount of dollars. A number with a point is refused, because most readers of JSON take it for the nearest
/// binary fraction.
pub(in crate::admin) fn amount(value: &Value) -> Result<NanoUsd, String> {
    let too_large = || format!("is too large; one entry has at most {LARGEST} USD");
    let read = |text: &str| {
        NanoUsd::parse(text).map_err(|wrong| match wrong {
            InvalidAmount::TooLarge => too_large(),
            wrong => wrong.to_string(),
        })
    };
    match value {
        Value::String(text) => read(text),
        Value::Number(number) if number.is_i64() || number.is_u64() => read(&number.to_string()),
        // A whole number that no integer holds has been read as a binary fraction as well.
        Value::Number(number) if number.as_f64().is_some_and(|size| size.abs() >= 1e19) => {
            Err(too_large())
        }
        Value::Number(_) => {
            Err("must be a decimal string such as \"12.50\", not a number with a point".to_owned())
        }
        other => Err(format!(
            "must be a decimal string such as \"12.50\", not {}",
            kind(other)
        )),
    }
}

/// A number from 0 to 100.
pub(in crate::admin) fn priority(value: &Value) -> Result<u8, String> {
    let number = value.as_u64().and_then(|number| u8::try_from(number).ok());
    number
        .filter(|number| *number <= 100)
        .ok_or_else(|| "must be a whole number from 0 to 100".to_owned())
}

/// An id of somebody's own: printable ASCII without spaces.
pub(in crate::admin) fn word(value: &Value) -> Result<String, String> {
    let word = text(value)?;
    let fits = (1..=200).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| word.to_owned())
        .ok_or_else(|| "must be 1 to 200 printable ASCII characters without spaces".to_owned())
}

/// A line for people.
pub(in crate::admin) fn sentence(value: &Value) -> Result<String, String> {
    let sentence = text(value)?;
    let fits =
        (1..=500).contains(&sentence.chars().count()) && !sentence.contains(char::is_control);
    fits.then(|| sentence.to_owned())
        .ok_or_else(|| "must be a line of 1 to 500 characters".to_owned())
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

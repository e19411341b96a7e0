//! Reading what somebody sent: every mistake is named with its member and what belongs there.

mod value;
mod whole;

use serde_json::{Map, Value, error::Category};

use super::problem::Rejection;
use crate::{
    accounts::limits_from_json,
    domain::{Limits, Subscription, Window},
};

use whole::Whole;

pub use value::YEAR;
pub(super) use value::{
    account_id, amount, email, flag, instant, key_id, list, model_name, networks, plan_id,
    priority, seconds, sentence, status, timestamp, word,
};

/// The members of a JSON object, taken one by one; what is left at the end is a mistake.
#[derive(Debug)]
pub(super) struct Members {
    object: Map<String, Value>,
    /// The member it was read from, for the words; empty for the body itself.
    within: &'static str,
    asked: Vec<&'static str>,
}

/// A member of a change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Change<T> {
    /// It is not there: what holds stays.
    #[default]
    Keep,
    /// It is `null`: what holds is taken away.
    Clear,
    /// It has a value.
    Set(T),
}

impl<T> Change<T> {
    /// Changes what may be missing.
    pub fn apply(self, held: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *held = None,
            Self::Set(value) => *held = Some(value),
        }
    }

    /// Changes what is empty when it is missing.
    pub fn apply_or_default(self, held: &mut T)
    where
        T: Default,
    {
        match self {
            Self::Keep => {}
            Self::Clear => *held = T::default(),
            Self::Set(value) => *held = value,
        }
    }
}

impl Members {
    /// The members of a body. An empty body is an empty object.
    pub(super) fn of_body(body: &[u8]) -> Result<Self, Rejection> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::of(Map::new(), ""));
        }
        match serde_json::from_slice(body) {
            Ok(Whole(Value::Object(object))) => Ok(Self::of(object, "")),
            Ok(Whole(other)) => Err(Rejection::invalid(format!(
                "The body must be a JSON object, not {}.",
                value::kind(&other)
            ))),
            Err(error) if error.classify() == Category::Data => Err(Rejection::invalid(format!(
                "In the body, {error}; write it once."
            ))),
            Err(error) => Err(Rejection::invalid(format!(
                "The body is not JSON: {error}."
            ))),
        }
    }

    pub(super) fn of(object: Map<String, Value>, within: &'static str) -> Self {
        Self {
            object,
            within,
            asked: Vec::new(),
        }
    }

    /// A member that may be absent or `null`.
    pub(super) fn take<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Result<Option<T>, Rejection> {
        match self.change(name, read)? {
            Change::Set(value) => Ok(Some(value)),
            Change::Keep | Change::Clear => Ok(None),
        }
    }

    /// A member that must be there.
    pub(super) fn require<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Result<T, Rejection> {
        let path = self.path(name);
        self.take(name, read)?
            .ok_or_else(|| Rejection::invalid(format!("`{path}` is missing.")))
    }

    /// A member of a change.
    pub(super) fn change<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Result<Change<T>, Rejection> {
        self.asked.push(name);
        match self.object.remove(name) {
            None => Ok(Change::Keep),
            Some(Value::Null) => Ok(Change::Clear),
            Some(value) => read(&value)
                .map(Change::Set)
                .map_err(|wrong| Rejection::invalid(format!("`{}` {wrong}.", self.path(name)))),
        }
    }

    /// The member of that name, of limits that are written as in the configuration file. It is replaced whole.
    pub(super) fn limit<T>(
        &mut self,
        name: &'static str,
        part: impl FnOnce(Limits) -> T,
    ) -> Result<Change<T>, Rejection> {
        match self.change(name, |value| Ok(value.clone()))? {
            Change::Keep => Ok(Change::Keep),
            Change::Clear => Ok(Change::Clear),
            Change::Set(value) => {
                let limits = limits_from_json(&serde_json::json!({ name: value }));
                limits
                    .and_then(bounded)
                    .map(|limits| Change::Set(part(limits)))
                    .map_err(|wrong| Rejection::invalid(format!("{wrong}.")))
            }
        }
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), Rejection> {
        let Some(unknown) = self.object.keys().next() else {
            return Ok(());
        };
        let known = self.asked.join(", ");
        let known = if known.is_empty() { "none" } else { &known };
        Err(Rejection::invalid(format!(
            "`{}` is not known here. Known members: {known}.",
            self.path(unknown)
        )))
    }

    fn path(&self, name: &str) -> String {
        if self.within.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.within)
        }
    }
}

/// What is counted is at most this, as in the configuration file: counters are signed in the store.
const MOST: u64 = i64::MAX as u64;

/// The limits, where none is above what is counted.
fn bounded(limits: Limits) -> Result<Limits, String> {
    let wrong = |at| Err(format!("{at}: must be at most {MOST}"));
    let tokens = limits.rates.tokens_per_minute;
    if tokens.is_some_and(|tokens| tokens.get() > MOST) {
        return wrong("rate_limits.tokens_per_minute".to_owned());
    }
    let above = limits.quotas.iter().enumerate();
    let above = above.map(|(index, quota)| (index, quota.unit.as_str(), quota.limit));
    match above.into_iter().find(|(.., limit)| *limit > MOST) {
        Some((index, unit, _)) => wrong(format!("quotas[{index}].{unit}")),
        None => Ok(limits),
    }
}

/// A subscription as the API and the store's export write it.
pub(super) fn subscription(members: &mut Members) -> Result<Subscription, Rejection> {
    let mut read = Subscription::with_status(members.require("status", status)?);
    let start = members.take("current_period_start", timestamp)?;
    let end = members.take("current_period_end", timestamp)?;
    read.period = match (start, end) {
        (None, None) => None,
        (Some(start), Some(end)) if start < end => Some(Window { start, end }),
        (Some(_), Some(_)) => {
            let words = "`current_period_end` must be after `current_period_start`.";
            return Err(Rejection::invalid(words));
        }
        (Some(_), None) => {
            let words = "`current_period_start` needs `current_period_end`, which is missing.";
            return Err(Rejection::invalid(words));
        }
        (None, Some(end)) => {
            read.period_end = Some(end);
            None
        }
    };
    read.past_due_since = members.take("past_due_since", timestamp)?;
    read.trial_end = members.take("trial_end", timestamp)?;
    read.cancel_at = members.take("cancel_at", timestamp)?;
    read.cancel_at_period_end = members.take("cancel_at_period_end", flag)?.unwrap_or(false);
    read.ends_at = members.take("ends_at", timestamp)?;
    if read.ends_at_no_date() {
        let words = "`cancel_at_period_end` needs `current_period_end`: nothing says when it ends.";
        return Err(Rejection::invalid(words));
    }
    Ok(read)
}

/// A subscription that is a member of something else.
pub(super) fn nested_subscription(value: &Value) -> Result<Subscription, String> {
    let Value::Object(object) = value else {
        return Err(format!(
            "must be an object with `status` and dates, not {}",
            value::kind(value)
        ));
    };
    let mut members = Members::of(object.clone(), "");
    let read = subscription(&mut members).and_then(|read| members.finish().map(|()| read));
    read.map_err(|rejection| format!("is wrong: {}", rejection.detail.trim_end_matches('.')))
}

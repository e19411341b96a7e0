//! The query string of a list.

use std::{collections::BTreeMap, str::FromStr};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{input::instant, problem::Rejection};
use crate::{
    domain::{AccountId, KeyId, ModelName, Timestamp},
    store::{CallFilter, GroupBy, NotificationFilter, NotificationStatus, Outcome, UsageQuery},
};

/// Items of a page when nobody says how many.
const DEFAULT_LIMIT: usize = 100;

/// Items of a page at most.
const MAX_LIMIT: usize = 1000;

/// The parameters, taken one by one; what is left at the end is a mistake.
#[derive(Debug)]
pub(super) struct Query {
    parameters: BTreeMap<String, String>,
    asked: Vec<&'static str>,
}

impl Query {
    /// Reads a query string (`application/x-www-form-urlencoded`, WHATWG URL §5.1).
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Rejection> {
        let mut parameters = BTreeMap::new();
        for pair in query.unwrap_or_default().split('&') {
            if pair.is_empty() {
                continue;
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)?;
            if parameters.insert(name.clone(), decode(value)?).is_some() {
                let words = format!("The query has `{name}` twice; give it once.");
                return Err(Rejection::invalid(words));
            }
        }
        Ok(Self {
            parameters,
            asked: Vec::new(),
        })
    }

    /// A parameter that may be absent.
    pub(super) fn take<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Rejection> {
        self.asked.push(name);
        let Some(text) = self.parameters.remove(name) else {
            return Ok(None);
        };
        read(&text)
            .map(Some)
            .map_err(|wrong| Rejection::invalid(format!("`{name}` {wrong}.")))
    }

    /// A parameter whose type reads itself.
    pub(super) fn parsed<T>(&mut self, name: &'static str) -> Result<Option<T>, Rejection>
    where
        T: FromStr<Err: ToString>,
    {
        self.take(name, |text| {
            text.parse().map_err(|wrong: T::Err| wrong.to_string())
        })
    }

    /// How many items a page of a list in memory has, and the id that it begins behind.
    pub(super) fn range(&mut self) -> Result<(usize, Option<String>), Rejection> {
        Ok((self.limit()?, self.parsed("cursor")?))
    }

    /// How many items a page has.
    pub(super) fn limit(&mut self) -> Result<usize, Rejection> {
        self.limit_or(DEFAULT_LIMIT)
    }

    /// How many items a page has, when they are small.
    pub(super) fn limit_or_most(&mut self) -> Result<usize, Rejection> {
        self.limit_or(MAX_LIMIT)
    }

    fn limit_or(&mut self, unsaid: usize) -> Result<usize, Rejection> {
        let limit = self.take("limit", |text| {
            let number = text.parse().ok();
            number
                .filter(|number| (1..=MAX_LIMIT).contains(number))
                .ok_or_else(|| format!("must be a whole number from 1 to {MAX_LIMIT}"))
        })?;
        Ok(limit.unwrap_or(unsaid))
    }

    /// What `read` takes of it; nothing else may be there.
    pub(super) fn read<T>(
        mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Rejection>,
    ) -> Result<T, Rejection> {
        let taken = read(&mut self)?;
        self.finish()?;
        Ok(taken)
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), Rejection> {
        let Some(unknown) = self.parameters.keys().next() else {
            return Ok(());
        };
        let known = self.asked.join(", ");
        let known = if known.is_empty() { "none" } else { &known };
        Err(Rejection::invalid(format!(
            "The query parameter `{unknown}` is not known here. Known parameters: {known}."
        )))
    }
}

/// A page of things that are in memory, in the order of their ids. The cursor is the id of the page's last.
pub(super) fn page<'a, T: 'a>(
    all: impl Iterator<Item = &'a T>,
    id: impl Fn(&T) -> &str,
    view: impl Fn(&T) -> Value,
    (limit, cursor): (usize, Option<String>),
) -> Value {
    let after = |item: &&T| cursor.as_deref().is_none_or(|cursor| id(item) > cursor);
    let mut items: Vec<&T> = all.filter(after).collect();
    items.sort_by(|one, other| id(one).cmp(id(other)));
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| id(last));
    json!({
        "data": items.iter().map(|item| view(item)).collect::<Vec<_>>(),
        "next_cursor": next,
    })
}

/// Which calls a query asks for.
pub(super) fn call_filter(query: &mut Query) -> Result<CallFilter, Rejection> {
    let outcome = |word: &str| {
        Outcome::parse(word).ok_or_else(|| {
            "must be one of completed, client_closed, upstream_failed, indeterminate".to_owned()
        })
    };
    let filter = CallFilter {
        account: query.take("account", id(AccountId::parse))?,
        key: query.take("key", id(KeyId::parse))?,
        model: query.take("model", id(ModelName::parse))?,
        outcome: query.take("outcome", outcome)?,
        since: query.take("since", instant)?,
        until: query.take("until", instant)?,
        limit: query.limit()?,
        cursor: query.parsed("cursor")?,
    };
    in_order(filter.since, filter.until)?;
    Ok(filter)
}

/// Which messages a query asks for.
pub(super) fn notification_filter(query: &mut Query) -> Result<NotificationFilter, Rejection> {
    let status = |word: &str| {
        NotificationStatus::parse(word).ok_or_else(|| {
            let known = NotificationStatus::ALL.map(NotificationStatus::as_str);
            format!("must be one of {}", known.join(", "))
        })
    };
    Ok(NotificationFilter {
        status: query.take("status", status)?,
        account: query.take("account", id(AccountId::parse))?,
        limit: query.limit()?,
        cursor: query.parsed("cursor")?,
    })
}

/// Which usage a query asks for.
pub(super) fn usage_query(query: &mut Query) -> Result<UsageQuery, Rejection> {
    let by = query.take("by", |word| {
        GroupBy::parse(word).ok_or_else(|| {
            let known = GroupBy::ALL.map(GroupBy::as_str).join(", ");
            format!("must be one of {known}")
        })
    })?;
    let asked = UsageQuery {
        by: by.unwrap_or(GroupBy::Day),
        account: query.take("account", id(AccountId::parse))?,
        key: query.take("key", id(KeyId::parse))?,
        model: query.take("model", id(ModelName::parse))?,
        since: query.take("since", instant)?,
        until: query.take("until", instant)?,
    };
    in_order(asked.since, asked.until)?;
    Ok(asked)
}

/// What ends before it begins has nothing in it, and is a mistake.
pub(super) fn in_order(
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<(), Rejection> {
    match (since, until) {
        (Some(since), Some(until)) if since > until => Err(Rejection::invalid(format!(
            "`since` ({since}) is after `until` ({until})."
        ))),
        _ => Ok(()),
    }
}

/// Reads a name; its mistakes become words.
pub(super) fn id<T, E: ToString>(
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> impl FnOnce(&str) -> Result<T, String> {
    move |text| parse(text).map_err(|wrong| wrong.to_string())
}

fn decode(text: &str) -> Result<String, Rejection> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(String::from)
        .map_err(|_| Rejection::invalid("The query is not UTF-8 after percent-decoding."))
}

//! How much was used: sums over calls.

use rusqlite::{Connection, params_from_iter};
use serde::Serialize;

use crate::domain::{AccountId, CURRENCY, KeyId, ModelName, NanoUsd, Timestamp, Usage};

use super::{
    calls::Conditions,
    columns::{Columns, RowError},
};

/// What calls are put together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// The day of admission, in UTC.
    Day,
    /// The key.
    Key,
    /// The public model.
    Model,
    /// The account.
    Account,
    /// How the call ended.
    Outcome,
}

impl GroupBy {
    /// Every way, in the order of the documentation.
    pub const ALL: [Self; 5] = [
        Self::Day,
        Self::Key,
        Self::Model,
        Self::Account,
        Self::Outcome,
    ];

    /// The word in commands and queries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Key => "key",
            Self::Model => "model",
            Self::Account => "account",
            Self::Outcome => "outcome",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == word)
    }
}

/// Which usage is asked for. Everything that is said must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQuery {
    /// What a row stands for.
    pub by: GroupBy,
    /// Paid by this account.
    pub account: Option<AccountId>,
    /// Used through this key.
    pub key: Option<KeyId>,
    /// Of this public model.
    pub model: Option<ModelName>,
    /// Of calls admitted then or later.
    pub since: Option<Timestamp>,
    /// Of calls admitted before.
    pub until: Option<Timestamp>,
}

impl UsageQuery {
    /// All usage, put together by `by`.
    pub const fn by(by: GroupBy) -> Self {
        Self {
            by,
            account: None,
            key: None,
            model: None,
            since: None,
            until: None,
        }
    }
}

/// The sums over some calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsageRow {
    /// The day (`2026-11-20`), key, model, account or outcome; `None` for calls that name no model.
    pub group: Option<String>,
    /// How many calls.
    pub calls: u64,
    /// How many of them have a usage that is our own count.
    pub estimated_calls: u64,
    /// Their tokens.
    pub tokens: Usage,
    /// What those of them cost that have a price; `None` where none has.
    pub cost: Option<NanoUsd>,
    /// The currency of the cost.
    pub currency: Option<&'static str>,
}

/// The usage that `query` asks for, in the order of the groups.
pub(super) fn sums(connection: &Connection, query: &UsageQuery) -> Result<Vec<UsageRow>, RowError> {
    let UsageQuery {
        by,
        account,
        key,
        model,
        since,
        until,
    } = query;
    let mut conditions = Conditions::default();
    conditions.equal("account", account.as_ref().map(AccountId::as_str));
    conditions.equal("key", key.as_ref().map(KeyId::as_str));
    conditions.equal("model", model.as_ref().map(ModelName::as_str));
    conditions.between(*since, *until);
    let mut chapters = Conditions::default();
    chapters.chapters_between(*since, *until);
    let all = (account, key, since, until) == (&None, &None, &None, &None);
    if !all {
        // What an index finds, it finds chapter by chapter.
        let of_time = format!("chapter IN (SELECT number FROM call_chapters {chapters})");
        conditions.add_all(&of_time, chapters.values);
    }
    let group = match by {
        // The date is the first ten characters of an instant.
        GroupBy::Day => "substr(at, 1, 10)",
        GroupBy::Key => "key",
        GroupBy::Model => "model",
        GroupBy::Account => "account",
        GroupBy::Outcome => "outcome",
    };
    let mut select = connection.prepare(&format!(
        "SELECT {group} AS name, count(*) AS calls, sum(estimated) AS estimated_calls,
            sum(input_tokens) AS input_tokens, sum(cached_input_tokens) AS cached_input_tokens,
            sum(cache_write_tokens) AS cache_write_tokens, sum(output_tokens) AS output_tokens,
            sum(reasoning_tokens) AS reasoning_tokens, sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
            sum(audio_input_tokens) AS audio_input_tokens, sum(audio_output_tokens) AS audio_output_tokens,
            sum(images) AS images, sum(seconds) AS seconds, sum(pages) AS pages, sum(cost_nano_usd) AS cost_nano_usd
         FROM calls {conditions} GROUP BY name ORDER BY name"
    ))?;
    let mut rows = select.query(params_from_iter(conditions.values))?;
    let mut sums = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "usage of", "name");
        let cost: Option<i64> = columns.plain("cost_nano_usd")?;
        sums.push(UsageRow {
            group: columns.plain("name")?,
            calls: columns.count("calls")?,
            estimated_calls: columns.count("estimated_calls")?,
            tokens: columns.usage()?,
            cost: cost.map(NanoUsd::from_nanos),
            currency: cost.map(|_| CURRENCY),
        });
    }
    Ok(sums)
}

//! How much was used: sums over calls.

use rusqlite::{Connection, Row, params_from_iter};
use rustc_hash::FxHashMap;
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
    // Adding up here takes memory for the groups alone. GROUP BY sorts the calls, in a megabyte and in files of its own.
    let mut select = connection.prepare(&format!(
        "SELECT {group} AS name, {} FROM calls {conditions}",
        ADDED.join(", ")
    ))?;
    let mut rows = select.query(params_from_iter(conditions.values))?;
    let mut none = None;
    let mut named = FxHashMap::<String, Sums>::default();
    while let Some(row) = rows.next()? {
        let name = row.get_ref(0)?.as_str_or_null();
        let sums = match name.map_err(rusqlite::Error::from)? {
            None => none.get_or_insert_default(),
            Some(name) => match named.get_mut(name) {
                Some(sums) => sums,
                None => named.entry(name.to_owned()).or_default(),
            },
        };
        sums.add(row)?;
    }
    let none = none.map(|sums: Sums| sums.of(None));
    let named = named.into_iter().map(|(name, sums)| sums.of(Some(name)));
    let mut rows: Vec<_> = none.into_iter().chain(named).collect();
    rows.sort_unstable_by(|one, other| one.group.cmp(&other.group));
    Ok(rows)
}

/// The columns that are added up: with estimated calls and the cost, the counts of [`Usage`] in their order.
const ADDED: [&str; 13] = [
    "estimated",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cache_write_1h_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "images",
    "seconds",
    "pages",
    COST,
];

/// The one of them that not every call has.
const COST: &str = "cost_nano_usd";

/// What the calls of one group add up to.
#[derive(Default)]
struct Sums {
    calls: u64,
    counts: [u64; ADDED.len() - 1],
    cost: Option<NanoUsd>,
}

impl Sums {
    /// Adds a call, whose columns are the group and [`ADDED`].
    fn add(&mut self, call: &Row<'_>) -> Result<(), RowError> {
        let damaged = |column, words: &str| {
            Columns::new(call, "usage of", "name").damaged(column, words.to_owned())
        };
        let too_much = |column| damaged(column, "adds up to more than can be counted");
        self.calls += 1;
        for (at, (sum, column)) in self.counts.iter_mut().zip(ADDED).enumerate() {
            // By its place: to look for each by its name takes longer than to read it.
            let count = u64::try_from(call.get::<_, i64>(at + 1)?);
            let count = count.map_err(|_| damaged(column, "is below zero"))?;
            *sum = sum.checked_add(count).ok_or_else(|| too_much(column))?;
        }
        if let Some(cost) = call.get::<_, Option<i64>>(ADDED.len())? {
            let sum = self.cost.unwrap_or_default();
            let sum = sum.checked_add(NanoUsd::from_nanos(cost));
            self.cost = Some(sum.ok_or_else(|| too_much(COST))?);
        }
        Ok(())
    }

    fn of(self, group: Option<String>) -> UsageRow {
        let [estimated_calls, counts @ ..] = self.counts;
        UsageRow {
            group,
            calls: self.calls,
            estimated_calls,
            tokens: Usage::of_counts(counts),
            cost: self.cost,
            currency: self.cost.map(|_| CURRENCY),
        }
    }
}

//! Which calls were made: a page at a time, newest first.

use std::{fmt, str::FromStr};

use rusqlite::{Connection, params_from_iter, types::Value};
use serde::Serialize;

use crate::domain::{AccountId, KeyId, ModelName, RequestId, Timestamp, Usage};

use super::{
    chapters::CHAPTERS_AND_CALLS,
    columns::{Columns, RowError, instant},
    record::Outcome,
};

/// The most calls that one page has.
pub const LONGEST_PAGE: usize = 1000;

/// Which calls are asked for. Everything that is said must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFilter {
    /// Paid by this account.
    pub account: Option<AccountId>,
    /// Made with this key.
    pub key: Option<KeyId>,
    /// Of this public model.
    pub model: Option<ModelName>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// Admitted then or later.
    pub since: Option<Timestamp>,
    /// Admitted before.
    pub until: Option<Timestamp>,
    /// How many at most; 1 to [`LONGEST_PAGE`], anything else is moved to the nearer end.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
}

impl Default for CallFilter {
    /// The newest hundred of all calls.
    fn default() -> Self {
        Self {
            account: None,
            key: None,
            model: None,
            outcome: None,
            since: None,
            until: None,
            limit: 100,
            cursor: None,
        }
    }
}

/// Some of a list, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T, C = Cursor> {
    /// The items.
    pub data: Vec<T>,
    /// Where the next page begins; `None` after the last.
    pub next_cursor: Option<C>,
}

impl<T, C> Page<T, C> {
    /// A list of nothing.
    pub const fn empty() -> Self {
        Self {
            data: Vec::new(),
            next_cursor: None,
        }
    }
}

/// A place in a list that is ordered by time: after one of its items. To be passed back as it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub(super) at: Timestamp,
    pub(super) id: RequestId,
}

/// A text that is no [`Cursor`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor; pass back the next_cursor of the previous page, or leave it out")]
pub struct InvalidCursor;

/// A call as it is stored. Its JSON is the row of exports and lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "call")]
pub struct CallRow {
    /// The call.
    pub id: RequestId,
    /// The `x-request-id` of the answer.
    pub request_id: String,
    /// When it was admitted.
    pub at: Timestamp,
    /// Who paid.
    pub account: String,
    /// With which key.
    pub key: String,
    /// On which plan.
    pub plan: String,
    /// Which version of it.
    pub plan_version: Option<String>,
    /// The account above the one that paid.
    #[serde(skip)]
    pub parent_account: Option<String>,
    /// The route's prefix.
    pub route: String,
    /// Where it went.
    pub provider: String,
    /// The public model.
    pub model: Option<String>,
    /// The provider's name for it.
    pub upstream_model: Option<String>,
    /// The endpoint's word.
    pub endpoint: String,
    /// Whether the answer was asked for as a stream.
    #[serde(skip)]
    pub stream: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// The status the client got.
    pub status: u16,
    /// What it used.
    pub tokens: Usage,
    /// Whether the usage is our own count.
    pub estimated: bool,
    /// Whether it used more than was held.
    pub overrun: bool,
    /// Tokens that were held for it.
    #[serde(skip)]
    pub held_tokens: u64,
    /// Money that was held for it, in billionths of a dollar.
    pub held_nano_usd: Option<i64>,
    /// What it cost, in billionths of a dollar.
    pub cost_nano_usd: Option<i64>,
    /// Which version of the prices.
    pub price_version: Option<String>,
    /// The currency of the cost.
    pub currency: Option<String>,
    /// The end user that the call named.
    #[serde(skip)]
    pub end_user: Option<String>,
    /// The client's idempotency key.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
    /// Tries upstream.
    #[serde(skip)]
    pub attempt: u32,
    /// From arrival to the start of forwarding.
    pub queue_ms: u64,
    /// From the start of forwarding to the first byte of the answer.
    pub first_byte_ms: Option<u64>,
    /// From arrival to the end.
    pub total_ms: u64,
}

/// A page of the calls that `filter` asks for.
pub(super) fn page(
    connection: &Connection,
    filter: &CallFilter,
) -> Result<Page<CallRow>, RowError> {
    let mut conditions = Conditions::default();
    let CallFilter {
        account,
        key,
        model,
        outcome,
        since,
        until,
        limit,
        cursor,
    } = filter;
    conditions.equal("account", account.as_ref().map(AccountId::as_str));
    conditions.equal("key", key.as_ref().map(KeyId::as_str));
    conditions.equal("model", model.as_ref().map(ModelName::as_str));
    conditions.equal("outcome", outcome.map(Outcome::as_str));
    conditions.between(*since, *until);
    conditions.chapters_between(*since, *until);
    if let Some(Cursor { at, id }) = cursor {
        conditions.add("(at, id) < (?, ?)", [instant(*at), id.to_string()]);
        conditions.add("since <= ?", [instant(*at)]);
    }

    let limit = (*limit).clamp(1, LONGEST_PAGE);
    // One more than asked for tells whether there is a next page.
    let sql = format!(
        "SELECT calls.* FROM {CHAPTERS_AND_CALLS} {conditions}
         ORDER BY since DESC, at DESC, id DESC LIMIT {}",
        limit + 1
    );
    let mut select = connection.prepare(&sql)?;
    let mut rows = select.query(params_from_iter(conditions.values))?;
    let mut data = Vec::new();
    let mut next_cursor = None;
    while let Some(row) = rows.next()? {
        if data.len() == limit {
            next_cursor = data.last().map(|last: &CallRow| Cursor {
                at: last.at,
                id: last.id,
            });
            break;
        }
        data.push(call(&Columns::new(row, "calls", "id"))?);
    }
    Ok(Page { data, next_cursor })
}

pub(super) fn call(columns: &Columns<'_>) -> Result<CallRow, RowError> {
    Ok(CallRow {
        id: columns.word("id", |id| id.parse().ok())?,
        request_id: columns.plain("request_id")?,
        at: columns.instant("at")?,
        account: columns.plain("account")?,
        key: columns.plain("key")?,
        plan: columns.plain("plan")?,
        plan_version: columns.plain("plan_version")?,
        parent_account: columns.plain("parent_account")?,
        route: columns.plain("route")?,
        provider: columns.plain("provider")?,
        model: columns.plain("model")?,
        upstream_model: columns.plain("upstream_model")?,
        endpoint: columns.plain("endpoint")?,
        stream: columns.plain("stream")?,
        outcome: columns.word("outcome", Outcome::parse)?,
        status: columns.plain("status")?,
        tokens: columns.usage()?,
        estimated: columns.plain("estimated")?,
        overrun: columns.plain("overrun")?,
        held_tokens: columns.count("held_tokens")?,
        held_nano_usd: columns.plain("held_nano_usd")?,
        cost_nano_usd: columns.plain("cost_nano_usd")?,
        price_version: columns.plain("price_version")?,
        currency: columns.plain("currency")?,
        end_user: columns.plain("end_user")?,
        idempotency_key: columns.plain("idempotency_key")?,
        attempt: columns.plain("attempt")?,
        queue_ms: columns.count("queue_ms")?,
        first_byte_ms: match columns.plain::<Option<i64>>("first_byte_ms")? {
            Some(_) => Some(columns.count("first_byte_ms")?),
            None => None,
        },
        total_ms: columns.count("total_ms")?,
    })
}

/// A `WHERE` that grows. Its text is ours alone; what users say goes into the values.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    clauses: Vec<String>,
    pub(super) values: Vec<Value>,
}

impl Conditions {
    /// A column must be `value`, if there is one.
    pub(super) fn equal(&mut self, column: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(&format!("{column} = ?"), [value.to_owned()]);
        }
    }

    /// The call was admitted at `since` or later, and before `until`.
    pub(super) fn between(&mut self, since: Option<Timestamp>, until: Option<Timestamp>) {
        if let Some(since) = since {
            self.add("at >= ?", [instant(since)]);
        }
        if let Some(until) = until {
            self.add("at < ?", [instant(until)]);
        }
    }

    /// Only the chapters that have calls from `since` on, and before `until`.
    pub(super) fn chapters_between(&mut self, since: Option<Timestamp>, until: Option<Timestamp>) {
        if let Some(since) = since {
            let first = "(SELECT max(since) FROM call_chapters WHERE since <= ?)";
            self.add(&format!("since >= {first}"), [instant(since)]);
        }
        if let Some(until) = until {
            self.add("since < ?", [instant(until)]);
        }
    }

    /// A column must be below `value`, if there is one.
    pub(super) fn below(&mut self, column: &'static str, value: Option<i64>) {
        if let Some(value) = value {
            self.clauses.push(format!("{column} < ?"));
            self.values.push(Value::Integer(value));
        }
    }

    /// One more clause; `values` fill its places.
    pub(super) fn add<const N: usize>(&mut self, clause: &str, values: [String; N]) {
        self.add_all(clause, values.map(Value::Text));
    }

    /// The same with values of any kind.
    pub(super) fn add_all(&mut self, clause: &str, values: impl IntoIterator<Item = Value>) {
        self.clauses.push(clause.to_owned());
        self.values.extend(values);
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.clauses.is_empty() {
            return Ok(());
        }
        write!(f, "WHERE {}", self.clauses.join(" AND "))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.millis(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (millis, id) = text.split_once('.').ok_or(InvalidCursor)?;
        Ok(Self {
            at: Timestamp::from_millis(millis.parse().map_err(|_| InvalidCursor)?),
            id: id.parse().map_err(|_| InvalidCursor)?,
        })
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

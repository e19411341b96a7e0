//! One call, with all that is known of it.

use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use serde_json::Value;

use crate::domain::{NanoUsd, RequestId};

use super::{
    calls::{self, CallRow},
    columns::{Columns, RowError},
    credit,
};

/// A call with all that its row has: the JSON of lists, and what explains it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallDetails {
    /// As lists have it.
    #[serde(flatten)]
    pub row: CallRow,
    /// Whether the answer was asked for as a stream.
    pub stream: bool,
    /// Tokens that were held for it.
    pub held_tokens: u64,
    /// Tries upstream.
    pub attempt: u32,
    /// The end user that the call named.
    pub end_user: Option<String>,
    /// The client's idempotency key.
    pub idempotency_key: Option<String>,
    /// What was agreed at admission, as `migrations/sqlite/0005_explain.sql` has it; `None` where it was not noted.
    pub terms: Option<Value>,
    /// The counters that it moved; `None` where it moved none, or where that was not noted.
    pub counted: Option<Value>,
    /// What it took of prepaid credit; `None` where it took none.
    pub credit: Option<Charged>,
}

/// What a call took of prepaid credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Charged {
    /// From each lot.
    pub lots: Vec<ChargedLot>,
    /// What no lot covered, which the next one pays.
    pub debt: NanoUsd,
}

/// What a call took from one lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChargedLot {
    /// The number of the entry that made the lot.
    pub entry: i64,
    /// The entry's id.
    pub id: Option<String>,
    /// What the entry is.
    pub kind: Option<String>,
    /// How much was taken.
    pub amount: NanoUsd,
}

/// The call of this id, if one is there.
pub(super) fn find(
    connection: &Connection,
    id: RequestId,
) -> Result<Option<CallDetails>, RowError> {
    let mut select = connection.prepare("SELECT * FROM calls WHERE id = ?")?;
    let mut rows = select.query([id.to_string()])?;
    match rows.next()? {
        Some(row) => details(connection, row).map(Some),
        None => Ok(None),
    }
}

fn details(connection: &Connection, row: &Row<'_>) -> Result<CallDetails, RowError> {
    let columns = Columns::new(row, "calls", "id");
    let call = calls::call(&columns)?;
    let mut noted = match columns.plain::<Option<String>>("details")? {
        Some(_) => columns.json("details", |value| Ok(value.clone()))?,
        None => Value::Null,
    };
    let mut part = |name: &str| {
        let part = noted.get_mut(name).map(Value::take);
        part.filter(|part| !part.is_null())
    };
    let (terms, counted) = (part("terms"), part("counted"));
    let charged: bool = columns.plain("credit_charged")?;
    let credit = if charged {
        Some(charge(connection, &columns, &call)?)
    } else {
        None
    };
    Ok(CallDetails {
        stream: call.stream,
        held_tokens: call.held_tokens,
        attempt: call.attempt,
        end_user: call.end_user.clone(),
        idempotency_key: call.idempotency_key.clone(),
        row: call,
        terms,
        counted,
        credit,
    })
}

fn charge(
    connection: &Connection,
    columns: &Columns<'_>,
    call: &CallRow,
) -> Result<Charged, RowError> {
    let draws = match columns.plain::<Option<String>>("credit_draws")? {
        Some(text) => credit::unpack(&text)
            .ok_or_else(|| columns.damaged("credit_draws", format!("is {text:?}")))?,
        None => Vec::new(),
    };
    let mut entry = connection.prepare("SELECT id, kind FROM credit_entries WHERE number = ?")?;
    let mut lots = Vec::with_capacity(draws.len());
    let mut debt = NanoUsd::from_nanos(call.cost_nano_usd.unwrap_or_default());
    for draw in draws {
        let named = entry
            .query_row([draw.entry], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (id, kind) = named.unzip();
        debt = debt.saturating_sub(draw.amount);
        lots.push(ChargedLot {
            entry: draw.entry,
            id,
            kind,
            amount: draw.amount,
        });
    }
    Ok(Charged { lots, debt })
}

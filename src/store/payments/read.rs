//! Events and standings as they are stored.

use rusqlite::{Connection, params_from_iter};

use super::{EventFilter, EventRow, EventStatus, KeptEvent, word};
use crate::{
    accounts::PaymentStanding,
    domain::{AccountId, PlanId, Vendor},
    store::{
        calls::{Conditions, LONGEST_PAGE, Page},
        columns::{Columns, RowError},
        roster_rows,
    },
};

/// The standing of every account of which events tell one.
pub(in crate::store) fn standings(
    connection: &Connection,
) -> Result<Vec<PaymentStanding>, RowError> {
    let mut select = connection.prepare("SELECT * FROM payment_standings ORDER BY account")?;
    let mut rows = select.query([])?;
    let mut standings = Vec::new();
    while let Some(row) = rows.next()? {
        standings.extend(from_row(&Columns::new(
            row,
            "payment_standings",
            "account",
        ))?);
    }
    Ok(standings)
}

/// The standing of one account.
pub(super) fn standing(
    connection: &Connection,
    account: &AccountId,
) -> Result<Option<PaymentStanding>, RowError> {
    let mut select =
        connection.prepare_cached("SELECT * FROM payment_standings WHERE account = ?")?;
    let mut rows = select.query([account.as_str()])?;
    match rows.next()? {
        Some(row) => from_row(&Columns::new(row, "payment_standings", "account")),
        None => Ok(None),
    }
}

fn from_row(columns: &Columns<'_>) -> Result<Option<PaymentStanding>, RowError> {
    let Some(subscription) = roster_rows::subscription(columns)? else {
        return Ok(None);
    };
    let plan = |id: &str| PlanId::parse(id).ok();
    Ok(Some(PaymentStanding {
        account: columns.word("account", |id| AccountId::parse(id).ok())?,
        object: columns.plain("object")?,
        subscription,
        plan: columns.optional("plan", plan)?,
        over_subscription: columns.word("declared_subscription", |text| {
            word::over(text, |written| Some(written.to_owned()))
        })?,
        over_plan: columns.word("declared_plan", |text| word::over(text, plan))?,
    }))
}

const COLUMNS: &str =
    "number, id, vendor, type, created_at, received_at, status, account, words, attempts";

/// A page of events, newest first.
pub(super) fn page(
    connection: &Connection,
    filter: &EventFilter,
) -> Result<Page<EventRow, i64>, RowError> {
    let EventFilter {
        status,
        account,
        vendor,
        limit,
        before,
    } = filter;
    let mut conditions = Conditions::default();
    conditions.equal("status", status.map(EventStatus::as_str));
    conditions.equal("account", account.as_ref().map(AccountId::as_str));
    conditions.equal("vendor", vendor.map(Vendor::as_str));
    conditions.below("number", *before);
    let limit = (*limit).clamp(1, LONGEST_PAGE);
    let mut select = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM payment_events {conditions} ORDER BY number DESC LIMIT {}",
        limit + 1
    ))?;
    let mut rows = select.query(params_from_iter(conditions.values))?;
    let mut data = Vec::new();
    while let Some(row) = rows.next()? {
        data.push(event(&Columns::new(row, "payment_events", "id"))?);
    }
    let more = data.len() > limit;
    data.truncate(limit);
    let next_cursor = data.last().filter(|_| more).map(|last| last.number);
    Ok(Page { data, next_cursor })
}

/// An event and its body, where it was kept.
pub(super) fn one(connection: &Connection, id: &str) -> Result<Option<KeptEvent>, RowError> {
    let mut select = connection.prepare("SELECT * FROM payment_events WHERE id = ?")?;
    let mut rows = select.query([id])?;
    match rows.next()? {
        Some(row) => {
            let columns = Columns::new(row, "payment_events", "id");
            Ok(Some(KeptEvent {
                row: event(&columns)?,
                payload: columns.plain("payload")?,
            }))
        }
        None => Ok(None),
    }
}

fn event(columns: &Columns<'_>) -> Result<EventRow, RowError> {
    Ok(EventRow {
        number: columns.plain("number")?,
        id: columns.plain("id")?,
        vendor: columns.word("vendor", Vendor::parse)?,
        kind: columns.plain("type")?,
        created_at: columns.instant("created_at")?,
        received_at: columns.instant("received_at")?,
        status: columns.word("status", EventStatus::parse)?,
        account: columns.plain("account")?,
        words: columns.plain("words")?,
        attempts: columns.plain("attempts")?,
    })
}

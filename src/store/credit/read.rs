//! Credit as it stands in the store.

use rusqlite::{Connection, params_from_iter};

use super::{EntryFilter, EntryKind, EntryRow, LotRow, StoredCredit};
use crate::{
    accounts::{CreditRow, Lot},
    domain::{AccountId, NanoUsd},
    store::{
        calls::{Conditions, LONGEST_PAGE, Page},
        columns::{Columns, RowError},
    },
};

/// The credit of every account that ever had any, by id.
pub(in crate::store) fn balances(connection: &Connection) -> Result<Vec<CreditRow>, RowError> {
    let mut balances: Vec<CreditRow> = Vec::new();
    let mut select = connection.prepare("SELECT * FROM credit_balances ORDER BY account")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "credit_balances", "account");
        balances.push(CreditRow {
            account: columns.word("account", |id| AccountId::parse(id).ok())?,
            balance: columns.money("balance_nano_usd")?,
            lots: Vec::new(),
        });
    }
    let mut select = connection.prepare(
        "SELECT account, number, remaining_nano_usd, priority, expires_at
         FROM credit_lots JOIN credit_entries ON number = entry WHERE remaining_nano_usd > 0",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "credit_entries", "number");
        let account: String = columns.plain("account")?;
        let found = balances.binary_search_by(|row| row.account.as_str().cmp(&account));
        let Ok(at) = found else {
            let words = "has a lot without a row in credit_balances".to_owned();
            return Err(columns.damaged("account", words));
        };
        balances[at].lots.push(Lot {
            entry: columns.plain("number")?,
            remaining: columns.money("remaining_nano_usd")?,
            priority: columns.plain("priority")?,
            expires_at: columns.optional_instant("expires_at")?,
        });
    }
    Ok(balances)
}

/// The credit of one account; nothing at all for one that never had any.
pub(super) fn credit(
    connection: &Connection,
    account: &AccountId,
) -> Result<StoredCredit, RowError> {
    let mut select =
        connection.prepare("SELECT balance_nano_usd FROM credit_balances WHERE account = ?")?;
    let mut rows = select.query([account.as_str()])?;
    let balance = match rows.next()? {
        Some(row) => Columns::new(row, "credit_balances", "account").money("balance_nano_usd")?,
        None => NanoUsd::ZERO,
    };
    // The order in which calls draw: priority, then what is lost first, then what is older.
    let mut select = connection.prepare(
        "SELECT number, kind, amount_nano_usd, remaining_nano_usd, priority, expires_at
         FROM credit_entries JOIN credit_lots ON entry = number
         WHERE account = ? AND remaining_nano_usd > 0
         ORDER BY priority, expires_at IS NULL, expires_at, number",
    )?;
    let mut rows = select.query([account.as_str()])?;
    let mut lots = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "credit_entries", "number");
        lots.push(LotRow {
            entry: columns.plain("number")?,
            kind: columns.word("kind", EntryKind::parse)?,
            amount: columns.money("amount_nano_usd")?,
            remaining: columns.money("remaining_nano_usd")?,
            priority: columns.plain("priority")?,
            expires_at: columns.optional_instant("expires_at")?,
        });
    }
    Ok(StoredCredit { balance, lots })
}

/// Whether there is an entry with this id.
pub(super) fn exists(connection: &Connection, id: &str) -> Result<bool, RowError> {
    let mut select = connection.prepare("SELECT 1 FROM credit_entries WHERE id = ?")?;
    Ok(select.exists([id])?)
}

/// A page of entries, newest first.
pub(super) fn page(
    connection: &Connection,
    filter: &EntryFilter,
) -> Result<Page<EntryRow, i64>, RowError> {
    let EntryFilter {
        account,
        kind,
        since,
        until,
        limit,
        before,
    } = filter;
    let mut conditions = Conditions::default();
    conditions.equal("account", account.as_ref().map(AccountId::as_str));
    conditions.equal("kind", kind.map(EntryKind::as_str));
    conditions.between(*since, *until);
    conditions.below("number", *before);
    let limit = (*limit).clamp(1, LONGEST_PAGE);
    // One more than asked for tells whether there is a next page.
    let mut select = connection.prepare(&format!(
        "SELECT * FROM credit_entries {conditions} ORDER BY number DESC LIMIT {}",
        limit + 1
    ))?;
    let mut rows = select.query(params_from_iter(conditions.values))?;
    let mut data: Vec<EntryRow> = Vec::new();
    let mut next_cursor = None;
    while let Some(row) = rows.next()? {
        if data.len() == limit {
            next_cursor = data.last().map(|last| last.number);
            break;
        }
        data.push(entry(&Columns::new(row, "credit_entries", "number"))?);
    }
    Ok(Page { data, next_cursor })
}

/// A row of `credit_entries`.
pub(in crate::store) fn entry(columns: &Columns<'_>) -> Result<EntryRow, RowError> {
    Ok(EntryRow {
        number: columns.plain("number")?,
        id: columns.plain("id")?,
        account: columns.plain("account")?,
        kind: columns.word("kind", EntryKind::parse)?,
        amount: columns.money("amount_nano_usd")?,
        currency: columns.plain("currency")?,
        at: columns.instant("at")?,
        author: columns.plain("author")?,
        reason: columns.plain("reason")?,
        expires_at: columns.optional_instant("expires_at")?,
        priority: columns.plain("priority")?,
        related: columns.plain("related")?,
    })
}

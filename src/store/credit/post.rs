//! Writing entries: one transaction for the row, its lot and the balance.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{EntryKind, EntryRow, NewEntry, NewTransfer, Posted, Sums, draws};
use crate::{
    accounts::{Draw, Draws},
    domain::{CURRENCY, NanoUsd, RequestId, Timestamp},
    store::columns::{Columns, RowError, instant},
};

/// Why an entry was not posted though the store takes everything. Nothing was written then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum NotPosted {
    /// Another entry has its id.
    IdTaken,
    /// The balance would not fit its column.
    TooLarge,
}

/// Whether an entry was posted, and how it stands.
pub(in crate::store) type Outcome = Result<Posted, NotPosted>;

/// A new row of `credit_entries`.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct EntryWords<'a> {
    pub(in crate::store) id: &'a str,
    pub(in crate::store) account: &'a str,
    pub(in crate::store) kind: EntryKind,
    pub(in crate::store) amount: NanoUsd,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) author: &'a str,
    pub(in crate::store) reason: Option<&'a str>,
    pub(in crate::store) expires_at: Option<Timestamp>,
    pub(in crate::store) priority: u8,
    pub(in crate::store) related: Option<&'a str>,
}

/// Posts an entry; one below zero takes `draws` from lots, and what they do not cover is debt.
pub(in crate::store) fn post(
    transaction: &Transaction<'_>,
    entry: &NewEntry,
    drawn: &[Draw],
    now: Timestamp,
) -> Result<Outcome, RowError> {
    let NewEntry {
        id,
        account,
        kind,
        amount,
        author,
        reason,
        expires_at,
        priority,
        related,
    } = entry;
    let balance = balance(transaction, account.as_str())?;
    if let Some(id) = id
        && let Some(found) = find(transaction, entry, id)?
    {
        return Ok(found.map(|found| Posted {
            number: found.number,
            id: found.id,
            at: found.at,
            author: found.author,
            balance,
            existed: true,
        }));
    }
    let Some(after) = balance.checked_add(*amount) else {
        return Ok(Err(NotPosted::TooLarge));
    };
    let id = id
        .clone()
        .unwrap_or_else(|| RequestId::new(now).to_string());
    let words = EntryWords {
        id: &id,
        account: account.as_str(),
        kind: *kind,
        amount: *amount,
        at: now,
        author,
        reason: reason.as_deref(),
        expires_at: *expires_at,
        priority: *priority,
        related: related.as_deref(),
    };
    let number = if *amount > NanoUsd::ZERO {
        let debt = balance.saturating_neg().max(NanoUsd::ZERO);
        add_lot(transaction, &words, debt)?
    } else {
        let open = draws::uncovered(amount.saturating_neg(), drawn);
        take(transaction, drawn)?;
        let rest = draws::cover(transaction, account.as_str(), open)?;
        take(transaction, &rest)?;
        let mut drawn = Draws::from(drawn);
        drawn.extend(rest);
        insert(transaction, &words, &drawn)?
    };
    transaction
        .prepare_cached(SET_BALANCE)?
        .execute((account.as_str(), after.nanos()))?;
    Ok(Ok(Posted {
        number,
        id,
        at: now,
        author: author.clone(),
        balance: after,
        existed: false,
    }))
}

/// Posts both sides of a transfer, or neither.
pub(super) fn transfer(
    transaction: &Transaction<'_>,
    wanted: &NewTransfer,
    drawn: &[Draw],
    now: Timestamp,
) -> Result<Result<[Posted; 2], NotPosted>, RowError> {
    let NewTransfer {
        id,
        from,
        to,
        amount,
        author,
        reason,
        expires_at,
        priority,
    } = wanted;
    let id = id
        .clone()
        .unwrap_or_else(|| RequestId::new(now).to_string());
    let gives = NewEntry {
        id: Some(format!("{id}:from")),
        account: from.clone(),
        kind: EntryKind::Transfer,
        amount: amount.saturating_neg(),
        author: author.clone(),
        reason: reason.clone(),
        expires_at: None,
        priority: *priority,
        related: Some(to.as_str().to_owned()),
    };
    let gets = NewEntry {
        id: Some(format!("{id}:to")),
        account: to.clone(),
        amount: *amount,
        expires_at: *expires_at,
        related: Some(from.as_str().to_owned()),
        ..gives.clone()
    };
    // Both are looked at before either is written, because what was written in this transaction would stay.
    for entry in [&gives, &gets] {
        let id = entry.id.as_deref().unwrap_or_default();
        if let Some(Err(refused)) = find(transaction, entry, id)? {
            return Ok(Err(refused));
        }
    }
    if is_too_large(transaction, &gives)? || is_too_large(transaction, &gets)? {
        return Ok(Err(NotPosted::TooLarge));
    }
    let given = post(transaction, &gives, drawn, now)?;
    let got = post(transaction, &gets, &[], now)?;
    Ok(given.and_then(|given| Ok([given, got?])))
}

/// Inserts a row of `credit_entries` and nothing else; its number.
pub(in crate::store) fn insert(
    transaction: &Transaction<'_>,
    words: &EntryWords<'_>,
    drawn: &[Draw],
) -> rusqlite::Result<i64> {
    let number = next_number(transaction)?;
    insert_as(transaction, number, words, drawn)?;
    Ok(number)
}

fn take(transaction: &Transaction<'_>, drawn: &[Draw]) -> rusqlite::Result<()> {
    let mut sums = Sums::default();
    sums.add(drawn);
    sums.take(transaction)
}

/// An entry that makes a lot, from which debt is paid first.
fn add_lot(
    transaction: &Transaction<'_>,
    words: &EntryWords<'_>,
    debt: NanoUsd,
) -> rusqlite::Result<i64> {
    let entry = next_number(transaction)?;
    let paid = Draw {
        entry,
        amount: debt.min(words.amount),
    };
    insert_as(transaction, entry, words, &[paid])?;
    let remaining = words.amount.saturating_sub(paid.amount);
    transaction
        .prepare_cached("INSERT INTO credit_lots (entry, remaining_nano_usd) VALUES (?, ?)")?
        .execute((entry, remaining.nanos()))?;
    Ok(entry)
}

fn next_number(transaction: &Transaction<'_>) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached("SELECT coalesce(max(number), 0) + 1 FROM credit_entries")?
        .query_row([], |row| row.get(0))
}

fn insert_as(
    transaction: &Transaction<'_>,
    number: i64,
    words: &EntryWords<'_>,
    drawn: &[Draw],
) -> rusqlite::Result<()> {
    let EntryWords {
        id,
        account,
        kind,
        amount,
        at,
        author,
        reason,
        expires_at,
        priority,
        related,
    } = *words;
    transaction
        .prepare_cached(
            "INSERT INTO credit_entries (number, id, account, kind, amount_nano_usd, currency, at,
                author, reason, expires_at, priority, related, draws)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            number,
            id,
            account,
            kind.as_str(),
            amount.nanos(),
            CURRENCY,
            instant(at),
            author,
            reason,
            expires_at.map(instant),
            priority,
            related,
            draws::text(drawn),
        ])?;
    Ok(())
}

/// The entry of an id where it says the same, an error where it says something else.
fn find(
    transaction: &Transaction<'_>,
    entry: &NewEntry,
    id: &str,
) -> Result<Option<Result<EntryRow, NotPosted>>, RowError> {
    let mut select = transaction.prepare_cached("SELECT * FROM credit_entries WHERE id = ?")?;
    let mut rows = select.query([id])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let found = super::read::entry(&Columns::new(row, "credit_entries", "id"))?;
    // Who says it does not matter: a command may be tried again through the API.
    let same = found.account == entry.account.as_str()
        && found.kind == entry.kind
        && found.amount == entry.amount
        && found.reason == entry.reason
        && found.expires_at == entry.expires_at
        && found.priority == entry.priority
        && found.related == entry.related;
    Ok(Some(if same {
        Ok(found)
    } else {
        Err(NotPosted::IdTaken)
    }))
}

/// Whether the balance would not fit its column with this entry.
pub(in crate::store) fn is_too_large(
    transaction: &Transaction<'_>,
    entry: &NewEntry,
) -> rusqlite::Result<bool> {
    let balance = balance(transaction, entry.account.as_str())?;
    Ok(balance.checked_add(entry.amount).is_none())
}

fn balance(transaction: &Transaction<'_>, account: &str) -> rusqlite::Result<NanoUsd> {
    let nanos = transaction
        .prepare_cached("SELECT balance_nano_usd FROM credit_balances WHERE account = ?")?
        .query_row([account], |row| row.get(0))
        .optional()?;
    Ok(NanoUsd::from_nanos(nanos.unwrap_or(0)))
}

const SET_BALANCE: &str = "INSERT INTO credit_balances (account, balance_nano_usd) VALUES (?, ?)
    ON CONFLICT DO UPDATE SET balance_nano_usd = excluded.balance_nano_usd";

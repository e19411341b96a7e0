//! Accounts and keys as rows: written whole, read whole.

mod cells;
mod hashes;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use rusqlite::{Connection, Transaction, params};

use crate::{
    accounts::{AccountSpec, KeySpec, OwnTerms, Source, limits_to_json},
    domain::{
        AccountId, EmailAddress, KeyId, PlanId, Subscription, SubscriptionStatus, Timestamp, Window,
    },
};

use super::columns::{Columns, RowError, instant, list};
use cells::Cells;
use hashes::Hashes;

/// Inserts an account, or replaces the one of the same id.
pub(super) fn put_account(
    transaction: &Transaction<'_>,
    spec: &AccountSpec,
) -> rusqlite::Result<()> {
    let AccountSpec {
        id,
        plan,
        source,
        created_at,
        disabled,
        subscription,
        models,
        limits,
        email,
        // Only an account of the file has one, and it stands in an entry.
        opening_credit: _,
    } = spec;
    let subscription = subscription.as_ref();
    let date =
        |read: fn(&Subscription) -> Option<Timestamp>| subscription.and_then(read).map(instant);
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO accounts (id, plan, source, created_at, disabled,
                subscription_status, current_period_start, current_period_end, past_due_since,
                trial_end, cancel_at, cancel_at_period_end, ends_at, models, limits, email)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            id.as_str(),
            plan.as_str(),
            source_word(*source),
            instant(*created_at),
            disabled,
            subscription.map(|subscription| subscription.status.as_str()),
            date(|subscription| subscription.period.map(|period| period.start)),
            date(Subscription::current_period_end),
            date(|subscription| subscription.past_due_since),
            date(|subscription| subscription.trial_end),
            date(|subscription| subscription.cancel_at),
            subscription.is_some_and(|subscription| subscription.cancel_at_period_end),
            date(|subscription| subscription.ends_at),
            models.as_ref().map(list),
            limits_to_json(limits).to_string(),
            email.as_ref().map(EmailAddress::as_str),
        ])?;
    Ok(())
}

/// Inserts a key, or replaces the one of the same id, with all its digests.
///
/// Fails with a constraint when another key is opened by one of the secrets.
pub(super) fn put_key(transaction: &Transaction<'_>, spec: &KeySpec) -> rusqlite::Result<()> {
    let KeySpec {
        id,
        account,
        source,
        disabled,
        digests,
        public_part,
        created_at,
        own,
    } = spec;
    let OwnTerms {
        expires_at,
        revoked_at,
        models,
        limits,
        allowed_ips,
    } = &**own;
    // The digests of before go with the row that is replaced.
    transaction
        .prepare_cached("DELETE FROM keys WHERE id = ?")?
        .execute([id.as_str()])?;
    transaction
        .prepare_cached(
            "INSERT INTO keys (id, account, source, public_part, created_at, expires_at,
                revoked_at, disabled, models, limits, allowed_ips)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            id.as_str(),
            account.as_str(),
            source_word(*source),
            public_part.as_str(),
            instant(*created_at),
            expires_at.map(instant),
            revoked_at.map(instant),
            disabled,
            models.as_ref().map(list),
            limits_to_json(limits).to_string(),
            list(allowed_ips),
        ])?;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO key_hashes (key_hash, key, position, ends_at) VALUES (?, ?, ?, ?)",
    )?;
    for (position, (digest, ends_at)) in digests.iter().enumerate() {
        insert.execute(params![
            format!("sha256:{digest}"),
            id.as_str(),
            i64::try_from(position).unwrap_or(i64::MAX),
            ends_at.map(instant),
        ])?;
    }
    Ok(())
}

/// Notes when accounts were first seen, where that is not known yet, and says when it was.
pub(super) fn remember_accounts(
    transaction: &Transaction<'_>,
    ids: Vec<AccountId>,
    now: Timestamp,
) -> Result<HashMap<AccountId, Timestamp>, RowError> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO first_seen (account, at) VALUES (?, ?) ON CONFLICT DO NOTHING",
    )?;
    let mut read =
        transaction.prepare_cached("SELECT account, at FROM first_seen WHERE account = ?")?;
    let now = instant(now);
    let mut seen = HashMap::with_capacity(ids.len());
    for id in ids {
        insert.execute([id.as_str(), &now])?;
        let mut rows = read.query([id.as_str()])?;
        if let Some(row) = rows.next()? {
            let at = Columns::new(row, "first_seen", "account").instant("at")?;
            seen.insert(id, at);
        }
    }
    Ok(seen)
}

/// When accounts were first seen.
pub(super) fn first_seen(
    connection: &Connection,
) -> Result<HashMap<AccountId, Timestamp>, RowError> {
    let mut select = connection.prepare("SELECT account, at FROM first_seen")?;
    let mut rows = select.query([])?;
    let mut seen = HashMap::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "first_seen", "account");
        let account = columns.word("account", |id| AccountId::parse(id).ok())?;
        seen.insert(account, columns.instant("at")?);
    }
    Ok(seen)
}

/// All accounts, by id.
pub(super) fn accounts(connection: &Connection) -> Result<Vec<Arc<AccountSpec>>, RowError> {
    let mut select = connection.prepare(
        "SELECT id, plan, created_at, limits, models, email, subscription_status, source, disabled,
            current_period_start, current_period_end, past_due_since, trial_end, cancel_at,
            cancel_at_period_end, ends_at
         FROM accounts ORDER BY id",
    )?;
    let mut rows = select.query([])?;
    let mut accounts = Vec::new();
    let mut plans = HashSet::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "accounts", "id");
        let cells = Cells { row, columns };
        accounts.push(Arc::new(AccountSpec {
            id: cells.word(0, "id", |id| AccountId::parse(id).ok())?,
            plan: cells.word(1, "plan", |id| known(&mut plans, id, PlanId::parse))?,
            created_at: cells.word(2, "created_at", |text| text.parse().ok())?,
            source: cells.word(7, "source", read_source)?,
            disabled: row.get(8)?,
            subscription: cells.unless_null(6, subscription)?,
            models: cells.unless_null(4, |columns| columns.models("models"))?,
            limits: cells.limits(3)?,
            email: cells.unless_null(5, |columns| {
                columns.optional("email", |text| text.parse().ok())
            })?,
            opening_credit: None,
        }));
    }
    accounts.shrink_to_fit();
    Ok(accounts)
}

/// All keys, by id, revoked and expired ones included.
pub(super) fn keys(connection: &Connection) -> Result<Vec<Arc<KeySpec>>, RowError> {
    keys_of(connection, &[])
}

/// As [`keys`]. Those of `accounts` share the account's name with it.
pub(super) fn keys_of(
    connection: &Connection,
    accounts: &[Arc<AccountSpec>],
) -> Result<Vec<Arc<KeySpec>>, RowError> {
    let mut owners: HashSet<AccountId> = accounts.iter().map(|spec| spec.id.clone()).collect();
    let mut select = connection.prepare(hashes::ALL)?;
    let mut hashes = Hashes::read(connection, select.query([])?)?;
    let mut select = connection.prepare(
        "SELECT id, account, public_part, created_at, limits, allowed_ips, models, expires_at,
            revoked_at, source, disabled
         FROM keys ORDER BY id",
    )?;
    let mut rows = select.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "keys", "id");
        let cells = Cells { row, columns };
        let id = cells.word(0, "id", |id| KeyId::parse(id).ok())?;
        let own = OwnTerms {
            expires_at: cells.unless_null(7, |columns| columns.optional_instant("expires_at"))?,
            revoked_at: cells.unless_null(8, |columns| columns.optional_instant("revoked_at"))?,
            models: cells.unless_null(6, |columns| columns.models("models"))?,
            limits: cells.limits(4)?,
            allowed_ips: match cells.text(5)? {
                Some("[]") => Vec::new(),
                _ => columns.list("allowed_ips")?,
            },
        };
        keys.push(Arc::new(KeySpec {
            digests: hashes.of(id.as_str())?,
            id,
            account: cells.word(1, "account", |id| known(&mut owners, id, AccountId::parse))?,
            source: cells.word(9, "source", read_source)?,
            public_part: cells.word(2, "public_part", |text| Some(text.into()))?,
            created_at: cells.word(3, "created_at", |text| text.parse().ok())?,
            disabled: row.get(10)?,
            own: own.into(),
        }));
    }
    keys.shrink_to_fit();
    Ok(keys)
}

/// The name that was read before, or a new one: a name that many rows have is in memory once.
fn known<T, E>(names: &mut HashSet<T>, name: &str, parse: fn(&str) -> Result<T, E>) -> Option<T>
where
    T: Clone + Eq + std::hash::Hash + std::borrow::Borrow<str>,
{
    if let Some(known) = names.get(name) {
        return Some(known.clone());
    }
    let new = parse(name).ok()?;
    names.insert(new.clone());
    Some(new)
}

/// The columns of a subscription; `None` where there is none.
pub(super) fn subscription(columns: &Columns<'_>) -> Result<Option<Subscription>, RowError> {
    let Some(status) = columns.optional("subscription_status", SubscriptionStatus::parse)? else {
        return Ok(None);
    };
    let start = columns.optional_instant("current_period_start")?;
    let end = columns.optional_instant("current_period_end")?;
    Ok(Some(Subscription {
        status,
        period: start.zip(end).map(|(start, end)| Window { start, end }),
        period_end: end.filter(|_| start.is_none()),
        past_due_since: columns.optional_instant("past_due_since")?,
        trial_end: columns.optional_instant("trial_end")?,
        cancel_at: columns.optional_instant("cancel_at")?,
        cancel_at_period_end: columns.plain("cancel_at_period_end")?,
        ends_at: columns.optional_instant("ends_at")?,
    }))
}

const fn source_word(source: Source) -> &'static str {
    match source {
        Source::Config => "config",
        Source::Api => "api",
    }
}

fn read_source(word: &str) -> Option<Source> {
    [Source::Config, Source::Api]
        .into_iter()
        .find(|source| source_word(*source) == word)
}

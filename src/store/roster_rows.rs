//! Accounts and keys as rows: written whole, read whole.

use std::collections::HashMap;

use rusqlite::{Connection, Transaction, params};

use crate::{
    accounts::{AccountSpec, KeySpec, Source, limits_from_json, limits_to_json},
    domain::{
        AccountId, EmailAddress, KeyDigest, KeyId, PlanId, Subscription, SubscriptionStatus,
        Timestamp, Window,
    },
};

use super::columns::{Columns, RowError, instant, list};

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
            date(|subscription| subscription.period.map(|period| period.end)),
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
        digests,
        public_part,
        created_at,
        expires_at,
        revoked_at,
        disabled,
        models,
        limits,
        allowed_ips,
    } = spec;
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
            public_part,
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
pub(super) fn accounts(connection: &Connection) -> Result<Vec<AccountSpec>, RowError> {
    let mut select = connection.prepare("SELECT * FROM accounts ORDER BY id")?;
    let mut rows = select.query([])?;
    let mut accounts = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "accounts", "id");
        accounts.push(AccountSpec {
            id: columns.word("id", |id| AccountId::parse(id).ok())?,
            plan: columns.word("plan", |id| PlanId::parse(id).ok())?,
            source: columns.word("source", read_source)?,
            created_at: columns.instant("created_at")?,
            disabled: columns.plain("disabled")?,
            subscription: subscription(&columns)?,
            models: columns.models("models")?,
            limits: columns.json("limits", limits_from_json)?,
            email: columns.optional("email", |text| text.parse().ok())?,
            opening_credit: None,
        });
    }
    Ok(accounts)
}

/// All keys, by id, revoked and expired ones included.
pub(super) fn keys(connection: &Connection) -> Result<Vec<KeySpec>, RowError> {
    let mut digests = digests(connection)?;
    let mut select = connection.prepare("SELECT * FROM keys ORDER BY id")?;
    let mut rows = select.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "keys", "id");
        let id = columns.word("id", |id| KeyId::parse(id).ok())?;
        keys.push(KeySpec {
            digests: digests.remove(id.as_str()).unwrap_or_default(),
            id,
            account: columns.word("account", |id| AccountId::parse(id).ok())?,
            source: columns.word("source", read_source)?,
            public_part: columns.plain("public_part")?,
            created_at: columns.instant("created_at")?,
            expires_at: columns.optional_instant("expires_at")?,
            revoked_at: columns.optional_instant("revoked_at")?,
            disabled: columns.plain("disabled")?,
            models: columns.models("models")?,
            limits: columns.json("limits", limits_from_json)?,
            allowed_ips: columns.list("allowed_ips")?,
        });
    }
    Ok(keys)
}

type Digests = Vec<(KeyDigest, Option<Timestamp>)>;

fn digests(connection: &Connection) -> Result<HashMap<String, Digests>, RowError> {
    let mut select = connection.prepare("SELECT * FROM key_hashes ORDER BY key, position")?;
    let mut rows = select.query([])?;
    let mut digests: HashMap<String, Digests> = HashMap::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "key_hashes", "key");
        let digest = columns.word("key_hash", |text| text.parse().ok())?;
        let ends_at = columns.optional_instant("ends_at")?;
        let of_key = digests.entry(columns.plain("key")?).or_default();
        of_key.push((digest, ends_at));
    }
    Ok(digests)
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

//! Accounts and keys as rows: written whole, read whole.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use rusqlite::{Connection, Row, Rows, Transaction, params, types::ValueRef};

use crate::{
    accounts::{
        AccountSpec, Digests, KeySpec, Opener, OwnTerms, Source, limits_from_json, limits_to_json,
    },
    domain::{
        AccountId, EmailAddress, KeyDigest, KeyId, Limits, PlanId, Subscription,
        SubscriptionStatus, Timestamp, Window,
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
    let mut select = connection.prepare(HASHES)?;
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

/// Every secret with the name of its key, in the order of the keys. The index has both, so no row is looked for.
const HASHES: &str = "SELECT key, key_hash FROM key_hashes ORDER BY key";

/// The secrets of all keys, taken in the order of the keys: there may be a million, and a map of them would be the most
/// that a start needs.
struct Hashes<'s> {
    rows: Rows<'s>,
    /// The key of the row that comes next, and its secret.
    next: Option<(String, KeyDigest)>,
    /// Where secrets stand among those of their key, and when they end: of keys that were rotated.
    rotated: HashMap<KeyDigest, (i64, Option<Timestamp>)>,
}

impl<'s> Hashes<'s> {
    fn read(connection: &Connection, rows: Rows<'s>) -> Result<Self, RowError> {
        let mut rotated = HashMap::new();
        let mut select = connection
            .prepare("SELECT * FROM key_hashes WHERE position <> 0 OR ends_at IS NOT NULL")?;
        let mut found = select.query([])?;
        while let Some(row) = found.next()? {
            let columns = Columns::new(row, "key_hashes", "key");
            let digest = columns.word("key_hash", |text| text.parse().ok())?;
            let place = (
                columns.plain("position")?,
                columns.optional_instant("ends_at")?,
            );
            rotated.insert(digest, place);
        }
        let mut hashes = Self {
            rows,
            next: None,
            rotated,
        };
        hashes.step()?;
        Ok(hashes)
    }

    /// Goes on to the next row.
    fn step(&mut self) -> Result<(), RowError> {
        let mut key = self.next.take().map(|(key, _)| key).unwrap_or_default();
        if let Some(row) = self.rows.next()? {
            let columns = Columns::new(row, "key_hashes", "key");
            let cells = Cells { row, columns };
            key.clear();
            cells.word(0, "key", |text| {
                key.push_str(text);
                Some(())
            })?;
            let digest = cells.word(1, "key_hash", |text| text.parse().ok())?;
            self.next = Some((key, digest));
        }
        Ok(())
    }

    /// The secrets of a key. Keys have to come in their order.
    fn of(&mut self, id: &str) -> Result<Digests, RowError> {
        let mut found: Option<Digests> = None;
        let mut several: Vec<(i64, Opener)> = Vec::new();
        while let Some((key, digest)) = &self.next
            && key.as_str() <= id
        {
            // A secret of a key that there is not opens nothing.
            if key == id {
                let digest = *digest;
                let place = self.rotated.get(&digest).copied();
                if found.is_none() && place.is_none() && several.is_empty() {
                    found = Some(Digests::one(digest));
                } else {
                    let before = found.take().into_iter().flat_map(|one| one.to_vec());
                    several.extend(before.map(|one| (0, one)));
                    let (position, end) = place.unwrap_or_default();
                    several.push((position, (digest, end)));
                }
            }
            self.step()?;
        }
        Ok(found.unwrap_or_else(|| {
            several.sort_by_key(|(position, _)| *position);
            several.into_iter().map(|(_, opener)| opener).collect()
        }))
    }
}

/// A row that is one of a million: cells by their number, and text where it lies. What is wrong with one is said in the
/// words of [`Columns`].
struct Cells<'a> {
    row: &'a Row<'a>,
    columns: Columns<'a>,
}

impl<'a> Cells<'a> {
    /// A text; nothing where there is NULL, or what is no text.
    fn text(&self, cell: usize) -> Result<Option<&'a str>, RowError> {
        Ok(match self.row.get_ref(cell)? {
            ValueRef::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        })
    }

    fn word<T>(
        &self,
        cell: usize,
        column: &'static str,
        mut read: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, RowError> {
        match self.text(cell)?.and_then(&mut read) {
            Some(value) => Ok(value),
            None => self.columns.word(column, read),
        }
    }

    /// What most rows do not have.
    fn unless_null<T>(
        &self,
        cell: usize,
        read: impl FnOnce(&Columns<'a>) -> Result<Option<T>, RowError>,
    ) -> Result<Option<T>, RowError> {
        match self.row.get_ref(cell)? {
            ValueRef::Null => Ok(None),
            _ => read(&self.columns),
        }
    }

    fn limits(&self, cell: usize) -> Result<Limits, RowError> {
        match self.text(cell)? {
            Some("{}") => Ok(Limits::default()),
            _ => self.columns.json("limits", limits_from_json),
        }
    }
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

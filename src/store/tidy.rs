//! What is old goes, a little at a time, so that no posting waits long behind it.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use crate::domain::{Clock, ClockTrust, ClockWatch, DAY, NanoUsd, RequestId, Timestamp};

use super::{
    columns::{Columns, RowError, instant},
    credit::{self, EntryKind, EntryWords, USUAL_PRIORITY},
    notifications,
};

/// How often old records are looked for.
pub(super) const EVERY: Duration = Duration::from_secs(60);

/// How many rows go at once: some milliseconds of work.
const BATCH: u32 = 1000;

/// For how long the windows of counters are kept that a newer one has followed: a year and a month.
const KEEP_WINDOWS: Duration = Duration::from_secs(400 * 86_400);

/// For how long messages are kept that were delivered or given up: a month, so that the last invoice's are there.
const KEEP_NOTIFICATIONS: Duration = Duration::from_secs(32 * 86_400);

/// How far the wall clock may jump before nothing is deleted for a while: deleting cannot be undone.
const JUMP: Duration = Duration::from_secs(86_400);

/// What is kept how long, and when is looked next.
#[derive(Debug)]
pub(super) struct Tidy {
    keep_calls: Option<Duration>,
    next: Duration,
    clock_watch: ClockWatch,
}

impl Tidy {
    pub(super) const fn new(keep_calls: Option<Duration>) -> Self {
        Self {
            keep_calls,
            next: Duration::ZERO,
            clock_watch: ClockWatch::within(JUMP),
        }
    }

    /// Whether the wall clock has gone as time does for long enough to be believed. The first look compares it with the
    /// latest call.
    fn believes(&mut self, connection: &Connection, clock: &Clock) -> Result<bool, RowError> {
        let known = if self.clock_watch.is_new() {
            latest_call(connection)?
        } else {
            None
        };
        let trust = self.clock_watch.look(clock, known);
        if trust == ClockTrust::Jumped {
            tracing::warn!(
                now = %clock.now(),
                "the clock is more than a day from where it was; old records are kept until it has been steady for an hour"
            );
        }
        Ok(trust == ClockTrust::Trusted)
    }

    /// Whether there may be something to do.
    pub(super) fn is_due(&self, clock: &Clock) -> bool {
        clock.elapsed() >= self.next
    }

    /// Deletes one batch. It stays due while there is more.
    pub(super) fn step(
        &mut self,
        connection: &mut Connection,
        clock: &Clock,
    ) -> Result<usize, RowError> {
        self.next = clock.elapsed().saturating_add(EVERY);
        if !self.believes(connection, clock)? {
            return Ok(0);
        }
        let now = clock.now();
        let before = |age: Duration| now.minus(age).millis();
        let mut deleted = 0;
        if let Some(keep) = self.keep_calls {
            // Whole days: what carries the cost of deleted calls is then one entry for an account and day, not one
            // for each minute.
            let midnight = before(keep).div_euclid(DAY).saturating_mul(DAY);
            deleted = calls(connection, Timestamp::from_millis(midnight), now)?;
        }
        deleted = deleted.max(windows(connection, before(KEEP_WINDOWS))?);
        let old = instant(Timestamp::from_millis(before(KEEP_NOTIFICATIONS)));
        deleted = deleted.max(notifications::delete_old(connection, &old, BATCH)?);
        if deleted >= BATCH as usize {
            self.next = Duration::ZERO;
        }
        Ok(deleted)
    }
}

/// When the newest call was admitted, or the newest entry of credit posted.
pub(super) fn newest(connection: &Connection) -> Result<Option<Timestamp>, RowError> {
    let mut select =
        connection.prepare("SELECT number, at FROM credit_entries ORDER BY number DESC LIMIT 1")?;
    let mut rows = select.query(())?;
    let row = rows.next()?;
    let entry = row
        .map(|row| Columns::new(row, "credit_entries", "number").instant("at"))
        .transpose()?;
    Ok(entry.max(latest_call(connection)?))
}

/// When the latest call was admitted.
fn latest_call(connection: &Connection) -> Result<Option<Timestamp>, RowError> {
    let mut select = connection.prepare("SELECT max(last_at) AS last_at FROM call_chapters")?;
    let mut rows = select.query(())?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let at: Option<String> = row.get(0)?;
    match at.filter(|at| !at.is_empty()) {
        Some(_) => Columns::new(row, "call_chapters", "last_at").optional_instant("last_at"),
        None => Ok(None),
    }
}

/// Since when all calls are kept; `None` while none has been deleted.
pub(super) fn kept_since(connection: &Connection) -> Result<Option<Timestamp>, RowError> {
    let mut select = connection.prepare("SELECT at FROM kept_since WHERE what = 'calls'")?;
    let mut rows = select.query(())?;
    let row = rows.next()?;
    row.map(|row| Columns::new(row, "kept_since", "at").instant("at"))
        .transpose()
}

/// Deletes a batch of the windows of counters that began before then.
fn windows(connection: &mut Connection, end: i64) -> rusqlite::Result<usize> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut deleted = 0;
    {
        let mut windows = transaction.prepare_cached(DELETE_WINDOWS)?;
        let mut sum = transaction.prepare_cached("DELETE FROM counter_sums WHERE number = ?")?;
        let mut numbers = windows.query((instant(Timestamp::from_millis(end)), BATCH))?;
        while let Some(row) = numbers.next()? {
            deleted += sum.execute([row.get::<_, i64>(0)?])?;
        }
    }
    transaction.commit()?;
    Ok(deleted)
}

/// Deletes a batch of the calls that were admitted before `end`, account by account.
fn calls(connection: &mut Connection, end: Timestamp, now: Timestamp) -> Result<usize, RowError> {
    let before = instant(end);
    let oldest = |connection: &Connection| {
        let mut select = connection.prepare_cached(ACCOUNT_OF_OLDEST)?;
        let account = select.query_row([&before], |row| row.get::<_, String>(0));
        account.optional()
    };
    if oldest(connection)?.is_none() {
        return Ok(0);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(NOTE_KEPT_SINCE, [&before])?;
    let mut deleted = 0_usize;
    while let Some(left) = BATCH.checked_sub(u32::try_from(deleted).unwrap_or(BATCH))
        && left > 0
        && let Some(account) = oldest(&transaction)?
    {
        let batch = (&*account, &*before, left);
        carry(&transaction, batch, now)?;
        deleted += transaction.prepare_cached(DELETE_CALLS)?.execute(batch)?;
    }
    transaction.execute(DELETE_CHAPTERS, [&before])?;
    transaction.commit()?;
    Ok(deleted)
}

/// The oldest calls of an account: whose, before when, how many.
type Batch<'a> = (&'a str, &'a str, u32);

/// Posts what calls that are about to go have cost, so that the balance can still be derived. It moves no balance and no
/// lot: the calls did.
fn carry(transaction: &Transaction<'_>, batch: Batch<'_>, now: Timestamp) -> Result<(), RowError> {
    let mut select = transaction.prepare_cached(OLD_COSTS)?;
    let mut rows = select.query(batch)?;
    let (mut cost, mut lots) = (NanoUsd::ZERO, credit::Sums::default());
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "calls", "id");
        let charged: Option<i64> = columns.plain("cost_nano_usd")?;
        cost = cost.saturating_add(NanoUsd::from_nanos(charged.unwrap_or(0)));
        if let Some(draws) = columns.optional("credit_draws", credit::unpack)? {
            lots.add(&draws);
        }
    }
    if cost == NanoUsd::ZERO {
        return Ok(());
    }
    let words = EntryWords {
        id: &format!("carried:{}", RequestId::new(now)),
        account: batch.0,
        kind: EntryKind::UsageCarried,
        amount: cost.saturating_neg(),
        at: now,
        author: "faregate",
        reason: Some("the cost of calls whose records are no longer kept"),
        expires_at: None,
        priority: USUAL_PRIORITY,
        related: None,
    };
    credit::insert(transaction, &words, &lots.draws())?;
    Ok(())
}

// Of the oldest chapter, it need not be the oldest call.
const ACCOUNT_OF_OLDEST: &str =
    "SELECT account FROM call_chapters CROSS JOIN calls ON chapter = call_chapters.number
    WHERE since < ?1 AND at < ?1 ORDER BY since LIMIT 1";

const OLD_COSTS: &str = "SELECT id, cost_nano_usd, credit_draws FROM (
        SELECT calls.* FROM call_chapters CROSS JOIN calls ON chapter = call_chapters.number
        WHERE account = ?1 AND since < ?2 AND at < ?2 ORDER BY since, calls.number LIMIT ?3)
    WHERE credit_charged = 1";

const DELETE_CALLS: &str = "DELETE FROM calls WHERE number IN (
        SELECT calls.number FROM call_chapters CROSS JOIN calls ON chapter = call_chapters.number
        WHERE account = ?1 AND since < ?2 AND at < ?2 ORDER BY since, calls.number LIMIT ?3)";

// The first one stays, and has the time of those that went.
const DELETE_CHAPTERS: &str = "DELETE FROM call_chapters WHERE since > '' AND since < ?
    AND NOT EXISTS (SELECT 1 FROM calls WHERE chapter = call_chapters.number)";

// It never goes back: a retention that is made longer brings nothing back.
const NOTE_KEPT_SINCE: &str = "INSERT INTO kept_since (what, at) VALUES ('calls', ?)
    ON CONFLICT DO UPDATE SET at = max(at, excluded.at)";

// The newest window of a counter stays, however old: a billing period may be longer than any age.
const DELETE_WINDOWS: &str = "DELETE FROM counter_windows
    WHERE (owner_kind, owner, unit, per, window_start) IN (
        SELECT owner_kind, owner, unit, per, window_start FROM counter_windows AS old
        WHERE window_start < ? AND EXISTS (
            SELECT 1 FROM counter_windows AS newer
            WHERE newer.owner_kind = old.owner_kind AND newer.owner = old.owner AND newer.unit = old.unit
                AND newer.per = old.per AND newer.window_start > old.window_start)
        LIMIT ?)
    RETURNING sum";

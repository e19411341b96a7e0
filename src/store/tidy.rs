//! What is old goes, a little at a time, so that no posting waits long behind it.

use std::time::Duration;

use rusqlite::Connection;

use crate::domain::{Clock, Timestamp};

use super::{columns::instant, notifications};

/// How often is looked for what is old.
pub(super) const EVERY: Duration = Duration::from_secs(60);

/// How many rows go at once: some milliseconds of work.
const BATCH: u32 = 1000;

/// For how long the windows of counters are kept that a newer one has followed: a year and a month.
const KEEP_WINDOWS: Duration = Duration::from_secs(400 * 86_400);

/// For how long messages are kept that were delivered or given up: a month, so that the last invoice's are there.
const KEEP_NOTIFICATIONS: Duration = Duration::from_secs(32 * 86_400);

/// What is kept how long, and when is looked next.
#[derive(Debug)]
pub(super) struct Tidy {
    keep_calls: Option<Duration>,
    next: Duration,
}

impl Tidy {
    pub(super) const fn new(keep_calls: Option<Duration>) -> Self {
        Self {
            keep_calls,
            next: Duration::ZERO,
        }
    }

    /// Whether there may be something to do.
    pub(super) fn is_due(&self, clock: &Clock) -> bool {
        clock.elapsed() >= self.next
    }

    /// Deletes one batch. It stays due while there is more.
    pub(super) fn step(
        &mut self,
        connection: &Connection,
        clock: &Clock,
    ) -> rusqlite::Result<usize> {
        self.next = clock.elapsed().saturating_add(EVERY);
        let now = clock.now().millis();
        let before = |age: Duration| {
            let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            instant(Timestamp::from_millis(now.saturating_sub(age)))
        };
        let mut deleted = 0;
        if let Some(keep) = self.keep_calls {
            deleted = connection
                .prepare_cached(DELETE_CALLS)?
                .execute((before(keep), BATCH))?;
        }
        deleted = deleted.max(
            connection
                .prepare_cached(DELETE_WINDOWS)?
                .execute((before(KEEP_WINDOWS), BATCH))?,
        );
        let old = before(KEEP_NOTIFICATIONS);
        deleted = deleted.max(notifications::delete_old(connection, &old, BATCH)?);
        if deleted >= BATCH as usize {
            self.next = Duration::ZERO;
        }
        Ok(deleted)
    }
}

const DELETE_CALLS: &str =
    "DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE at < ? ORDER BY at LIMIT ?)";

// The newest window of a counter stays, however old: a billing period may be longer than any age.
const DELETE_WINDOWS: &str = "DELETE FROM counters
    WHERE (owner_kind, owner, unit, per, window_start) IN (
        SELECT owner_kind, owner, unit, per, window_start FROM counters AS old
        WHERE window_start < ? AND EXISTS (
            SELECT 1 FROM counters AS newer
            WHERE newer.owner_kind = old.owner_kind AND newer.owner = old.owner AND newer.unit = old.unit
                AND newer.per = old.per AND newer.window_start > old.window_start)
        LIMIT ?)";

//! Messages and marks as rows.

use rusqlite::{Connection, Row, Transaction, params, params_from_iter};

use crate::domain::{AccountId, RequestId, Timestamp};

use super::{
    Attempted, DamagedNotification, DueNotifications, Mark, NewNotification, NotificationFilter,
    NotificationId, NotificationRow, NotificationStatus,
};
use crate::store::{
    calls::{Conditions, Cursor, LONGEST_PAGE, Page},
    columns::{Columns, RowError, instant},
};

/// What is said of messages whose target has gone from the file.
const NO_TARGET: &str = "the configuration has no such target any more";

pub(super) fn marks(connection: &Connection) -> Result<Vec<Mark>, RowError> {
    let mut select = connection.prepare("SELECT slot, at, level FROM notification_marks")?;
    let read = select.query_map([], |row| {
        Ok(Mark {
            slot: row.get(0)?,
            at: row.get(1)?,
            level: row.get(2)?,
        })
    })?;
    Ok(read.collect::<Result<_, _>>()?)
}

pub(super) fn enqueue(
    transaction: &Transaction<'_>,
    messages: &[NewNotification],
    marks: &[Mark],
    now: Timestamp,
) -> rusqlite::Result<()> {
    let now = instant(now);
    let mut insert = transaction.prepare_cached(
        "INSERT OR IGNORE INTO notifications (id, type, account, key, target, recipient, body, status, attempts,
            next_at, created_at, finished_at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, iif(gone, 'disabled', 'pending'), 0, ?8, ?8, iif(gone, ?8, NULL)
         FROM (SELECT EXISTS (SELECT 1 FROM notification_targets_gone WHERE target = ?5) AS gone)",
    )?;
    for message in messages {
        let NewNotification {
            id,
            event,
            account,
            key,
            target,
            recipient,
            body,
        } = message;
        insert.execute(params![
            id.to_string(),
            event,
            account.as_ref().map(|account| account.as_str()),
            key.as_ref().map(|key| key.as_str()),
            target,
            recipient,
            body,
            now,
        ])?;
    }
    let mut put = transaction.prepare_cached(
        "INSERT INTO notification_marks (slot, at, level) VALUES (?, ?, ?)
         ON CONFLICT (slot) DO UPDATE SET at = excluded.at, level = excluded.level",
    )?;
    for Mark { slot, at, level } in marks {
        put.execute(params![slot, at, level])?;
    }
    Ok(())
}

pub(super) fn due(
    connection: &Connection,
    targets: &[String],
    most: usize,
    now: Timestamp,
) -> Result<DueNotifications, RowError> {
    let mut found = DueNotifications::default();
    let now = instant(now);
    let mut select = connection.prepare_cached(
        "SELECT * FROM notifications WHERE status = 'pending' AND target = ? AND next_at <= ?
         ORDER BY next_at, id LIMIT ?",
    )?;
    let mut later = connection.prepare_cached(
        "SELECT id, next_at FROM notifications WHERE status = 'pending' AND target = ? AND next_at > ?
         ORDER BY next_at LIMIT 1",
    )?;
    for target in targets {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut rows = select.query(params![target, now, most])?;
        while let Some(row) = rows.next()? {
            match message(&columns(row)) {
                Ok(message) => found.rows.push(message),
                Err(error) => found.damaged.push(damaged(row, &error)),
            }
        }
        let mut rows = later.query(params![target, now])?;
        if let Some(row) = rows.next()? {
            match columns(row).instant("next_at") {
                Ok(next) => found.next = Some(found.next.map_or(next, |known| known.min(next))),
                Err(error) => found.damaged.push(damaged(row, &error)),
            }
        }
    }
    let pending: i64 = connection
        .prepare_cached("SELECT count(*) FROM notifications WHERE status = 'pending'")?
        .query_row([], |row| row.get(0))?;
    found.pending = u64::try_from(pending).unwrap_or(0);
    Ok(found)
}

pub(super) fn attempted(
    transaction: &Transaction<'_>,
    id: NotificationId,
    due: Option<Timestamp>,
    attempted: &Attempted,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (status, next, error) = match attempted {
        Attempted::Delivered => (NotificationStatus::Delivered, None, None),
        Attempted::Again { at, error } => (NotificationStatus::Pending, Some(*at), Some(error)),
        Attempted::Failed { error } => (NotificationStatus::Failed, None, Some(error)),
        Attempted::TargetGone { error } => (NotificationStatus::Disabled, None, Some(error)),
    };
    let (id, at) = (id.to_string(), instant(now));
    // Asked for again, it is due at another time.
    let asked_again = transaction
        .prepare_cached(
            "UPDATE notifications SET last_error = ?3, next_at = ?4
             WHERE id = ?1 AND status = 'pending' AND next_at <> ?2 AND ?3 IS NOT NULL",
        )?
        .execute(params![id, due.map(instant), error, at])?;
    if asked_again > 0 {
        return Ok(());
    }
    // What was given up while it was on its way stays so, unless it got there.
    transaction
        .prepare_cached(
            "UPDATE notifications SET status = iif(?3 IS NULL, ?2, status), attempts = attempts + 1,
                next_at = coalesce(?3, next_at), last_error = ?4, finished_at = iif(?3 IS NULL, ?5, finished_at)
             WHERE id = ?1",
        )?
        .execute(params![id, status.as_str(), next.map(instant), error, at])?;
    if matches!(attempted, Attempted::TargetGone { .. }) {
        transaction.execute(
            "INSERT OR IGNORE INTO notification_targets_gone (target, at)
             SELECT target, ?2 FROM notifications WHERE id = ?1",
            params![id, at],
        )?;
        transaction.execute(
            "UPDATE notifications SET status = 'disabled', finished_at = ?2
             WHERE status = 'pending' AND target = (SELECT target FROM notifications WHERE id = ?1)",
            params![id, at],
        )?;
    }
    Ok(())
}

pub(super) fn set_aside(
    transaction: &Transaction<'_>,
    damaged: &[DamagedNotification],
    now: Timestamp,
) -> rusqlite::Result<usize> {
    let mut update = transaction.prepare_cached(
        "UPDATE notifications SET status = 'failed', finished_at = ?, last_error = ? WHERE id = CAST(? AS TEXT)",
    )?;
    let mut found = 0;
    for DamagedNotification { id, words } in damaged {
        found += update.execute((instant(now), words, id))?;
    }
    Ok(found)
}

pub(super) fn keep_targets(
    transaction: &Transaction<'_>,
    targets: &[String],
    now: Timestamp,
) -> rusqlite::Result<()> {
    let places = vec!["?"; targets.len()].join(", ");
    let sql = format!(
        "UPDATE notifications SET status = 'failed', finished_at = ?, last_error = ?
         WHERE status = 'pending' AND target NOT IN ({places})"
    );
    let at = instant(now);
    let values = [at.as_str(), NO_TARGET].into_iter();
    let values = values.chain(targets.iter().map(String::as_str));
    transaction.execute(&sql, params_from_iter(values))?;
    Ok(())
}

pub(super) fn retry(
    transaction: &Transaction<'_>,
    id: NotificationId,
    now: Timestamp,
) -> Result<Option<NotificationRow>, RowError> {
    let id = id.to_string();
    let changed = transaction.execute(
        "UPDATE notifications SET status = 'pending', attempts = 0, next_at = ?2, finished_at = NULL
         WHERE id = ?1 AND status <> 'delivered'",
        params![id, instant(now)],
    )?;
    if changed > 0 {
        transaction.execute(
            "DELETE FROM notification_targets_gone
             WHERE target = (SELECT target FROM notifications WHERE id = ?)",
            [&id],
        )?;
    }
    let mut select = transaction.prepare_cached("SELECT * FROM notifications WHERE id = ?")?;
    let mut rows = select.query([&id])?;
    match rows.next()? {
        Some(row) => message(&columns(row)).map(Some),
        None => Ok(None),
    }
}

pub(super) fn page(
    connection: &Connection,
    filter: &NotificationFilter,
) -> Result<Page<NotificationRow>, RowError> {
    let NotificationFilter {
        status,
        account,
        limit,
        cursor,
    } = filter;
    let mut conditions = Conditions::default();
    conditions.equal("status", status.map(NotificationStatus::as_str));
    conditions.equal("account", account.as_ref().map(AccountId::as_str));
    if let Some(cursor) = cursor {
        let id = NotificationId(cursor.id).to_string();
        conditions.add("(created_at, id) < (?, ?)", [instant(cursor.at), id]);
    }
    let limit = (*limit).clamp(1, LONGEST_PAGE);
    let sql = format!(
        "SELECT * FROM notifications {conditions} ORDER BY created_at DESC, id DESC LIMIT {}",
        limit + 1
    );
    let mut select = connection.prepare(&sql)?;
    let mut rows = select.query(params_from_iter(conditions.values))?;
    let mut data: Vec<NotificationRow> = Vec::new();
    let mut next_cursor = None;
    while let Some(row) = rows.next()? {
        if data.len() == limit {
            next_cursor = data.last().map(|last| Cursor {
                at: last.created_at,
                id: last.id.0,
            });
            break;
        }
        let shown = message(&columns(row));
        data.push(shown.unwrap_or_else(|error| legible(row, &error, data.last())));
    }
    Ok(Page { data, next_cursor })
}

/// Deletes messages that were finished before `before`, at most `most` of them.
pub(in crate::store) fn delete_old(
    connection: &Connection,
    before: &str,
    most: u32,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM notifications WHERE id IN (
                SELECT id FROM notifications WHERE created_at < ? AND finished_at IS NOT NULL
                ORDER BY created_at LIMIT ?)",
        )?
        .execute(params![before, most])
}

/// What can be said of a row that cannot be read.
fn damaged(row: &Row<'_>, error: &RowError) -> DamagedNotification {
    DamagedNotification {
        id: bytes(row, "id").to_owned(),
        words: error.to_string(),
    }
}

/// What can be shown of a row that cannot be read, in its place behind the one `before` it.
fn legible(row: &Row<'_>, error: &RowError, before: Option<&NotificationRow>) -> NotificationRow {
    let columns = columns(row);
    let some = |name| Some(text(row, name)).filter(|text| !text.is_empty());
    let nobody = NotificationId(RequestId::from_bytes([0; 16]));
    let made = before.map_or(Timestamp::from_millis(i64::MAX), |row| row.created_at);
    NotificationRow {
        id: text(row, "id").parse().unwrap_or(nobody),
        event: text(row, "type"),
        account: some("account"),
        key: some("key"),
        target: text(row, "target"),
        recipient: some("recipient"),
        status: NotificationStatus::Failed,
        attempts: 0,
        next_at: None,
        last_error: Some(error.to_string()),
        created_at: columns.instant("created_at").unwrap_or(made),
        finished_at: columns.optional_instant("finished_at").unwrap_or(None),
        body: text(row, "body"),
    }
}

/// A text as far as it is one.
fn text(row: &Row<'_>, column: &str) -> String {
    String::from_utf8_lossy(bytes(row, column)).into_owned()
}

fn bytes<'a>(row: &'a Row<'_>, column: &str) -> &'a [u8] {
    let value = row.get_ref(column).ok();
    let bytes = value.and_then(|value| value.as_bytes_or_null().ok().flatten());
    bytes.unwrap_or_default()
}

fn columns<'a>(row: &'a Row<'a>) -> Columns<'a> {
    Columns::new(row, "notifications", "id")
}

fn message(columns: &Columns<'_>) -> Result<NotificationRow, RowError> {
    let status = columns.word("status", NotificationStatus::parse)?;
    let attempts = columns.count("attempts")?;
    let next_at = columns.instant("next_at")?;
    Ok(NotificationRow {
        id: columns.word("id", |id| id.parse().ok())?,
        event: columns.plain("type")?,
        account: columns.plain("account")?,
        key: columns.plain("key")?,
        target: columns.plain("target")?,
        recipient: columns.plain("recipient")?,
        status,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        next_at: (status == NotificationStatus::Pending).then_some(next_at),
        last_error: columns.plain("last_error")?,
        created_at: columns.instant("created_at")?,
        finished_at: columns.optional_instant("finished_at")?,
        body: columns.plain("body")?,
    })
}

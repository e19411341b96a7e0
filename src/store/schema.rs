//! The shape of the database and its version.

use rusqlite::{Connection, TransactionBehavior};

/// "FARE": tells our database from every other program's.
pub(super) const APPLICATION_ID: i32 = 0x4641_5245;

/// What leads from each version to the next; the first makes version 1 of nothing.
const MIGRATIONS: [&str; 6] = [
    include_str!("../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../migrations/sqlite/0002_money.sql"),
    include_str!("../../migrations/sqlite/0003_payments.sql"),
    include_str!("../../migrations/sqlite/0004_notifications.sql"),
    include_str!("../../migrations/sqlite/0005_explain.sql"),
    include_str!("../../migrations/sqlite/0006_places.sql"),
];

/// The version that this program reads and writes.
pub(super) const VERSION: u32 = MIGRATIONS.len() as u32;

/// What a database says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) application: i32,
    pub(super) version: u32,
}

impl Stamp {
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let application =
            connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(Self {
            application,
            // A negative version is nobody's; as the largest it is refused as newer than ours.
            version: u32::try_from(version).unwrap_or(u32::MAX),
        })
    }
}

/// Brings a database of ours, or an empty one, to our version; each step whole or not at all.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let from = Stamp::of(connection)?.version;
    if (1..VERSION).contains(&from) {
        tracing::info!(
            from,
            to = VERSION,
            "the store is migrated to a new version, which takes a while where it has many calls"
        );
    }
    for version in from.saturating_add(1)..=VERSION {
        let Some(sql) = MIGRATIONS.get(version as usize - 1) else {
            break;
        };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
        tracing::info!(version, "the store has been migrated");
    }
    Ok(())
}

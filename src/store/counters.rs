//! Counters as they are found at the start.

use rusqlite::Connection;

use crate::domain::{AccountId, KeyId, Per, Timestamp, Unit};

use super::{
    columns::{Columns, RowError, instant},
    record::{CounterName, CounterRow, Owner},
};

/// The newest window of each counter that has begun at `now`. A later one, left by a clock that ran ahead, cannot be
/// the window of a call that is admitted now.
pub(super) fn current(
    connection: &Connection,
    now: Timestamp,
) -> Result<Vec<CounterRow>, RowError> {
    // With max(), SQLite takes the other columns from the row that has the maximum.
    let mut select = connection.prepare(
        "SELECT owner_kind, owner, unit, per, max(window_start) AS window_start, used
         FROM counters WHERE window_start <= ?
         GROUP BY owner_kind, owner, unit, per",
    )?;
    let mut rows = select.query([instant(now)])?;
    let mut counters = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "counters", "owner");
        let account = |id: &str| AccountId::parse(id).ok().map(Owner::Account);
        let key = |id: &str| KeyId::parse(id).ok().map(Owner::Key);
        let kind: String = columns.plain("owner_kind")?;
        let owner = match kind.as_str() {
            "account" => columns.word("owner", account)?,
            "key" => columns.word("owner", key)?,
            _ => {
                return Err(
                    columns.damaged("owner_kind", format!("is {kind:?}, which is not known"))
                );
            }
        };
        counters.push(CounterRow {
            name: CounterName {
                owner,
                unit: columns.word("unit", Unit::parse)?,
                per: columns.word("per", Per::parse)?,
            },
            window_start: columns.instant("window_start")?,
            used: columns.count("used")?,
        });
    }
    Ok(counters)
}

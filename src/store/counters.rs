//! Counters: how they are moved, and how they are found at the start.

use std::{collections::HashMap, time::Duration};

use rusqlite::{Connection, OptionalExtension, Transaction};
use smallvec::SmallVec;

use crate::domain::{AccountId, KeyId, Per, Timestamp, Unit};

use super::{
    columns::{Columns, RowError, instant, number},
    record::{CounterChange, CounterName, CounterRow, Owner},
};

/// How many windows are remembered; some megabytes.
const REMEMBERED: usize = 1 << 16;

/// The windows that moved of late: which row of `counter_sums` each is, and by how much the calls of the transaction at
/// hand move it. To be forgotten when that fails.
#[derive(Debug, Default)]
pub(super) struct Counters {
    windows: Vec<Window>,
    /// Where the windows of a counter are, one or two.
    places: HashMap<CounterName, SmallVec<[u32; 2]>>,
    /// Where those are that move.
    moved: Vec<u32>,
    /// Those of them whose row is not known.
    strange: Vec<(CounterName, u32)>,
}

#[derive(Debug)]
struct Window {
    start: Timestamp,
    /// `None` until it is known.
    row: Option<i64>,
    add: u64,
}

impl Counters {
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// A call moves a counter. Nothing is written before [`Self::write`].
    pub(super) fn add(&mut self, change: &CounterChange) {
        let CounterChange {
            name,
            window_start,
            add,
        } = change;
        let windows = &self.windows;
        let is_its = |place: &&u32| windows[**place as usize].start == *window_start;
        let known = self.places.get(name);
        let known = known.and_then(|places| places.iter().find(is_its).copied());
        let place = known.unwrap_or_else(|| {
            let place = u32::try_from(self.windows.len()).unwrap_or(u32::MAX);
            self.windows.push(Window {
                start: *window_start,
                row: None,
                add: 0,
            });
            self.places.entry(name.clone()).or_default().push(place);
            self.strange.push((name.clone(), place));
            place
        });
        let window = &mut self.windows[place as usize];
        if window.add == 0 {
            self.moved.push(place);
        }
        window.add = window.add.saturating_add(*add);
    }

    /// Writes each window that moves once.
    pub(super) fn write(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut add = transaction.prepare_cached(ADD_TO_SUM)?;
        for place in &self.moved {
            let window = &mut self.windows[*place as usize];
            let Some(row) = window.row else { continue };
            if add.execute((number(window.add), row))? > 0 {
                window.add = 0;
                continue;
            }
            // Somebody deleted it.
            window.row = None;
            let mut names = self.places.iter();
            let name = names.find(|(_, places)| places.contains(place));
            self.strange
                .extend(name.map(|(name, _)| (name.clone(), *place)));
        }
        self.moved.clear();
        if self.strange.is_empty() {
            return Ok(());
        }
        // Those of an owner get rows beside each other.
        let order = |(name, _): &(CounterName, u32), (other, _): &(CounterName, u32)| {
            columns(name).cmp(&columns(other))
        };
        self.strange.sort_unstable_by(order);
        for (name, place) in self.strange.drain(..) {
            let window = &mut self.windows[place as usize];
            window.row = Some(add_to(transaction, &name, window)?);
            window.add = 0;
        }
        if self.windows.len() > REMEMBERED {
            self.forget();
        }
        Ok(())
    }
}

/// Adds to a window whose row is not known, and makes it where there is none; its row.
fn add_to(
    transaction: &Transaction<'_>,
    name: &CounterName,
    window: &Window,
) -> rusqlite::Result<i64> {
    let (kind, owner, unit, per) = columns(name);
    let start = instant(window.start);
    let add = number(window.add);
    let found: Option<i64> = transaction
        .prepare_cached(FIND_WINDOW)?
        .query_row((kind, owner, unit, per, &start), |row| row.get(0))
        .optional()?;
    if let Some(row) = found {
        let mut add_or_insert = transaction.prepare_cached(ADD_OR_INSERT_SUM)?;
        add_or_insert.execute((row, add))?;
        return Ok(row);
    }
    let row = transaction.prepare_cached(INSERT_SUM)?.insert([add])?;
    let mut insert = transaction.prepare_cached(INSERT_WINDOW)?;
    insert.execute((kind, owner, unit, per, &start, row))?;
    Ok(row)
}

/// How a counter's name stands in its columns: the kind of owner, the owner, the unit and the length of windows.
fn columns(name: &CounterName) -> (&'static str, &str, &'static str, &'static str) {
    let (kind, owner) = match &name.owner {
        Owner::Account(id) => ("account", id.as_str()),
        Owner::Key(id) => ("key", id.as_str()),
    };
    (kind, owner, name.unit.as_str(), name.per.as_str())
}

// A sum that overflowed would turn into a floating-point number; it stops at the column's end instead.
const ADD_TO_SUM: &str =
    "UPDATE counter_sums SET used = min(used, 9223372036854775807 - ?1) + ?1 WHERE number = ?2";

const ADD_OR_INSERT_SUM: &str = "INSERT INTO counter_sums (number, used) VALUES (?, ?)
    ON CONFLICT DO UPDATE SET used = min(used, 9223372036854775807 - excluded.used) + excluded.used";

const FIND_WINDOW: &str = "SELECT sum FROM counter_windows
    WHERE owner_kind = ? AND owner = ? AND unit = ? AND per = ? AND window_start = ?";

const INSERT_SUM: &str = "INSERT INTO counter_sums (used) VALUES (?)";

const INSERT_WINDOW: &str =
    "INSERT INTO counter_windows (owner_kind, owner, unit, per, window_start, sum)
    VALUES (?, ?, ?, ?, ?, ?)";

/// How far a clock may be put back by whoever sets it right.
const SET_BACK: Duration = Duration::from_secs(86_400);

/// The newest window of each counter that has begun at `now`, or will within a day: a clock that was put back by less goes
/// on in the window that it had begun, and does not begin it twice. A later one, left by a clock that ran ahead, cannot
/// be the window of a call that is admitted now.
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
    let mut rows = select.query([instant(now.plus(SET_BACK))])?;
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

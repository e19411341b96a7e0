//! Counters: how they are moved, and how they are found at the start.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::domain::{AccountId, KeyId, Per, Timestamp, Unit};

use super::{
    columns::{Columns, RowError, instant, number},
    pace::Pace,
    record::{CounterChange, CounterName, CounterRow, Owner},
};

/// How many windows are remembered; some megabytes.
const REMEMBERED: usize = 1 << 16;

/// The windows that moved of late: which row of `counter_sums` each is, and by how much the calls of the transaction at
/// hand move it. To be forgotten when that fails.
#[derive(Debug, Default)]
pub(super) struct Counters {
    owners: Vec<Owned>,
    /// Where an owner is among them. Who names accounts and keys administers this gateway: a hash that can be foreseen does.
    places: FxHashMap<Owner, usize>,
    /// The windows that move: whose, and which of those.
    moved: Vec<(usize, usize)>,
    windows: usize,
}

/// An owner's windows, one or two of each counter. They are beside each other, because a call moves most of them.
#[derive(Debug)]
struct Owned {
    owner: Owner,
    windows: SmallVec<[Window; 4]>,
}

#[derive(Debug)]
struct Window {
    unit: Unit,
    per: Per,
    start: Timestamp,
    /// `None` until it is known.
    row: Option<i64>,
    add: u64,
}

impl Counters {
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// A call moves some counters. Nothing is written before [`Self::write`].
    pub(super) fn add(&mut self, changes: &[CounterChange]) {
        let mut place = None;
        for change in changes {
            let CounterName { owner, unit, per } = &change.name;
            // Those of one owner come one after the other.
            let same = place.filter(|place: &usize| self.owners[*place].owner == *owner);
            let at = same.unwrap_or_else(|| self.place(owner));
            place = Some(at);
            let windows = &mut self.owners[at].windows;
            // The newest is the last.
            let known = windows.iter().rposition(|window| {
                (window.unit, window.per, window.start) == (*unit, *per, change.window_start)
            });
            let which = known.unwrap_or_else(|| {
                windows.push(Window {
                    unit: *unit,
                    per: *per,
                    start: change.window_start,
                    row: None,
                    add: 0,
                });
                self.windows += 1;
                windows.len() - 1
            });
            let window = &mut windows[which];
            if window.add == 0 {
                self.moved.push((at, which));
            }
            window.add = window.add.saturating_add(change.add);
        }
    }

    fn place(&mut self, owner: &Owner) -> usize {
        if let Some(place) = self.places.get(owner) {
            return *place;
        }
        let place = self.owners.len();
        self.places.insert(owner.clone(), place);
        self.owners.push(Owned {
            owner: owner.clone(),
            windows: SmallVec::new(),
        });
        place
    }

    /// Writes each window that moves once.
    pub(super) fn write(
        &mut self,
        transaction: &Transaction<'_>,
        pace: Pace,
    ) -> rusqlite::Result<()> {
        let mut add = transaction.prepare_cached(ADD_TO_SUM)?;
        let mut strange = Vec::new();
        for (place, which) in self.moved.drain(..) {
            pace.give_way();
            let window = &mut self.owners[place].windows[which];
            let is_there = match window.row {
                Some(row) => add.execute((number(window.add), row))? > 0,
                None => false,
            };
            if is_there {
                window.add = 0;
            } else {
                // It is new, or somebody deleted it.
                strange.push((place, which));
            }
        }
        // Those of an owner get rows beside each other.
        strange.sort_unstable_by(|one, other| self.columns(*one).cmp(&self.columns(*other)));
        for (place, which) in strange {
            let row = add_to(
                transaction,
                self.columns((place, which)),
                self.window((place, which)),
            )?;
            let window = &mut self.owners[place].windows[which];
            window.row = Some(row);
            window.add = 0;
        }
        if self.windows > REMEMBERED {
            self.forget();
        }
        Ok(())
    }

    fn window(&self, (place, which): (usize, usize)) -> &Window {
        &self.owners[place].windows[which]
    }

    /// How a window's counter stands in its columns.
    fn columns(&self, at: (usize, usize)) -> Columned<'_> {
        let window = self.window(at);
        let (kind, owner) = match &self.owners[at.0].owner {
            Owner::Account(id) => ("account", id.as_str()),
            Owner::Key(id) => ("key", id.as_str()),
        };
        (kind, owner, window.unit.as_str(), window.per.as_str())
    }
}

/// The kind of a counter's owner, the owner, the unit and the length of windows.
type Columned<'a> = (&'static str, &'a str, &'static str, &'static str);

/// Adds to a window whose row is not known, and makes it where there is none; its row.
fn add_to(
    transaction: &Transaction<'_>,
    (kind, owner, unit, per): Columned<'_>,
    window: &Window,
) -> rusqlite::Result<i64> {
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

/// The newest two windows of each counter that have begun at `now`, or will within a day: a clock that was put back by less
/// goes on in a window that it had begun, and does not begin it twice. A later one, left by a clock that ran ahead, cannot
/// be the window of a call that is admitted now.
pub(super) fn current(
    connection: &Connection,
    now: Timestamp,
) -> Result<Vec<CounterRow>, RowError> {
    // One pass over the windows, and a look for each second one: to number the windows of a counter sorts all of them.
    let mut select = connection.prepare(
        "WITH newest AS (
             SELECT owner_kind, owner, unit, per, max(window_start) AS begun FROM counter_windows
             WHERE window_start <= ? GROUP BY owner_kind, owner, unit, per
         ), newest_two AS (
             SELECT * FROM newest
             UNION ALL
             SELECT owner_kind, owner, unit, per, (
                 SELECT max(window_start) FROM counter_windows AS older
                 WHERE (older.owner_kind, older.owner, older.unit, older.per)
                     = (newest.owner_kind, newest.owner, newest.unit, newest.per) AND window_start < begun
             ) FROM newest
         )
         SELECT owner_kind, owner, unit, per, window_start, used
         FROM newest_two JOIN counters USING (owner_kind, owner, unit, per) WHERE window_start = begun",
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

//! Counters beside the calls of their windows: no more may be counted than was called.

use std::collections::{BTreeMap, HashMap};

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rusqlite::{Connection, OptionalExtension};

/// A call is counted in the window in which it was admitted, and its record has when it arrived, which is before. The
/// rest is for clocks that are set.
const EARLIER: i64 = 1;

/// All windows that can be compared.
#[derive(Debug, Default)]
pub(super) struct Windows {
    /// By kind of owner, then by owner: account, key.
    owners: [HashMap<String, Vec<Series>>; 2],
}

/// The windows of one counter, by their start.
#[derive(Debug)]
struct Series {
    unit: Unit,
    per: String,
    windows: Vec<Window>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Requests,
    Tokens,
    Usd,
}

#[derive(Debug)]
struct Window {
    start: String,
    /// From when on calls may count in it.
    from: String,
    /// `None`: a billing period, of which the store has the start alone.
    end: Option<String>,
    used: i128,
    called: i128,
}

/// A counter that has more than its calls.
#[derive(Debug)]
pub(super) struct Excess {
    pub(super) owner: String,
    pub(super) what: String,
    pub(super) stored: i128,
    pub(super) derived: i128,
    pub(super) is_money: bool,
}

impl Windows {
    /// The windows whose calls are all there still.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let kept_since: Option<String> = connection
            .query_row(
                "SELECT at FROM kept_since WHERE what = 'calls'",
                [],
                |row| row.get(0),
            )
            .optional()?;
        let mut select = connection.prepare(
            "SELECT owner_kind, owner, unit, per, window_start, used FROM counters
             WHERE window_start >= ? ORDER BY window_start",
        )?;
        let kept_since = kept_since.unwrap_or_default();
        let mut rows = select.query([&kept_since])?;
        let mut series: BTreeMap<(usize, String, Unit, String), Vec<Window>> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let kind: String = row.get("owner_kind")?;
            let (unit, per): (String, String) = (row.get("unit")?, row.get("per")?);
            let unit = match unit.as_str() {
                "requests" => Unit::Requests,
                "tokens" => Unit::Tokens,
                "usd" => Unit::Usd,
                _ => continue,
            };
            let start: String = row.get("window_start")?;
            let from = earlier(&start).unwrap_or_else(|| start.clone());
            // A call that counts in it may have come before it began, and be deleted.
            if from < kept_since {
                continue;
            }
            let window = Window {
                from,
                end: end(&start, &per),
                start,
                used: row.get::<_, i64>("used")?.into(),
                called: 0,
            };
            let kind = usize::from(kind == "key");
            let name = (kind, row.get("owner")?, unit, per);
            series.entry(name).or_default().push(window);
        }
        let mut all = Self::default();
        for ((kind, owner, unit, per), windows) in series {
            all.owners[kind]
                .entry(owner)
                .or_default()
                .push(Series { unit, per, windows });
        }
        Ok(all)
    }

    /// Counts a call of an account and a key in every window that it may be counted in.
    pub(super) fn call(&mut self, owners: [&str; 2], at: &str, tokens: i128, cost: i128) {
        for (known, owner) in self.owners.iter_mut().zip(owners) {
            for series in known.get_mut(owner).into_iter().flatten() {
                let amount = match series.unit {
                    Unit::Requests => 1,
                    Unit::Tokens => tokens,
                    Unit::Usd => cost,
                };
                series.add(at, amount);
            }
        }
    }

    /// Windows in which more is used than was called.
    pub(super) fn excesses(self) -> Vec<Excess> {
        let mut excesses = Vec::new();
        for (kind, owners) in ["account", "key"].iter().zip(self.owners) {
            for (owner, all) in owners {
                for series in all {
                    excesses.extend(series.excesses(kind, &owner));
                }
            }
        }
        excesses
    }
}

impl Series {
    fn add(&mut self, at: &str, amount: i128) {
        let began = self
            .windows
            .partition_point(|window| window.from.as_str() <= at);
        // The latest one that it may be in, and before it those that have not ended. Periods have no end that is known;
        // a call counts in the latest, and the sums are put together in the end.
        for window in self.windows[..began].iter_mut().rev() {
            match &window.end {
                None => {
                    window.called += amount;
                    break;
                }
                Some(end) if at < end.as_str() => window.called += amount,
                Some(_) => break,
            }
        }
    }

    fn excesses(mut self, kind: &str, owner: &str) -> Vec<Excess> {
        let mut later = 0;
        for window in self.windows.iter_mut().rev() {
            if window.end.is_none() {
                window.called += later;
                later = window.called;
            }
        }
        let unit = match self.unit {
            Unit::Requests => "requests",
            Unit::Tokens => "tokens",
            Unit::Usd => "usd",
        };
        let over = |window: &Window| window.used > window.called || window.used < 0;
        let excess = |window: Window| Excess {
            owner: owner.to_owned(),
            what: format!(
                "{unit} of the {kind} in the {} from {}",
                self.per, window.start
            ),
            stored: window.used,
            derived: window.called,
            is_money: self.unit == Unit::Usd,
        };
        self.windows.into_iter().filter(over).map(excess).collect()
    }
}

fn earlier(start: &str) -> Option<String> {
    let start: Timestamp = start.parse().ok()?;
    Some(format!("{:.3}", start.checked_sub(EARLIER.hours()).ok()?))
}

/// The end of a calendar window, in UTC.
fn end(start: &str, per: &str) -> Option<String> {
    let span = match per {
        "hour" => 1.hour(),
        "day" => 1.day(),
        "week" => 1.week(),
        "month" => 1.month(),
        _ => return None,
    };
    let start: Timestamp = start.parse().ok()?;
    let end = start.to_zoned(TimeZone::UTC).checked_add(span).ok()?;
    Some(format!("{:.3}", end.timestamp()))
}

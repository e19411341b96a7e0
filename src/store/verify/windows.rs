//! Counters beside the calls of their windows: no more may be counted than was called, and no less than the calls say that
//! they counted there.

use std::collections::{BTreeMap, HashMap};

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;

/// A call is counted in the window in which it was admitted, and its record has when it arrived, which is before. The
/// rest is for clocks that are set.
const EARLIER: i64 = 1;

/// Under a clock that was put back by no more, calls are counted in the window that had begun.
const PUT_BACK: i64 = 24;

/// The kinds of owners, by their number.
const KINDS: [&str; 2] = ["account", "key"];

/// All windows that can be compared.
#[derive(Debug, Default)]
pub(super) struct Windows {
    /// By kind of owner, then by owner: account, key.
    owners: [HashMap<String, Vec<Series>>; 2],
    /// What calls counted in counters of which there is no window at all.
    missing: BTreeMap<Name, i128>,
}

/// A counter: the kind of its owner, the owner, the unit and the kind of window.
type Name = (usize, String, Unit, String);

/// The windows of one counter, by their start.
#[derive(Debug)]
struct Series {
    unit: Unit,
    per: String,
    /// As calls name the counter: unit and window.
    name: String,
    /// What is used in windows that are not compared, because calls of theirs may be gone.
    before: i128,
    windows: Vec<Window>,
}

/// A row's details, as far as they name counters.
#[derive(Debug, Default, Deserialize)]
struct Details<'a> {
    #[serde(borrow, default)]
    counted: Counted<'a>,
}

/// The counters that a call names, by whose they are.
#[derive(Debug, Default, Deserialize)]
struct Counted<'a> {
    #[serde(borrow, default)]
    account: Vec<&'a str>,
    #[serde(borrow, default)]
    key: Vec<&'a str>,
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
    /// From when on calls of this window may count in the next one instead.
    late: Option<String>,
    used: i128,
    called: i128,
    /// Of calls that name the counter, what must have been counted here.
    here: i128,
    /// The same, what was counted here or in the next window.
    here_or_next: i128,
}

/// A counter that has more than its calls, or less.
#[derive(Debug)]
pub(super) struct Off {
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
             ORDER BY window_start",
        )?;
        let kept_since = kept_since.unwrap_or_default();
        let mut rows = select.query([])?;
        let mut series: BTreeMap<Name, (i128, Vec<Window>)> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let kind: String = row.get("owner_kind")?;
            let (unit, per): (String, String) = (row.get("unit")?, row.get("per")?);
            let Some(unit) = Unit::parse(&unit) else {
                continue;
            };
            let start: String = row.get("window_start")?;
            let from = earlier(&start).unwrap_or_else(|| start.clone());
            let used = i128::from(row.get::<_, i64>("used")?);
            let end = end(&start, &per);
            let kind = usize::from(kind == "key");
            let name = (kind, row.get("owner")?, unit, per);
            let (before, windows) = series.entry(name).or_default();
            // A call that counts in it may have come before it began, and be deleted.
            if from < kept_since {
                *before += used;
                continue;
            }
            windows.push(Window {
                from,
                late: end.as_deref().and_then(earlier),
                end,
                start,
                used,
                called: 0,
                here: 0,
                here_or_next: 0,
            });
        }
        let mut all = Self::default();
        for ((kind, owner, unit, per), (before, windows)) in series {
            all.owners[kind].entry(owner).or_default().push(Series {
                name: format!("{}/{per}", unit.as_str()),
                unit,
                per,
                before,
                windows,
            });
        }
        Ok(all)
    }

    /// Counts a call of an account and a key in every window that it may be counted in, and in those that its details name;
    /// whether those can be read.
    pub(super) fn call(
        &mut self,
        owners: [&str; 2],
        at: &str,
        tokens: i128,
        cost: i128,
        details: Option<&str>,
    ) -> bool {
        let read: Option<Details<'_>> = match details {
            Some(text) => serde_json::from_str(text).ok(),
            None => Some(Details::default()),
        };
        let readable = read.is_some();
        let Counted { account, key } = read.unwrap_or_default().counted;
        let amount = |unit| match unit {
            Unit::Requests => 1,
            Unit::Tokens => tokens,
            Unit::Usd => cost,
        };
        let known = self.owners.iter_mut().zip(owners).zip([account, key]);
        for (kind, ((known, owner), counted)) in known.enumerate() {
            let all = known.get_mut(owner).map_or(&mut [][..], Vec::as_mut_slice);
            for series in &mut *all {
                series.add(at, amount(series.unit));
                if counted.contains(&&*series.name) {
                    series.count(at, amount(series.unit));
                }
            }
            let unknown = |name: &&str| all.iter().all(|series| series.name != *name);
            for (unit, per) in counted.into_iter().filter(unknown).filter_map(read_name) {
                let name = (kind, owner.to_owned(), unit, per.to_owned());
                *self.missing.entry(name).or_default() += amount(unit);
            }
        }
        readable
    }

    /// Windows in which more is used than was called, or less than calls say that they counted there.
    pub(super) fn off(self) -> Vec<Off> {
        let mut off = Vec::new();
        for (kind, owners) in KINDS.iter().zip(self.owners) {
            for (owner, all) in owners {
                for mut series in all {
                    let found = series.found();
                    off.extend(found.map(|found| series.off(kind, &owner, found)));
                }
            }
        }
        // A counter's newest window always stays, and so does one of each that ever counted anything.
        let missing = self.missing.into_iter().filter(|(_, derived)| *derived > 0);
        off.extend(missing.map(|((kind, owner, unit, per), derived)| Off {
            owner,
            what: format!("{} of the {} in any {per}", unit.as_str(), KINDS[kind]),
            stored: 0,
            derived,
            is_money: unit == Unit::Usd,
        }));
        off
    }
}

/// A window's place, what is used in it, and what it may or must be.
type Found = (usize, i128, i128);

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

    /// The same for a call that says that it was counted: in its window, or soon after. The newest window always stays, so
    /// that what came later than all of them was lost with a window.
    fn count(&mut self, at: &str, amount: i128) {
        let began = self
            .windows
            .partition_point(|window| window.start.as_str() <= at);
        let newest = began == self.windows.len();
        let (earlier, later) = self.windows.split_at_mut(began);
        let before = |end: &Option<String>| end.as_deref().is_none_or(|end| at < end);
        match earlier.last_mut() {
            Some(window) if before(&window.late) => window.here += amount,
            Some(window) if newest || before(&window.end) => window.here_or_next += amount,
            // No window has its time: it was lost, or the call was counted in a later one.
            _ => {
                let last = shifted(at, PUT_BACK).unwrap_or_default();
                let begun = later.iter_mut().take_while(|window| window.start <= last);
                // In those that begin within the hour it may have been counted anyhow.
                begun
                    .filter(|window| at < window.from.as_str())
                    .for_each(|window| window.called += amount);
            }
        }
    }

    /// Windows that have more than was called, and those that have less than was counted.
    fn found(&mut self) -> impl Iterator<Item = Found> + use<> {
        let (mut excesses, mut lacks) = (self.excesses(), self.lacks());
        for (place, stored, derived) in &mut excesses {
            for (earlier, has, least) in &mut lacks {
                // What one lacks was counted in the other, under a clock that was put back.
                if *earlier < *place && self.may_be_counted_in(*earlier, *place) {
                    let moved = (*stored - *derived).clamp(0, *least - *has);
                    (*derived, *least) = (*derived + moved, *least - moved);
                }
            }
        }
        let found = excesses.into_iter().chain(lacks);
        found.filter(|(_, stored, derived)| stored != derived)
    }

    fn may_be_counted_in(&self, earlier: usize, later: usize) -> bool {
        let end = self.windows[earlier].end.as_deref();
        let last = end.and_then(|end| shifted(end, PUT_BACK));
        last.is_some_and(|last| self.windows[later].start < last)
    }

    /// Windows that have more than was called.
    fn excesses(&mut self) -> Vec<Found> {
        let mut later = 0;
        for window in self.windows.iter_mut().rev() {
            if window.end.is_none() {
                window.called += later;
                later = window.called;
            }
        }
        let windows = self.windows.iter().enumerate();
        let over = |(_, window): &(usize, &Window)| window.used > window.called || window.used < 0;
        let found = windows.filter(over);
        found
            .map(|(place, window)| (place, window.used, window.called))
            .collect()
    }

    /// Windows that have less than was counted. What could have been counted in the next one is looked for in both, so that
    /// of windows in a row the last one may be named for what another one lost.
    fn lacks(&self) -> Vec<Found> {
        // That is named already.
        if self.windows.iter().any(|window| window.used < 0) {
            return Vec::new();
        }
        if self.windows.iter().any(|window| window.end.is_none()) {
            return self.lack_of_periods().into_iter().collect();
        }
        let mut lacks = Vec::new();
        let mut left = 0;
        for (place, window) in self.windows.iter().enumerate() {
            let next = self.windows.get(place + 1);
            let goes_on = next.is_some_and(|next| Some(&next.start) == window.end.as_ref());
            let mut least = window.here + left;
            if !goes_on {
                least += window.here_or_next;
            }
            if window.used < least {
                lacks.push((place, window.used, least));
            }
            left = if goes_on {
                (window.here_or_next - (window.used - least).max(0)).max(0)
            } else {
                0
            };
        }
        lacks
    }

    /// A period may turn out to have begun when calls were counted in the one before: all of them are compared at once.
    fn lack_of_periods(&self) -> Option<Found> {
        let used = self.windows.iter().map(|window| window.used);
        let counted = self.windows.iter().map(|window| window.here);
        let (used, counted) = (self.before + used.sum::<i128>(), counted.sum());
        (used < counted).then_some((0, used, counted))
    }

    fn off(&self, kind: &str, owner: &str, (place, stored, derived): Found) -> Off {
        let start = self.windows.get(place).map(|window| window.start.as_str());
        Off {
            owner: owner.to_owned(),
            what: format!(
                "{} of the {kind} in the {} from {}",
                self.unit.as_str(),
                self.per,
                start.unwrap_or_default()
            ),
            stored,
            derived,
            is_money: self.unit == Unit::Usd,
        }
    }
}

impl Unit {
    fn parse(word: &str) -> Option<Self> {
        [Self::Requests, Self::Tokens, Self::Usd]
            .into_iter()
            .find(|unit| unit.as_str() == word)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Usd => "usd",
        }
    }
}

/// The unit and the kind of window of a counter, as calls name it.
fn read_name(name: &str) -> Option<(Unit, &str)> {
    let (unit, per) = name.split_once('/')?;
    Some((Unit::parse(unit)?, per))
}

fn earlier(start: &str) -> Option<String> {
    shifted(start, -EARLIER)
}

/// So many hours later.
fn shifted(at: &str, hours: i64) -> Option<String> {
    let at: Timestamp = at.parse().ok()?;
    Some(format!("{:.3}", at.checked_add(hours.hours()).ok()?))
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

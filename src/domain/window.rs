//! Calendar windows in UTC: where a quota starts again.

use std::fmt;

use jiff::{RoundMode, ToSpan, Unit as CalendarUnit, Zoned, ZonedRound, tz::TimeZone};

use super::Timestamp;

/// Milliseconds of a day.
pub(crate) const DAY: i64 = 86_400_000;

/// What a quota is counted per.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Per {
    /// From one full hour to the next.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday (ISO 8601).
    Week,
    /// From the first of a month to the first of the next.
    Month,
    /// The subscription's billing period, or a month from the account's creation.
    Period,
}

/// From `start` on, before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// The first instant.
    pub start: Timestamp,
    /// The first instant that is no longer in it.
    pub end: Timestamp,
}

/// Where [`Per::Period`] is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// A billing period; later ones follow with the same length.
    Billing(Window),
    /// Months counted from this instant.
    Creation(Timestamp),
}

impl Per {
    /// The window around `now`.
    pub fn window(self, now: Timestamp, anchor: Anchor) -> Window {
        match (self, anchor) {
            (Self::Hour, _) => fixed(now, 3_600_000),
            (Self::Day, _) => fixed(now, DAY),
            // The epoch was a Thursday; the first Monday came four days later.
            (Self::Week, _) => shifted(now, 7 * DAY, 4 * DAY),
            (Self::Month, _) => calendar_month(now),
            (Self::Period, Anchor::Billing(first)) => {
                let length = first.end.millis().saturating_sub(first.start.millis());
                if length <= 0 {
                    return calendar_month(now);
                }
                shifted(now, length, first.start.millis())
            }
            (Self::Period, Anchor::Creation(start)) => month_from(start, now),
        }
    }

    /// The word in configuration, answers and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Period => "period",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Period]
            .into_iter()
            .find(|per| per.as_str() == word)
    }
}

impl fmt::Display for Per {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Window {
    /// Whether `instant` lies in it.
    pub fn contains(self, instant: Timestamp) -> bool {
        self.start <= instant && instant < self.end
    }
}

/// UTC has no offset changes and the Unix clock no leap seconds, so hours and days are plain division.
fn fixed(now: Timestamp, length: i64) -> Window {
    shifted(now, length, 0)
}

fn shifted(now: Timestamp, length: i64, origin: i64) -> Window {
    let into = now.millis().saturating_sub(origin).rem_euclid(length);
    let start = now.millis().saturating_sub(into);
    Window {
        start: Timestamp::from_millis(start),
        end: Timestamp::from_millis(start.saturating_add(length)),
    }
}

fn utc(at: Timestamp) -> Zoned {
    at.to_jiff().to_zoned(TimeZone::UTC)
}

fn instant(at: &Zoned) -> Timestamp {
    Timestamp::from_millis(at.timestamp().as_millisecond())
}

fn calendar_month(now: Timestamp) -> Window {
    let day = utc(now).round(
        ZonedRound::new()
            .smallest(CalendarUnit::Day)
            .mode(RoundMode::Trunc),
    );
    let start = day.and_then(|day| day.first_of_month());
    let end = start.as_ref().map(|start| start.saturating_add(1.month()));
    match (&start, &end) {
        (Ok(start), Ok(end)) => Window {
            start: instant(start),
            end: instant(end),
        },
        // Beyond the calendar's last year: thirty days keep the arithmetic going.
        _ => fixed(now, 30 * DAY),
    }
}

/// Months from `start`; the 31st becomes the last day of a shorter month.
fn month_from(start: Timestamp, now: Timestamp) -> Window {
    let (first, at) = (utc(start), utc(now));
    let years = i32::from(at.year()) - i32::from(first.year());
    let mut months = years * 12 + i32::from(at.month()) - i32::from(first.month());
    if instant(&first.saturating_add(months.months())) > now {
        months -= 1;
    }
    Window {
        start: instant(&first.saturating_add(months.months())),
        end: instant(&first.saturating_add((months + 1).months())),
    }
}

#[cfg(test)]
mod tests;

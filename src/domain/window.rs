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
    /// A billing period; later ones follow with the same length, in months where it is one of whole months.
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
                if let Some((start, months)) = whole_months(first) {
                    return months_from(start, months, now);
                }
                let length = first.end.millis().saturating_sub(first.start.millis());
                if length <= 0 {
                    return calendar_month(now);
                }
                shifted(now, length, first.start.millis())
            }
            (Self::Period, Anchor::Creation(start)) => months_from(start, 1, now),
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

/// Windows of so many months from `start`; the 31st becomes the last day of a shorter month.
fn months_from(start: Timestamp, months: i32, now: Timestamp) -> Window {
    let from = utc(start);
    let mut passed = (number_of_month(&utc(now)) - number_of_month(&from)).div_euclid(months);
    if months_after(&from, passed * months) > now {
        passed -= 1;
    }
    Window {
        start: months_after(&from, passed * months),
        end: months_after(&from, (passed + 1) * months),
    }
}

/// Where the months of a billing period are counted from, and how many they are, if it is one of whole months. In a short
/// month it begins or ends before its day, so that its other end says which day that is.
fn whole_months(period: Window) -> Option<(Timestamp, i32)> {
    let (start, end) = (utc(period.start), utc(period.end));
    let months = number_of_month(&end) - number_of_month(&start);
    if months < 1 {
        None
    } else if months_after(&start, months) == period.end {
        Some((period.start, months))
    } else if months_after(&end, -months) == period.start {
        Some((period.end, months))
    } else {
        None
    }
}

fn months_after(from: &Zoned, months: i32) -> Timestamp {
    // More than there are in the calendar.
    const MOST: i32 = 19_998 * 12;
    instant(&from.saturating_add(months.clamp(-MOST, MOST).months()))
}

/// Counts all months of the calendar through.
fn number_of_month(at: &Zoned) -> i32 {
    i32::from(at.year()) * 12 + i32::from(at.month())
}

#[cfg(test)]
mod tests;

//! An instant of the wall clock.

use std::{fmt, str::FromStr, time::Duration};

/// Milliseconds since 1970-01-01T00:00:00Z. Written as RFC 3339 in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a date and time such as 2026-11-20T00:00:00Z")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// Reads an instant, or a day such as `2026-11-20`, which is meant from its midnight in UTC.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse_or_day(text: &str) -> Result<Self, InvalidTimestamp> {
        let midnight = || format!("{text}T00:00:00Z").parse();
        text.parse().or_else(|_| midnight())
    }

    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The time from here to `later`; zero when `later` has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// This instant moved by `by`; stops at the end of time.
    pub fn plus(self, by: Duration) -> Self {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// This instant moved back by `by`; stops at the beginning of time.
    pub fn minus(self, by: Duration) -> Self {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// The same instant for calendar arithmetic; out-of-range instants stop at the calendar's ends.
    pub(super) fn to_jiff(self) -> jiff::Timestamp {
        let end = if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        };
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(end)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let instant = text.parse().ok().or_else(|| of_the_last_days(text));
        let instant: jiff::Timestamp = instant.ok_or(InvalidTimestamp)?;
        Ok(Self(instant.as_millisecond()))
    }
}

/// The end of the last year that RFC 3339 can write stands for never in many programs. Instants end some hours before,
/// so that each has a date in every time zone; what comes after is their last whole second.
fn of_the_last_days(text: &str) -> Option<jiff::Timestamp> {
    let pieces = jiff::fmt::temporal::Pieces::parse(text).ok()?;
    let is_whole = pieces.time().is_some() && pieces.offset().is_some();
    let is_late = pieces.date() >= jiff::civil::date(9999, 12, 30);
    let last = jiff::Timestamp::from_second(jiff::Timestamp::MAX.as_second()).ok();
    last.filter(|_| is_whole && is_late)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_jiff())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;

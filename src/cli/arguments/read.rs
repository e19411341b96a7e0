//! Values of flags.

use std::{fmt::Display, net::SocketAddr, ops::RangeInclusive, str::FromStr, time::Duration};

use serde_json::{Value, json};

use crate::{
    admin::{LARGEST, YEAR},
    cli::{Exit, Failure},
    domain::{InvalidAmount, NanoUsd, Per, Timestamp, Unit},
};

/// An instant: `2026-11-20T08:00:00Z`, or a day, which starts at midnight UTC.
pub(in crate::cli) fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_or_day(text).map_err(|_| {
        "write an instant such as 2026-11-20T08:00:00Z, or a day such as 2026-11-20".to_owned()
    })
}

/// A point in the past: an instant, or how long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl Moment {
    /// The instant, seen from `now`.
    pub(in crate::cli) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(instant) => instant,
            Self::Ago(ago) => now.minus(ago),
        }
    }
}

/// The instants of `--since` and `--until`, seen from `now`.
///
/// # Errors
/// The first is after the second: there is nothing in between.
pub(in crate::cli) fn between(
    since: Option<Moment>,
    until: Option<Moment>,
    now: Timestamp,
) -> Result<[Option<Timestamp>; 2], Failure> {
    let [since, until] = [since, until].map(|moment| moment.map(|moment| moment.from(now)));
    match (since, until) {
        (Some(since), Some(until)) if since > until => Err(Failure::new(
            Exit::Usage,
            format!("--since {since} is after --until {until}"),
        )),
        _ => Ok([since, until]),
    }
}

/// An instant, a day, or how long ago: `7d`.
pub(in crate::cli) fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(ago) = duration(text) {
        return Ok(Moment::Ago(ago));
    }
    instant(text)
        .map(Moment::At)
        .map_err(|words| format!("{words}, or how long ago, such as 7d"))
}

/// A number and a unit: `90s`, `30m`, `24h`, `7d`; `0` alone needs none.
pub(in crate::cli) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and a unit: 90s, 30m, 24h or 7d".to_owned();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let unit = text.len().checked_sub(1).ok_or_else(wrong)?;
    let (number, unit) = text.split_at_checked(unit).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: Option<u64> = number.parse().ok().filter(|_| digits);
    let total = number.and_then(|number| number.checked_mul(seconds));
    total.map(Duration::from_secs).ok_or_else(wrong)
}

/// How long an old secret still works, as the admin API takes it.
pub(in crate::cli) fn overlap(text: &str) -> Result<Duration, String> {
    let overlap = duration(text)?;
    if overlap.as_secs() > YEAR {
        let days = YEAR / 86_400;
        return Err(format!("an old secret works for {days}d at most"));
    }
    Ok(overlap)
}

/// A delay in milliseconds or more: `30ms`, `2s`.
pub(in crate::cli) fn delay(text: &str) -> Result<Duration, String> {
    let millis = text
        .strip_suffix("ms")
        .and_then(|number| number.parse().ok());
    millis
        .map_or_else(
            || duration(text),
            |millis| Ok(Duration::from_millis(millis)),
        )
        .map_err(|_| "write a number and a unit: 30ms, 2s or 1m".to_owned())
}

/// A whole number within `bounds`.
pub(in crate::cli) fn number<T: FromStr + PartialOrd + Display + Clone>(
    bounds: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        let (least, most) = (bounds.start(), bounds.end());
        number.ok_or_else(|| format!("write a whole number from {least} to {most}"))
    }
}

/// Where to listen.
pub(in crate::cli) fn address(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse();
    address.map_err(|_| "write an IP address and a port, such as 127.0.0.1:8000".to_owned())
}

/// A quota as the admin API takes it: `tokens=100000/day`.
pub(in crate::cli) fn quota(text: &str) -> Result<Value, String> {
    let read = || {
        let (unit, rest) = text.split_once('=')?;
        let (limit, per) = rest.split_once('/')?;
        let (unit, per) = (Unit::parse(unit)?, Per::parse(per)?);
        let limit: u64 = limit.parse().ok()?;
        Some(json!({ unit.as_str(): limit, "per": per.as_str() }))
    };
    read().ok_or_else(|| {
        "write requests or tokens, a number and hour, day, week, month or period: tokens=100000/day"
            .to_owned()
    })
}

/// A budget as the admin API takes it: `25/month`.
pub(in crate::cli) fn budget(text: &str) -> Result<Value, String> {
    let read = || {
        let (limit, per) = text.split_once('/')?;
        let per = Per::parse(per)?;
        let limit = match NanoUsd::parse(limit) {
            Err(InvalidAmount::NotDecimal) => return None,
            Err(wrong) => return Some(Err(wrong.up_to(NanoUsd::MAX))),
            Ok(limit) => limit,
        };
        (!limit.is_negative()).then(|| Ok(json!({ "usd": limit.to_string(), "per": per.as_str() })))
    };
    read().unwrap_or_else(|| {
        Err("write US dollars and hour, day, week, month or period: 25/month, 0.50/hour".to_owned())
    })
}

/// An exact amount of dollars: `25`, `-3.50`, `0.000000001`.
pub(in crate::cli) fn amount(text: &str) -> Result<NanoUsd, String> {
    NanoUsd::parse(text).map_err(|wrong| wrong.up_to(LARGEST))
}

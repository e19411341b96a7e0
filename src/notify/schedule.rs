//! When a message is tried again.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::{
    domain::Timestamp,
    store::{Attempted, NotificationId},
};

use super::send::Tried;

/// The time from each try to the next (Standard Webhooks 1.0.0, "Deliverability and reliability"); the first try is at
/// once.
const DELAYS: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(5 * 3_600),
    Duration::from_secs(10 * 3_600),
    Duration::from_secs(14 * 3_600),
    Duration::from_secs(20 * 3_600),
    Duration::from_secs(24 * 3_600),
];

/// How long a receiver may ask to be left alone.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3_600);

/// What follows from a try that ended at `now`, when `before` were made before it.
pub(super) fn after(tried: Tried, id: NotificationId, before: u32, now: Timestamp) -> Attempted {
    match tried {
        Tried::Delivered => Attempted::Delivered,
        Tried::Gone { error } => Attempted::TargetGone { error },
        Tried::Refused { error } => Attempted::Failed { error },
        Tried::Failed { error, wait } => match delay(id, before) {
            Some(delay) => {
                let wait = wait.unwrap_or_default().min(LONGEST_WAIT);
                let at = now.plus(delay.max(wait));
                Attempted::Again { at, error }
            }
            None => Attempted::Failed { error },
        },
    }
}

/// The time to the next try when `before` were made before this one; `None` after the last.
///
/// Up to a tenth is added, so that what failed together does not come back together. It is taken from the message's name
/// and not from chance: whoever reads the schedule of a message finds the same each time.
fn delay(id: NotificationId, before: u32) -> Option<Duration> {
    let delay = *DELAYS.get(usize::try_from(before).ok()?)?;
    let digest = Sha256::digest(format!("{id}.{before}").as_bytes());
    let share = u32::from(u16::from_be_bytes([digest[0], digest[1]]));
    let tenth = u32::try_from(delay.as_millis() / 10).unwrap_or(u32::MAX);
    let jitter = u64::from(tenth) * u64::from(share) / u64::from(u16::MAX);
    Some(delay + Duration::from_millis(jitter))
}

/// The time that `Retry-After` asks for (RFC 9110 §10.2.3): seconds, or a date.
pub(super) fn retry_after(field: &str, now: Timestamp) -> Option<Duration> {
    let field = field.trim();
    if !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has are a long time all the same.
        let seconds = field.parse().unwrap_or(LONGEST_WAIT.as_secs());
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(field).ok()?;
    let at = Timestamp::from_millis(date.timestamp().as_millisecond());
    Some(now.until(at))
}

#[cfg(test)]
mod tests;

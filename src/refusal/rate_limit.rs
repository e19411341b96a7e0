//! How much is left, for programs: the `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers-11 and those that the
//! vendors had before it. On answers that were metered, and on those that a limit refused.
//!
//! Money is left out: the fields carry integers (RFC 9651 §3.3.1), for which dollars are too coarse and their billionths
//! too many, and a vendor's SDK would take either for requests or tokens. A caller passes no budgets and no credit; what is
//! left of them is in the body of a refusal and at `GET /v1/faregate/limits`.

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{LimitFacts, LimitKind, ink, verdict::whole_second};
use crate::{
    domain::{Anchor, Per, Scope, Timestamp},
    providers::Dialect,
};

const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The largest integer of a structured field (RFC 9651 §3.3.1).
const LARGEST: u64 = 999_999_999_999_999;

/// A limit and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyState {
    /// Whose limit it is.
    pub scope: Scope,
    /// `requests` or `tokens`.
    pub unit: &'static str,
    /// `minute`, `hour`, `day`, `week`, `month` or `period`; `None` for calls at the same time.
    pub per: Option<&'static str>,
    /// How many.
    pub quota: u64,
    /// The window's length in seconds; `None` where it has none or it is not known.
    pub window_seconds: Option<u64>,
    /// What is left.
    pub remaining: u64,
    /// When all of it is there again.
    pub resets_at: Option<Timestamp>,
}

/// The names of a vendor's own three fields for one unit.
struct Vendor {
    limit: HeaderName,
    remaining: HeaderName,
    reset: HeaderName,
}

/// A policy's name: unique in a list, and told apart by a person.
struct Name<'a>(&'a PolicyState);

/// A duration as Go prints it, which is how OpenAI writes resets: `6m0s`, `1.5s`, `12ms`.
struct GoDuration(Duration);

impl PolicyState {
    /// The state of the limit that refused a call.
    pub(super) fn refused(
        limit: &LimitFacts,
        resets_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let per = limit.per.filter(|_| limit.kind != LimitKind::Concurrency);
        Self {
            scope: limit.scope,
            unit: limit.unit,
            per,
            quota: limit.limit,
            window_seconds: per.and_then(|per| window_seconds(per, now)),
            remaining: limit.remaining(),
            resets_at,
        }
    }
}

/// The window's length; a billing period's is not known here.
fn window_seconds(per: &str, now: Timestamp) -> Option<u64> {
    if per == "minute" {
        return Some(60);
    }
    let per = Per::parse(per).filter(|per| *per != Per::Period)?;
    let window = per.window(now, Anchor::Creation(now));
    Some(window.start.until(window.end).as_secs())
}

/// Writes the fields of `policies`, replacing those of the same name; without policies, nothing.
pub fn write(policies: &[PolicyState], dialect: Dialect, now: Timestamp, headers: &mut HeaderMap) {
    if policies.is_empty() {
        return;
    }
    put(headers, RATELIMIT_POLICY, |out| list(out, policies, policy));
    put(headers, RATELIMIT, |out| {
        list(out, policies, |out, state| current(out, state, now))
    });
    for unit in ["requests", "tokens"] {
        if let (Some(vendor), Some(state)) = (vendor(dialect, unit), tightest(policies, unit)) {
            put(headers, vendor.limit, |out| write!(out, "{}", state.quota));
            put(headers, vendor.remaining, |out| {
                write!(out, "{}", state.remaining)
            });
            if let Some(at) = state.resets_at {
                put(headers, vendor.reset, |out| match dialect {
                    Dialect::Anthropic => write!(out, "{}", whole_second(at)),
                    Dialect::OpenAi | Dialect::Gemini => {
                        write!(out, "{}", GoDuration(now.until(at)))
                    }
                });
            }
        }
    }
}

/// The vendors know one limit for a unit, and it is the one per minute; of several, the one that is closest to its end.
fn tightest<'a>(policies: &'a [PolicyState], unit: &str) -> Option<&'a PolicyState> {
    policies
        .iter()
        .filter(|state| state.unit == unit && state.per.is_some())
        .min_by_key(|state| (state.per != Some("minute"), state.remaining))
}

fn vendor(dialect: Dialect, unit: &str) -> Option<Vendor> {
    let [limit, remaining, reset] = match (dialect, unit) {
        (Dialect::OpenAi, "requests") => [
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-reset-requests",
        ],
        (Dialect::OpenAi, _) => [
            "x-ratelimit-limit-tokens",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-tokens",
        ],
        (Dialect::Anthropic, "requests") => [
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
        ],
        (Dialect::Anthropic, _) => [
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-tokens-reset",
        ],
        (Dialect::Gemini, _) => return None,
    };
    Some(Vendor {
        limit: HeaderName::from_static(limit),
        remaining: HeaderName::from_static(remaining),
        reset: HeaderName::from_static(reset),
    })
}

/// Writes one field; a value that is none is left out.
fn put(
    headers: &mut HeaderMap,
    name: HeaderName,
    compose: impl FnOnce(&mut String) -> fmt::Result,
) {
    if let Ok(text) = ink::text(compose)
        && let Ok(value) = HeaderValue::from_maybe_shared(text)
    {
        headers.insert(name, value);
    }
}

fn list(
    out: &mut String,
    policies: &[PolicyState],
    item: impl Fn(&mut String, &PolicyState) -> fmt::Result,
) -> fmt::Result {
    for (index, state) in policies.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        item(out, state)?;
    }
    Ok(())
}

/// `"tokens-per-day-plan";q=100000;w=86400;qu="tokens"`; `requests` is the draft's default unit.
fn policy(out: &mut String, state: &PolicyState) -> fmt::Result {
    write!(out, "\"{}\";q={}", Name(state), state.quota.min(LARGEST))?;
    if let Some(seconds) = state.window_seconds.filter(|seconds| *seconds > 0) {
        write!(out, ";w={}", seconds.min(LARGEST))?;
    }
    match (state.per, state.unit) {
        (None, _) => out.write_str(";qu=\"concurrent-requests\""),
        (Some(_), "requests") => Ok(()),
        (Some(_), unit) => write!(out, ";qu=\"{unit}\""),
    }
}

/// `"tokens-per-day-plan";r=0;t=43200`.
fn current(out: &mut String, state: &PolicyState, now: Timestamp) -> fmt::Result {
    write!(
        out,
        "\"{}\";r={}",
        Name(state),
        state.remaining.min(LARGEST)
    )?;
    match state.resets_at {
        Some(at) => {
            let millis = now.until(at).as_millis();
            write!(out, ";t={}", millis.div_ceil(1000).min(u128::from(LARGEST)))
        }
        None => Ok(()),
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PolicyState {
            scope, unit, per, ..
        } = self.0;
        match per {
            Some(per) => write!(f, "{unit}-per-{per}-{}", scope.as_str()),
            None => write!(f, "concurrent-{unit}-{}", scope.as_str()),
        }
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0s");
        }
        if millis < 1000 {
            return write!(f, "{millis}ms");
        }
        let (minutes, rest) = (millis / 60_000, millis % 60_000);
        if minutes >= 60 {
            write!(f, "{}h", minutes / 60)?;
        }
        if minutes > 0 {
            write!(f, "{}m", minutes % 60)?;
        }
        write!(f, "{}", rest / 1000)?;
        // Go leaves out the zeros at a fraction's end.
        match rest % 1000 {
            0 => {}
            part if part % 100 == 0 => write!(f, ".{}", part / 100)?,
            part if part % 10 == 0 => write!(f, ".{:02}", part / 10)?,
            part => write!(f, ".{part:03}")?,
        }
        f.write_str("s")
    }
}

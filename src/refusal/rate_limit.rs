//! How much is left, for programs: the `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers-11 and those that the
//! vendors had before it. On answers that were metered, and on those that a limit refused.
//!
//! Money is left out: the fields carry integers (RFC 9651 §3.3.1), for which dollars are too coarse and their billionths
//! too many, and a vendor's SDK would take either for requests or tokens. A caller passes no budgets and no credit; what is
//! left of them is in the body of a refusal and at `GET /v1/faregate/limits`.

use std::{convert::Infallible, fmt::Write as _, ops::Range, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::{CountedPer, LimitFacts, LimitKind, buffer, verdict::whole_second};
use crate::{
    domain::{Anchor, Per, Scope, Timestamp, Unit, whole_millis},
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
    /// Requests or tokens; no field passes money.
    pub unit: Unit,
    /// What it counts per; `None` for calls at the same time.
    pub per: Option<CountedPer>,
    /// How many.
    pub quota: u64,
    /// The window's length in seconds; `None` where it has none or it is not known.
    pub window_seconds: Option<u64>,
    /// What is left.
    pub remaining: u64,
    /// When all of it is there again.
    pub resets_at: Option<Timestamp>,
}

/// The fields of a dialect, in the order in which their values are written: the two lists, and of OpenAI and Anthropic, of
/// requests and of tokens, the limit, what is left of it, and when all of it is back.
static OPENAI: [HeaderName; FIELDS] = [
    RATELIMIT_POLICY,
    RATELIMIT,
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];
static ANTHROPIC: [HeaderName; FIELDS] = [
    RATELIMIT_POLICY,
    RATELIMIT,
    HeaderName::from_static("anthropic-ratelimit-requests-limit"),
    HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
    HeaderName::from_static("anthropic-ratelimit-requests-reset"),
    HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
    HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
];
static GEMINI: [HeaderName; 2] = [RATELIMIT_POLICY, RATELIMIT];

const FIELDS: usize = 8;

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

    /// Whether both are written under one name.
    fn has_the_name_of(&self, other: &Self) -> bool {
        (self.scope, self.unit, self.per) == (other.scope, other.unit, other.per)
    }
}

/// The window's length; a billing period's is not known here.
fn window_seconds(per: CountedPer, now: Timestamp) -> Option<u64> {
    match per {
        CountedPer::Minute => Some(60),
        CountedPer::Window(Per::Period) => None,
        CountedPer::Window(per) => {
            let window = per.window(now, Anchor::Creation(now));
            Some(window.start.until(window.end).as_secs())
        }
    }
}

/// Writes the fields of `policies`, replacing those of the same name; without policies, nothing.
pub fn write(policies: &[PolicyState], dialect: Dialect, now: Timestamp, headers: &mut HeaderMap) {
    if policies.is_empty() {
        return;
    }
    let mut ends = [0; FIELDS];
    // The values stand one behind the other; one that is empty is not told.
    let Ok(mut values) = buffer::text(|out| {
        let [policy, current] = lists(out, policies, now);
        let [limit, left, reset] = vendor(out, policies, Unit::Requests, dialect, now);
        let [tokens, tokens_left, tokens_reset] = vendor(out, policies, Unit::Tokens, dialect, now);
        ends = [
            policy,
            current,
            limit,
            left,
            reset,
            tokens,
            tokens_left,
            tokens_reset,
        ];
        Ok::<(), Infallible>(())
    });
    let names: &[HeaderName] = match dialect {
        Dialect::OpenAi => &OPENAI,
        Dialect::Anthropic => &ANTHROPIC,
        Dialect::Gemini => &GEMINI,
    };
    let mut written = 0;
    for (name, end) in names.iter().zip(ends) {
        let value = values.split_to(end - written);
        written = end;
        // A value that is none is left out.
        if let Ok(value) = HeaderValue::from_maybe_shared(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
}

/// Writes a vendor's own three values for a unit, and gives where each ends.
fn vendor(
    out: &mut String,
    policies: &[PolicyState],
    unit: Unit,
    dialect: Dialect,
    now: Timestamp,
) -> [usize; 3] {
    let state = tightest(policies, unit).filter(|_| dialect != Dialect::Gemini);
    let Some(state) = state else {
        return [out.len(); 3];
    };
    number(out, state.quota);
    let limit = out.len();
    number(out, state.remaining);
    let left = out.len();
    match (state.resets_at, dialect) {
        (None, _) => {}
        (Some(at), Dialect::Anthropic) => {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}", whole_second(at));
        }
        (Some(at), _) => go_duration(out, now.until(at)),
    }
    [limit, left, out.len()]
}

/// The vendors know one limit for a unit, and it is the one per minute; of several, the one that is closest to its end.
fn tightest(policies: &[PolicyState], unit: Unit) -> Option<&PolicyState> {
    policies
        .iter()
        .filter(|state| state.unit == unit && state.per.is_some())
        .min_by_key(|state| (state.per != Some(CountedPer::Minute), state.remaining))
}

fn number(out: &mut String, number: u64) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// Writes the two lists, and gives where each ends. A name stands once in a list (draft-11 §3.1: it identifies its policy):
/// of several limits that have the same, a key's own and its share of the plan, the one that binds first is all that a
/// program can heed.
fn lists(out: &mut String, policies: &[PolicyState], now: Timestamp) -> [usize; 2] {
    let binds_before = |one: (usize, &PolicyState), other: (usize, &PolicyState)| {
        let order = |(place, state): (usize, &PolicyState)| (state.remaining, state.quota, place);
        one.1.has_the_name_of(other.1) && order(one) < order(other)
    };
    let mut named: SmallVec<[(&PolicyState, Range<usize>); 8]> = SmallVec::new();
    for (place, state) in policies.iter().enumerate() {
        let mut others = policies.iter().enumerate();
        if others.any(|other| binds_before(other, (place, state))) {
            continue;
        }
        if !named.is_empty() {
            out.push_str(", ");
        }
        let start = out.len();
        name(out, state);
        named.push((state, start..out.len()));
        policy(out, state);
    }
    let first = out.len();
    for (place, (state, name)) in named.into_iter().enumerate() {
        if place > 0 {
            out.push_str(", ");
        }
        out.extend_from_within(name);
        current(out, state, now);
    }
    [first, out.len()]
}

/// Of `"tokens-per-day-plan";q=100000;w=86400;qu="tokens"` what follows the name; `requests` is the draft's default unit.
fn policy(out: &mut String, state: &PolicyState) {
    out.push_str(";q=");
    number(out, state.quota.min(LARGEST));
    if let Some(seconds) = state.window_seconds.filter(|seconds| *seconds > 0) {
        out.push_str(";w=");
        number(out, seconds.min(LARGEST));
    }
    match (state.per, state.unit) {
        (None, _) => out.push_str(";qu=\"concurrent-requests\""),
        (Some(_), Unit::Requests) => {}
        (Some(_), unit) => {
            out.push_str(";qu=\"");
            out.push_str(unit.as_str());
            out.push('"');
        }
    }
}

/// Of `"tokens-per-day-plan";r=0;t=43200` what follows the name.
fn current(out: &mut String, state: &PolicyState, now: Timestamp) {
    out.push_str(";r=");
    number(out, state.remaining.min(LARGEST));
    if let Some(at) = state.resets_at {
        let millis = whole_millis(now.until(at));
        out.push_str(";t=");
        number(out, millis.div_ceil(1000).min(LARGEST));
    }
}

/// A policy's name in quotes: unique in a list, and told apart by a person.
fn name(out: &mut String, state: &PolicyState) {
    let PolicyState {
        scope, unit, per, ..
    } = state;
    out.push('"');
    match per {
        Some(per) => {
            out.push_str(unit.as_str());
            out.push_str("-per-");
            out.push_str(per.as_str());
        }
        None => {
            out.push_str("concurrent-");
            out.push_str(unit.as_str());
        }
    }
    out.push('-');
    out.push_str(scope.as_str());
    out.push('"');
}

/// A duration as Go prints it, which is how OpenAI writes resets: `6m0s`, `1.5s`, `12ms`.
fn go_duration(out: &mut String, duration: Duration) {
    let millis = whole_millis(duration);
    if millis == 0 {
        out.push_str("0s");
        return;
    }
    if millis < 1000 {
        number(out, millis);
        out.push_str("ms");
        return;
    }
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    if minutes >= 60 {
        number(out, minutes / 60);
        out.push('h');
    }
    if minutes > 0 {
        number(out, minutes % 60);
        out.push('m');
    }
    number(out, rest / 1000);
    let thousandths = rest % 1000;
    if thousandths > 0 {
        // Go leaves out the zeros at a fraction's end; the 1 in front keeps those at its beginning.
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(1000 + thousandths).trim_end_matches('0');
        out.push('.');
        out.push_str(&digits[1..]);
    }
    out.push('s');
}

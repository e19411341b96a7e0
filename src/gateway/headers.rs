//! Fields that we add to answers, for clients and for the browsers that some of them run in.

use std::{fmt::Write, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};
use smallvec::SmallVec;

use super::Cors;
use crate::{
    accounts::{Binding, Key, Reading, Reason, Taken},
    admission::{Notice, counted_per, limit_kind},
    domain::{Clock, Mode, RequestId, Timestamp, Unit},
    providers::Dialect,
    refusal::{
        field_value, id_value,
        rate_limit::{self, PolicyState},
    },
};

/// Our id of a request; the provider's comes as `x-upstream-request-id`.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Anthropic's name for it.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// Warns before calls are refused: a payment is due, or most of a quota or budget is used.
const FAREGATE_NOTICE: HeaderName = HeaderName::from_static("faregate-notice");
/// The output limit that the provider got.
const MAX_OUTPUT_TOKENS: HeaderName = HeaderName::from_static("faregate-max-output-tokens");

/// What a page may read of an answer; browsers hide the rest (Fetch standard, CORS-exposed header names).
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "x-request-id, request-id, retry-after, retry-after-ms, ratelimit, ratelimit-policy, link, www-authenticate, \
     x-should-retry, faregate-notice, faregate-max-output-tokens, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, \
     x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, \
     anthropic-ratelimit-requests-limit, anthropic-ratelimit-requests-remaining, anthropic-ratelimit-requests-reset, \
     anthropic-ratelimit-tokens-limit, anthropic-ratelimit-tokens-remaining, anthropic-ratelimit-tokens-reset, \
     x-upstream-request-id",
);

/// Names the request.
pub(super) fn name(id: RequestId, dialect: Dialect, headers: &mut HeaderMap) {
    let Some(value) = id_value(id) else {
        return;
    };
    if dialect == Dialect::Anthropic {
        headers.insert(REQUEST_ID, value.clone());
    }
    headers.insert(X_REQUEST_ID, value);
}

/// Tells how much of every limit is left, and warns before calls are refused. What the call itself holds, `own`, is not
/// counted as gone: most of it comes back when the answer has ended.
pub(super) fn limits(
    key: &Key,
    notice: Option<Notice>,
    own: Option<&Taken>,
    dialect: Dialect,
    clock: &Clock,
    headers: &mut HeaderMap,
) {
    let now = clock.now();
    let mut policies: SmallVec<[PolicyState; 8]> = SmallVec::new();
    let mut words = String::new();
    if let Some(Notice::PastDue(until)) = notice {
        let _ = write!(words, "past_due; grace-until=\"{until}\"");
    }
    let redact = key.account.plan.redact_amounts;
    key.account
        .book
        .read_beside(own, &key.levels, clock, key.account.anchor, |reading| {
            let Reading {
                figures,
                mode,
                window,
            } = reading;
            if mode == Mode::Shadow || figures.reason == Reason::Concurrency {
                return;
            }
            warn_of(&figures, redact, &mut words);
            // The fields have whole numbers alone, and a balance is nobody's rate.
            if figures.unit != Unit::Usd {
                policies.push(policy(&figures, window, now));
            }
        });
    if !redact {
        rate_limit::write(&policies, dialect, now, headers);
    }
    if let Some(value) = Some(words)
        .filter(|words| !words.is_empty())
        .and_then(field_value)
    {
        headers.insert(FAREGATE_NOTICE, value);
    }
}

/// Warns of what is used above 80 % of a quota; a minute's rate comes back by itself.
fn warn_of(figures: &Binding, redact: bool, words: &mut String) {
    let Some(per) = figures.per else {
        return;
    };
    if u128::from(figures.used) * 5 <= u128::from(figures.limit) * 4 {
        return;
    }
    let gap = if words.is_empty() { "" } else { ", " };
    let (scope, unit) = (figures.scope.as_str(), figures.unit.as_str());
    let kind = limit_kind(figures.reason, figures.unit).as_str();
    let _ = write!(words, "{gap}{kind}; scope={scope}; unit={unit}; per={per}");
    if !redact {
        let (used, limit) = (figures.amount(figures.used), figures.amount(figures.limit));
        let _ = write!(words, "; used={used}; limit={limit}");
    }
}

/// A limit and what is left of it.
fn policy(figures: &Binding, window: Duration, now: Timestamp) -> PolicyState {
    let spent = figures.used.saturating_add(figures.held);
    PolicyState {
        scope: figures.scope,
        unit: figures.unit,
        per: counted_per(figures),
        quota: figures.limit,
        window_seconds: Some(window.as_secs()).filter(|seconds| *seconds > 0),
        remaining: figures.limit.saturating_sub(spent),
        resets_at: figures
            .resets_at
            .or_else(|| figures.wait.map(|wait| now.plus(wait))),
    }
}

/// Tells the output limit that was written into the forwarded body, where it is less than it would have been.
pub(super) fn clamped(limit: Option<u64>, headers: &mut HeaderMap) {
    if let Some(limit) = limit {
        headers.insert(MAX_OUTPUT_TOKENS, HeaderValue::from(limit));
    }
}

/// Whether a request is a browser's question before the real one (Fetch standard, CORS-preflight request).
pub(super) fn is_cors_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS
        && head.headers.contains_key(header::ORIGIN)
        && head
            .headers
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The origin that may read the answer, where the request comes from a page that may call.
pub(super) fn allowed_origin(cors: &Cors, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let listed = |listed: &String| listed == "*" || listed.as_bytes() == origin.as_bytes();
    cors.origins.iter().any(listed).then(|| origin.clone())
}

/// Lets the page at `origin` read an answer.
pub(super) fn expose(origin: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

/// Tells caches that another page may get another answer: what one keeps of a request that no page sent has nothing that
/// lets a page read it (Fetch standard, CORS protocol and HTTP caches).
pub(super) fn vary_by_origin(headers: &mut HeaderMap) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

/// Answers a preflight of a page that [may read](expose) the answer: any method, and the fields that were asked for. Keys
/// travel in fields, never in cookies, so no credentials are allowed.
pub(super) fn cors_preflight(asked: Option<HeaderValue>, headers: &mut HeaderMap) {
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE"),
    );
    if let Some(asked) = asked {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
    }
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("600"),
    );
}

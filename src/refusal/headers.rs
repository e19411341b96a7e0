//! The fields of a refusal.

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LINK, REFERRER_POLICY,
        RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_FRAME_OPTIONS,
    },
};

use super::{
    Code, Detail, LimitFacts, LimitKind, Representation, buffer,
    rate_limit::{self, PolicyState},
    render::View,
};
use crate::providers::Dialect;

/// Our name for the request, on every answer.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The same for Anthropic's SDKs, which show this one.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// OpenAI's and Anthropic's SDKs obey it above their own judgement of the status.
const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// OpenAI's and Anthropic's SDKs read it before `Retry-After`.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// A page of ours loads nothing and runs nothing.
const PAGE_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");

/// Writes all fields of the answer except `Content-Length`.
pub(super) fn write(view: &View<'_>, headers: &mut HeaderMap) {
    let code = view.refusal.code;
    content(
        content_type(view.scene.representation),
        view.scene.representation == Representation::Html,
        headers,
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(id) = buffer::id(view.scene.request_id) {
        if view.scene.dialect == Dialect::Anthropic {
            headers.insert(REQUEST_ID, id.clone());
        }
        headers.insert(X_REQUEST_ID, id);
    }
    if view.verdict.stop {
        headers.insert(X_SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    retry_after(view, headers);
    if view.verdict.status == StatusCode::UNAUTHORIZED {
        // RFC 9110 §15.5.2: a 401 has a challenge.
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Detail::Allow(methods) = view.refusal.detail {
        headers.insert(ALLOW, HeaderValue::from_static(methods));
    }
    if view.verdict.status == StatusCode::PAYMENT_REQUIRED {
        payment_link(view, headers);
    }
    let counted = |limit: &LimitFacts| limit.kind != LimitKind::Budget && !view.refusal.redacts();
    if let Some(limit) = view.refusal.limit.filter(counted) {
        let wait_end = view.verdict.wait.map(|wait| view.scene.now.plus(wait));
        let reset = limit.resets_at.or(wait_end);
        let mut policy = PolicyState::refused(&limit, reset, view.scene.now);
        if code == Code::LimitOnHold {
            // The window's end is far away, the end of the calls in flight is not.
            policy.resets_at = wait_end.or(reset);
        }
        rate_limit::write(&[policy], view.scene.dialect, view.scene.now, headers);
    }
}

/// The fields that describe a body chosen by `Accept`.
pub(super) fn content(kind: HeaderValue, page: bool, headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, kind);
    // Somebody else may have named a field too, such as `Origin`.
    headers.append(VARY, HeaderValue::from_static("Accept"));
    if page {
        headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        // The pay button must not be put under somebody else's page; `default-src` says nothing about frames.
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
}

/// The media type of a representation.
pub(super) const fn content_type(representation: Representation) -> HeaderValue {
    HeaderValue::from_static(match representation {
        Representation::Dialect => "application/json",
        Representation::Problem => "application/problem+json",
        Representation::Html => "text/html; charset=utf-8",
    })
}

fn retry_after(view: &View<'_>, headers: &mut HeaderMap) {
    let (Some(wait), Some(seconds)) = (view.verdict.wait, view.verdict.seconds()) else {
        return;
    };
    put(RETRY_AFTER, buffer::value(seconds), headers);
    let rate = matches!(
        view.refusal.code,
        Code::RateLimitExceeded | Code::ConcurrencyLimitExceeded
    );
    if rate {
        let millis = wait.as_nanos().div_ceil(1_000_000).max(1);
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        put(RETRY_AFTER_MS, buffer::value(millis), headers);
    }
}

/// Where to pay, for programs (the link relation `payment` of the IANA registry, in the form of RFC 8288 §3).
fn payment_link(view: &View<'_>, headers: &mut HeaderMap) {
    let subject = view.refusal.subject.as_ref();
    let account = subject.map(|subject| &subject.account);
    let Some(page) = view.scene.links.pay(account) else {
        return;
    };
    let link = buffer::value(format_args!("<{page}>; rel=\"payment\""));
    put(LINK, link, headers);
}

fn put(name: HeaderName, value: Option<HeaderValue>, headers: &mut HeaderMap) {
    if let Some(value) = value {
        headers.insert(name, value);
    }
}

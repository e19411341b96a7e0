//! What a provider's error on a metered endpoint is to the caller. Pure.
//!
//! The provider's bill, its quota and our credential are the operator's affair: relayed as they are, they would read
//! like the caller's own.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, HeaderName, StatusCode, header::RETRY_AFTER};
use serde::Deserialize;

use crate::refusal::Code;

/// How much of an error's body is worth reading, in bytes. What is cut off there is no JSON and decides nothing.
pub const MAX_READ: usize = 64 * 1024;

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// What to do with a provider's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the caller's, as it is.
    Relay,
    /// It is answered with this code, without the provider's words.
    Refuse(Code, Option<Duration>),
}

/// Whether [`classify`] can decide by more than the status, so that the body has to be read first.
pub const fn wants_body(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 403 | 412 | 429)
}

/// Decides by status and by the first [`MAX_READ`] bytes of the body, which may be empty unless [`wants_body`].
pub fn classify(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Verdict {
    let billing = || Said::parse(body).is_some_and(|said| said.is_about_the_bill());
    let credential = || Said::parse(body).is_some_and(|said| said.is_about_the_credential());
    match status.as_u16() {
        402 => Verdict::Refuse(Code::UpstreamUnavailable, None),
        400 | 403 | 412 | 429 if billing() => Verdict::Refuse(Code::UpstreamUnavailable, None),
        400 if credential() => Verdict::Refuse(Code::UpstreamAuth, None),
        401 | 403 => Verdict::Refuse(Code::UpstreamAuth, None),
        // 529 is Anthropic's "overloaded".
        429 | 503 | 529 => Verdict::Refuse(Code::UpstreamOverloaded, retry_after(headers)),
        _ => Verdict::Relay,
    }
}

/// How long the provider asks to be left alone: as OpenAI's SDKs read it, in milliseconds where it says so, else in the
/// seconds of RFC 9110 §10.2.3, which some write with a fraction. As a date it says less than our own clock knows.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name| {
        let said = headers.get(name)?.to_str().ok()?.trim();
        let (whole, part) = said.split_once('.').unwrap_or((said, "0"));
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let begun = u64::from(part.bytes().any(|byte| byte != b'0'));
        whole.parse::<u64>().ok()?.checked_add(begun)
    };
    number(RETRY_AFTER_MS)
        .map(Duration::from_millis)
        .or_else(|| number(RETRY_AFTER).map(Duration::from_secs))
}

/// An error body, as far as it matters. `{"error": {…}}` of OpenAI and Anthropic, or xAI's `{"code", "error": "text"}`.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    error: Problem<'a>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Problem<'a> {
    Object(#[serde(borrow)] Object<'a>),
    Text(#[serde(borrow)] Cow<'a, str>),
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, default, rename = "type")]
    class: Option<Cow<'a, str>>,
    /// OpenAI has a string or null, OpenRouter a number.
    #[serde(borrow, default)]
    code: Option<Word<'a>>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    /// Anthropic.
    #[serde(borrow, default)]
    details: Option<Details<'a>>,
    /// OpenRouter.
    #[serde(borrow, default)]
    metadata: Option<Metadata<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Word<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Details<'a> {
    Coded {
        #[serde(borrow)]
        error_code: Cow<'a, str>,
    },
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Metadata<'a> {
    Limited {
        #[serde(borrow)]
        limit_source: Cow<'a, str>,
    },
    Other(serde::de::IgnoredAny),
}

impl<'a> Said<'a> {
    fn parse(body: &'a [u8]) -> Option<Self> {
        let body = body.get(..MAX_READ).unwrap_or(body).trim_ascii();
        if body.starts_with(b"[") {
            // Gemini's imitation of OpenAI has a list of the one error.
            let several: Vec<Self> = serde_json::from_slice(body).ok()?;
            return several.into_iter().next();
        }
        serde_json::from_slice(body).ok()
    }

    fn is_about_the_bill(&self) -> bool {
        match &self.error {
            Problem::Text(text) => says_bill(text),
            Problem::Object(object) => object.is_about_the_bill(),
        }
    }

    /// Gemini says so with 400, and so does Anthropic of the organization that a key is of; matched at its beginning it
    /// quotes nobody.
    fn is_about_the_credential(&self) -> bool {
        const BEGINNINGS: [&str; 4] = [
            "API key not valid",
            "API Key not found",
            "API key expired",
            "This organization has been disabled",
        ];
        let Problem::Object(object) = &self.error else {
            return false;
        };
        let message = object.message.as_deref().unwrap_or_default();
        BEGINNINGS
            .iter()
            .any(|beginning| message.starts_with(beginning))
    }
}

impl Object<'_> {
    fn is_about_the_bill(&self) -> bool {
        let code = match &self.code {
            Some(Word::Text(code)) => Some(&**code),
            _ => None,
        };
        let detail = match &self.details {
            Some(Details::Coded { error_code }) => Some(&**error_code),
            _ => None,
        };
        [code, self.class.as_deref(), detail]
            .into_iter()
            .flatten()
            .any(names_bill)
            || self.message.as_deref().is_some_and(says_bill)
            // OpenRouter names a `limit_source` only where somebody's budget binds: ours, as the caller has none there.
            || matches!(&self.metadata, Some(Metadata::Limited { limit_source }) if !limit_source.is_empty())
    }
}

/// Codes and types that speak of money: OpenAI's help pages on prepaid billing and spend limits, Anthropic's SDK, Groq's
/// spend limits, Moonshot's (`exceeded_current_quota_error`), Alibaba's (`Arrearage`) and Volcengine's
/// (`AccountOverdueError`) lists of errors.
/// `rate_limit_exceeded` and Anthropic's `ramp_limit_exceeded` clear by themselves and are not among them.
fn names_bill(word: &str) -> bool {
    matches!(
        word,
        "insufficient_quota"
            | "credit_balance_exhausted"
            | "billing_hard_limit_reached"
            | "billing_not_active"
            | "billing_error"
            | "blocked_api_access"
            | "exceeded_current_quota_error"
            | "Arrearage"
            | "AccountOverdueError"
    ) || [
        "_spend_limit_exceeded",
        "_usage_limit_exceeded",
        "_spend_limit_reached",
        "_billing_unavailable",
    ]
    .iter()
    .any(|end| word.ends_with(end))
}

/// Messages that are all there is to tell by: Anthropic's three, Gemini's two, and Z.ai's, whose code is a number. "You exceeded
/// your current quota" is not one of them, as Gemini says it of requests per minute too. They are matched at their beginning,
/// except xAI's and Fireworks', which begin with a name: further on they might quote the caller.
fn says_bill(message: &str) -> bool {
    const BEGINNINGS: [&str; 6] = [
        "Your credit balance is too low",
        "You have reached your specified API usage limits",
        "You have reached your specified workspace API usage limits",
        "Your prepayment credits are depleted",
        "Gemini API free tier is not available",
        "Insufficient balance",
    ];
    BEGINNINGS
        .iter()
        .any(|beginning| message.starts_with(beginning))
        || (message.starts_with("Your team ")
            && message.contains("used all available credits or reached its monthly spending limit"))
        || (message.starts_with("Account ")
            && message
                .contains(" is suspended, possibly due to reaching the monthly spending limit"))
}

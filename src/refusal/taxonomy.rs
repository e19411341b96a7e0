//! What each vendor calls a cause: the words that its SDKs turn into exception classes.

use http::StatusCode;

use super::{Code, LimitKind, Refusal};
use crate::domain::Unit;

/// OpenAI's `error.type`.
pub(super) fn openai(refusal: &Refusal, status: StatusCode) -> &'static str {
    let code = refusal.code;
    match code {
        Code::CreditExhausted
        | Code::InsufficientCreditForRequest
        | Code::QuotaExhausted
        | Code::BudgetExceeded
        | Code::RequestExceedsLimit => "insufficient_quota",
        // OpenAI names the unit that ran out: `requests` or `tokens`. It has no word for money that comes back.
        Code::CreditOnHold
        | Code::LimitOnHold
        | Code::RateLimitExceeded
        | Code::ConcurrencyLimitExceeded => refusal
            .limit
            .filter(|limit| matches!(limit.kind, LimitKind::Quota | LimitKind::RateLimit))
            .map_or(Unit::Requests, |limit| limit.unit)
            .as_str(),
        Code::UnsupportedTransferCoding => "invalid_request_error",
        code if code.is_the_providers() => "api_error",
        _ => match status {
            StatusCode::PAYMENT_REQUIRED => "insufficient_quota",
            StatusCode::FORBIDDEN => "permission_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        },
    }
}

/// Anthropic's `error.type`: one of the ten that its SDKs know.
pub(super) fn anthropic(code: Code, status: StatusCode) -> &'static str {
    match (status, code) {
        (StatusCode::UNAUTHORIZED, _) => "authentication_error",
        (StatusCode::PAYMENT_REQUIRED, _) => "billing_error",
        (StatusCode::FORBIDDEN, _) => "permission_error",
        (StatusCode::NOT_FOUND, _) => "not_found_error",
        (StatusCode::TOO_MANY_REQUESTS, _) => "rate_limit_error",
        (StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT, _) => "timeout_error",
        (_, Code::Overloaded | Code::Draining | Code::UpstreamOverloaded) => "overloaded_error",
        (_, Code::UnsupportedTransferCoding) => "invalid_request_error",
        (status, _) if status.is_server_error() => "api_error",
        _ => "invalid_request_error",
    }
}

/// Google's canonical code (`google.rpc.Code`) for Gemini's `error.status`.
pub(super) fn gemini(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
        StatusCode::PAYMENT_REQUIRED | StatusCode::TOO_MANY_REQUESTS => "RESOURCE_EXHAUSTED",
        StatusCode::FORBIDDEN => "PERMISSION_DENIED",
        StatusCode::NOT_FOUND => "NOT_FOUND",
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => "DEADLINE_EXCEEDED",
        StatusCode::INTERNAL_SERVER_ERROR => "INTERNAL",
        StatusCode::NOT_IMPLEMENTED | StatusCode::METHOD_NOT_ALLOWED => "UNIMPLEMENTED",
        status if status.is_server_error() => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    }
}

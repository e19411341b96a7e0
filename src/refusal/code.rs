//! The closed list of codes. A code is stable: clients branch on it.

use http::StatusCode;

use crate::domain::Closure;

/// Why a call was not answered by the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// 401: invalid API key.
    InvalidApiKey,
    /// 400: ambiguous credentials.
    AmbiguousCredentials,
    /// 403: permission denied.
    PermissionDenied,
    /// 402: plan upgrade required.
    PlanUpgradeRequired,
    /// 402: subscription required.
    SubscriptionRequired,
    /// 402: subscription incomplete.
    SubscriptionIncomplete,
    /// 402: subscription never started.
    SubscriptionIncompleteExpired,
    /// 402: subscription unpaid.
    SubscriptionUnpaid,
    /// 402: subscription canceled.
    SubscriptionCanceled,
    /// 402: subscription paused.
    SubscriptionPaused,
    /// 402: subscription past due.
    SubscriptionPastDue,
    /// 402: subscription expired.
    SubscriptionExpired,
    /// 402: credit exhausted.
    CreditExhausted,
    /// 402: insufficient credit for this request.
    InsufficientCreditForRequest,
    /// 402: quota exhausted.
    QuotaExhausted,
    /// 402: budget exceeded.
    BudgetExceeded,
    /// 402: request exceeds a limit.
    RequestExceedsLimit,
    /// 429: credit on hold.
    CreditOnHold,
    /// 429: limit on hold.
    LimitOnHold,
    /// 429: rate limit exceeded.
    RateLimitExceeded,
    /// 429: concurrency limit exceeded.
    ConcurrencyLimitExceeded,
    /// 400: model not priced.
    ModelNotPriced,
    /// 404: model not found.
    ModelNotFound,
    /// 404: route not found.
    RouteNotFound,
    /// 405: method not allowed.
    MethodNotAllowed,
    /// 400: invalid path.
    InvalidPath,
    /// 400: invalid host.
    InvalidHost,
    /// 400: invalid target.
    InvalidTarget,
    /// 400: invalid header.
    InvalidHeader,
    /// 400: invalid framing.
    InvalidFraming,
    /// 400: invalid JSON.
    InvalidJson,
    /// 400: ambiguous JSON.
    AmbiguousJson,
    /// 400: endpoint not in this dialect.
    EndpointNotInDialect,
    /// 400: invalid signature.
    InvalidSignature,
    /// 408: request timeout.
    RequestTimeout,
    /// 413: body too large.
    BodyTooLarge,
    /// 414: target too long.
    TargetTooLong,
    /// 415: unsupported content encoding.
    UnsupportedContentEncoding,
    /// 431: header fields too large.
    HeadersTooLarge,
    /// 501: unsupported transfer coding.
    UnsupportedTransferCoding,
    /// 503: billing unavailable.
    BillingUnavailable,
    /// 503: overloaded.
    Overloaded,
    /// 503: shutting down.
    Draining,
    /// 500: internal error.
    InternalError,
    /// 502: provider unreachable.
    UpstreamUnreachable,
    /// 502: provider's certificate refused.
    UpstreamTls,
    /// 502: provider refused our credential.
    UpstreamAuth,
    /// 502: provider broke off.
    UpstreamDisconnected,
    /// 502: provider's answer is invalid.
    UpstreamInvalidResponse,
    /// 504: provider did not accept in time.
    UpstreamConnectTimeout,
    /// 504: provider did not answer in time.
    UpstreamTimeout,
    /// 503: provider unavailable.
    UpstreamUnavailable,
    /// 503: provider overloaded.
    UpstreamOverloaded,
}

impl Code {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 53] = [
        Self::InvalidApiKey,
        Self::AmbiguousCredentials,
        Self::PermissionDenied,
        Self::PlanUpgradeRequired,
        Self::SubscriptionRequired,
        Self::SubscriptionIncomplete,
        Self::SubscriptionIncompleteExpired,
        Self::SubscriptionUnpaid,
        Self::SubscriptionCanceled,
        Self::SubscriptionPaused,
        Self::SubscriptionPastDue,
        Self::SubscriptionExpired,
        Self::CreditExhausted,
        Self::InsufficientCreditForRequest,
        Self::QuotaExhausted,
        Self::BudgetExceeded,
        Self::RequestExceedsLimit,
        Self::CreditOnHold,
        Self::LimitOnHold,
        Self::RateLimitExceeded,
        Self::ConcurrencyLimitExceeded,
        Self::ModelNotPriced,
        Self::ModelNotFound,
        Self::RouteNotFound,
        Self::MethodNotAllowed,
        Self::InvalidPath,
        Self::InvalidHost,
        Self::InvalidTarget,
        Self::InvalidHeader,
        Self::InvalidFraming,
        Self::InvalidJson,
        Self::AmbiguousJson,
        Self::EndpointNotInDialect,
        Self::InvalidSignature,
        Self::RequestTimeout,
        Self::BodyTooLarge,
        Self::TargetTooLong,
        Self::UnsupportedContentEncoding,
        Self::HeadersTooLarge,
        Self::UnsupportedTransferCoding,
        Self::BillingUnavailable,
        Self::Overloaded,
        Self::Draining,
        Self::InternalError,
        Self::UpstreamUnreachable,
        Self::UpstreamTls,
        Self::UpstreamAuth,
        Self::UpstreamDisconnected,
        Self::UpstreamInvalidResponse,
        Self::UpstreamConnectTimeout,
        Self::UpstreamTimeout,
        Self::UpstreamUnavailable,
        Self::UpstreamOverloaded,
    ];

    /// Whether it tells of a failure of the provider, or between it and us.
    pub const fn is_the_providers(self) -> bool {
        matches!(
            self,
            Self::UpstreamUnreachable
                | Self::UpstreamTls
                | Self::UpstreamAuth
                | Self::UpstreamDisconnected
                | Self::UpstreamInvalidResponse
                | Self::UpstreamConnectTimeout
                | Self::UpstreamTimeout
                | Self::UpstreamUnavailable
                | Self::UpstreamOverloaded
        )
    }

    /// The code as clients read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidApiKey => "invalid_api_key",
            Self::AmbiguousCredentials => "ambiguous_credentials",
            Self::PermissionDenied => "permission_denied",
            Self::PlanUpgradeRequired => "plan_upgrade_required",
            Self::SubscriptionRequired => "subscription_required",
            Self::SubscriptionIncomplete => "subscription_incomplete",
            Self::SubscriptionIncompleteExpired => "subscription_incomplete_expired",
            Self::SubscriptionUnpaid => "subscription_unpaid",
            Self::SubscriptionCanceled => "subscription_canceled",
            Self::SubscriptionPaused => "subscription_paused",
            Self::SubscriptionPastDue => "subscription_past_due",
            Self::SubscriptionExpired => "subscription_expired",
            Self::CreditExhausted => "credit_exhausted",
            Self::InsufficientCreditForRequest => "insufficient_credit_for_request",
            Self::QuotaExhausted => "quota_exhausted",
            Self::BudgetExceeded => "budget_exceeded",
            Self::RequestExceedsLimit => "request_exceeds_limit",
            Self::CreditOnHold => "credit_on_hold",
            Self::LimitOnHold => "limit_on_hold",
            Self::RateLimitExceeded => "rate_limit_exceeded",
            Self::ConcurrencyLimitExceeded => "concurrency_limit_exceeded",
            Self::ModelNotPriced => "model_not_priced",
            Self::ModelNotFound => "model_not_found",
            Self::RouteNotFound => "route_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::InvalidPath => "invalid_path",
            Self::InvalidHost => "invalid_host",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidHeader => "invalid_header",
            Self::InvalidFraming => "invalid_framing",
            Self::InvalidJson => "invalid_json",
            Self::AmbiguousJson => "ambiguous_json",
            Self::EndpointNotInDialect => "endpoint_not_in_dialect",
            Self::InvalidSignature => "invalid_signature",
            Self::RequestTimeout => "request_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::TargetTooLong => "target_too_long",
            Self::UnsupportedContentEncoding => "unsupported_content_encoding",
            Self::HeadersTooLarge => "headers_too_large",
            Self::UnsupportedTransferCoding => "unsupported_transfer_coding",
            Self::BillingUnavailable => "billing_unavailable",
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
            Self::InternalError => "internal_error",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamTls => "upstream_tls",
            Self::UpstreamAuth => "upstream_auth",
            Self::UpstreamDisconnected => "upstream_disconnected",
            Self::UpstreamInvalidResponse => "upstream_invalid_response",
            Self::UpstreamConnectTimeout => "upstream_connect_timeout",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamUnavailable => "upstream_unavailable",
            Self::UpstreamOverloaded => "upstream_overloaded",
        }
    }

    /// A title for a person.
    pub const fn title(self) -> &'static str {
        match self {
            Self::InvalidApiKey => "Invalid API key",
            Self::AmbiguousCredentials => "Ambiguous credentials",
            Self::PermissionDenied => "Permission denied",
            Self::PlanUpgradeRequired => "Plan upgrade required",
            Self::SubscriptionRequired => "Subscription required",
            Self::SubscriptionIncomplete => "Subscription incomplete",
            Self::SubscriptionIncompleteExpired => "Subscription never started",
            Self::SubscriptionUnpaid => "Subscription unpaid",
            Self::SubscriptionCanceled => "Subscription canceled",
            Self::SubscriptionPaused => "Subscription paused",
            Self::SubscriptionPastDue => "Subscription past due",
            Self::SubscriptionExpired => "Subscription expired",
            Self::CreditExhausted => "Credit exhausted",
            Self::InsufficientCreditForRequest => "Insufficient credit for this request",
            Self::QuotaExhausted => "Quota exhausted",
            Self::BudgetExceeded => "Budget exceeded",
            Self::RequestExceedsLimit => "Request exceeds a limit",
            Self::CreditOnHold => "Credit on hold",
            Self::LimitOnHold => "Limit on hold",
            Self::RateLimitExceeded => "Rate limit exceeded",
            Self::ConcurrencyLimitExceeded => "Concurrency limit exceeded",
            Self::ModelNotPriced => "Model not priced",
            Self::ModelNotFound => "Model not found",
            Self::RouteNotFound => "Route not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::InvalidPath => "Invalid path",
            Self::InvalidHost => "Invalid host",
            Self::InvalidTarget => "Invalid target",
            Self::InvalidHeader => "Invalid header",
            Self::InvalidFraming => "Invalid framing",
            Self::InvalidJson => "Invalid JSON",
            Self::AmbiguousJson => "Ambiguous JSON",
            Self::EndpointNotInDialect => "Endpoint not in this dialect",
            Self::InvalidSignature => "Invalid signature",
            Self::RequestTimeout => "Request timeout",
            Self::BodyTooLarge => "Body too large",
            Self::TargetTooLong => "Target too long",
            Self::UnsupportedContentEncoding => "Unsupported content encoding",
            Self::HeadersTooLarge => "Header fields too large",
            Self::UnsupportedTransferCoding => "Unsupported transfer coding",
            Self::BillingUnavailable => "Billing unavailable",
            Self::Overloaded => "Overloaded",
            Self::Draining => "Shutting down",
            Self::InternalError => "Internal error",
            Self::UpstreamUnreachable => "Provider unreachable",
            Self::UpstreamTls => "Provider's certificate refused",
            Self::UpstreamAuth => "Provider refused our credential",
            Self::UpstreamDisconnected => "Provider broke off",
            Self::UpstreamInvalidResponse => "Provider's answer is invalid",
            Self::UpstreamConnectTimeout => "Provider did not accept in time",
            Self::UpstreamTimeout => "Provider did not answer in time",
            Self::UpstreamUnavailable => "Provider unavailable",
            Self::UpstreamOverloaded => "Provider overloaded",
        }
    }

    /// The status of the answer, unless a quota or budget asks for another.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::AmbiguousCredentials
            | Self::InvalidPath
            | Self::InvalidHost
            | Self::InvalidTarget
            | Self::InvalidHeader
            | Self::InvalidFraming
            | Self::InvalidJson
            | Self::AmbiguousJson
            | Self::EndpointNotInDialect
            | Self::InvalidSignature
            | Self::ModelNotPriced => StatusCode::BAD_REQUEST,
            Self::InvalidApiKey => StatusCode::UNAUTHORIZED,
            Self::PlanUpgradeRequired
            | Self::SubscriptionRequired
            | Self::SubscriptionIncomplete
            | Self::SubscriptionIncompleteExpired
            | Self::SubscriptionUnpaid
            | Self::SubscriptionCanceled
            | Self::SubscriptionPaused
            | Self::SubscriptionPastDue
            | Self::SubscriptionExpired
            | Self::CreditExhausted
            | Self::InsufficientCreditForRequest
            | Self::QuotaExhausted
            | Self::BudgetExceeded
            | Self::RequestExceedsLimit => StatusCode::PAYMENT_REQUIRED,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::ModelNotFound | Self::RouteNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::UnsupportedContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::CreditOnHold
            | Self::LimitOnHold
            | Self::RateLimitExceeded
            | Self::ConcurrencyLimitExceeded => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::UnsupportedTransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::UpstreamUnreachable
            | Self::UpstreamTls
            | Self::UpstreamAuth
            | Self::UpstreamDisconnected
            | Self::UpstreamInvalidResponse => StatusCode::BAD_GATEWAY,
            Self::BillingUnavailable
            | Self::Overloaded
            | Self::Draining
            | Self::UpstreamUnavailable
            | Self::UpstreamOverloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamConnectTimeout | Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl From<Closure> for Code {
    fn from(closure: Closure) -> Self {
        match closure {
            Closure::Expired => Self::SubscriptionExpired,
            Closure::PastDue => Self::SubscriptionPastDue,
            Closure::Incomplete => Self::SubscriptionIncomplete,
            Closure::IncompleteExpired => Self::SubscriptionIncompleteExpired,
            Closure::Unpaid => Self::SubscriptionUnpaid,
            Closure::Canceled => Self::SubscriptionCanceled,
            Closure::Paused => Self::SubscriptionPaused,
        }
    }
}

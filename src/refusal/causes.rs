//! The shortest text for each code: its cause and what to do, for a refusal that knows no more.

use super::Code;

/// The cause as a sentence without its full stop, and what to do as a clause.
pub(super) const fn cause(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::InvalidApiKey => (
            "The API key is missing, unknown, revoked or expired",
            "send a valid key as `Authorization: Bearer <key>` or `x-api-key: <key>`",
        ),
        Code::AmbiguousCredentials => (
            "The request carries two different credentials",
            "send one key in one place",
        ),
        Code::PermissionDenied => (
            "This key is not allowed to do that",
            "ask the account's owner for access, or use another key",
        ),
        Code::PlanUpgradeRequired => ("The plan does not include this model", ""),
        Code::SubscriptionRequired => {
            ("The plan needs a subscription and the account has none", "")
        }
        Code::SubscriptionIncomplete => (
            "The first payment for the subscription has not succeeded",
            "",
        ),
        Code::SubscriptionIncompleteExpired => (
            "The subscription never started, because its first payment did not succeed",
            "",
        ),
        Code::SubscriptionUnpaid => (
            "The subscription is unpaid, because every attempt to collect the payment failed",
            "",
        ),
        Code::SubscriptionCanceled => ("The subscription is canceled", ""),
        Code::SubscriptionPaused => ("The subscription is paused", ""),
        Code::SubscriptionPastDue => (
            "The subscription is past due and its grace period is over",
            "",
        ),
        Code::SubscriptionExpired => ("The subscription has ended", ""),
        Code::CreditExhausted => ("The credit is used up", ""),
        Code::InsufficientCreditForRequest => (
            "This request may cost more than the credit that is left",
            "lower the output limit or shorten the input",
        ),
        Code::QuotaExhausted => ("The quota is used up", ""),
        Code::BudgetExceeded => ("The budget is used up", ""),
        Code::RequestExceedsLimit => (
            "This request alone may take more than a quota or budget allows",
            "lower the output limit or shorten the input",
        ),
        Code::CreditOnHold => ("Calls in flight hold what is left of the credit", ""),
        Code::LimitOnHold => ("Calls in flight hold what is left of a quota or budget", ""),
        Code::RateLimitExceeded => ("The rate limit is reached", ""),
        Code::ConcurrencyLimitExceeded => ("Too many calls at the same time", ""),
        Code::ModelNotPriced => (
            "What was asked for has no price here, and this account's use is counted in money",
            "ask who runs this gateway to add one, or use another model",
        ),
        Code::ModelNotFound => (
            "The model is not served here or not open to this key",
            "`GET /v1/models` lists the models that are",
        ),
        Code::RouteNotFound => (
            "Nothing is served at this path",
            "check the base URL and the path",
        ),
        Code::MethodNotAllowed => ("This path does not support the method", ""),
        Code::InvalidPath => (
            "The path has dot segments, an encoded slash, `//`, a backslash, a NUL, a line break or a `%` \
without two hexadecimal digits",
            "send the path in its plain form",
        ),
        Code::InvalidHost => (
            "The `Host` field is missing, repeated or not a host name",
            "send it once",
        ),
        Code::InvalidTarget => (
            "The request target has a form that is not served here",
            "send a path that begins with a slash",
        ),
        Code::InvalidHeader => (
            "A header field is not allowed or not well-formed",
            "check the fields that the client or a proxy in between adds",
        ),
        Code::InvalidFraming => (
            "The length of the body is not clear from the header fields",
            "send either `Content-Length` or `Transfer-Encoding: chunked`, once",
        ),
        Code::InvalidJson => (
            "The request body is not valid JSON",
            "send one JSON object in UTF-8",
        ),
        Code::AmbiguousJson => (
            "The request body has the same member twice",
            "send each member once",
        ),
        Code::EndpointNotInDialect => (
            "The model is served in a different dialect from this path's",
            "call it at the path of its own dialect",
        ),
        Code::InvalidSignature => (
            "The signature does not belong to this body and a secret of this endpoint, or it is too old",
            "check the secret and the clock, and send the event again",
        ),
        Code::RequestTimeout => (
            "The request did not arrive in time",
            "send it again over a faster or steadier connection",
        ),
        Code::BodyTooLarge => (
            "The request body is too large",
            "send less, or upload the file and refer to it",
        ),
        Code::TargetTooLong => (
            "The request target is too long",
            "move parameters into the body",
        ),
        Code::UnsupportedContentEncoding => (
            "The request body has a `Content-Encoding` that is not supported here",
            "send it without one",
        ),
        Code::HeadersTooLarge => (
            "The header fields are too large or too many",
            "send fewer or shorter ones; cookies are the usual cause",
        ),
        Code::UnsupportedTransferCoding => (
            "The request has a `Transfer-Encoding` other than `chunked`",
            "send it with `Transfer-Encoding: chunked` or with `Content-Length`",
        ),
        Code::BillingUnavailable => (
            "Limits and subscriptions cannot be checked at the moment, so nothing is forwarded",
            "",
        ),
        Code::Overloaded => (
            "The gateway is at capacity and takes no further calls at the moment",
            "",
        ),
        Code::Draining => ("The gateway is shutting down", ""),
        Code::InternalError => (
            "The gateway failed to handle this request",
            "tell who runs it the request id",
        ),
        Code::UpstreamUnreachable => ("The provider could not be reached", ""),
        Code::UpstreamTls => (
            "No secure connection to the provider could be made",
            "tell who runs this gateway",
        ),
        Code::UpstreamAuth => (
            "The provider did not accept the gateway's own credential",
            "tell who runs this gateway; your key is fine",
        ),
        Code::UpstreamDisconnected => ("The provider's answer ended before it was complete", ""),
        Code::UpstreamInvalidResponse => ("The provider's answer could not be understood", ""),
        Code::UpstreamConnectTimeout => ("The provider did not accept the connection in time", ""),
        Code::UpstreamTimeout => ("The provider did not answer in time", ""),
        Code::UpstreamUnavailable => (
            "The provider does not serve this gateway at the moment",
            "tell who runs this gateway; your account is fine",
        ),
        Code::UpstreamOverloaded => (
            "The provider is overloaded or limits this gateway's rate",
            "",
        ),
    }
}

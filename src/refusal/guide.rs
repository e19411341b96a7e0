//! What each code means to a person, how to fix it and how to prevent it.

use super::Code;

/// Three short paragraphs.
pub(super) struct Guide {
    /// What happened.
    pub(super) meaning: &'static str,
    /// What to do now.
    pub(super) fix: &'static str,
    /// What to do so that it does not happen again.
    pub(super) prevention: &'static str,
}

impl Guide {
    const fn new(meaning: &'static str, fix: &'static str, prevention: &'static str) -> Self {
        Self {
            meaning,
            fix,
            prevention,
        }
    }
}

/// The guide to `code`.
pub(super) const fn guide(code: Code) -> Guide {
    match code {
        Code::InvalidApiKey => Guide::new(
            "The request had no API key, or one that is not valid: never issued, revoked or expired. For \
security, the answer does not tell an unknown key from a revoked one.",
            "Send the key as `Authorization: Bearer <key>`, `x-api-key`, `x-goog-api-key` or `api-key`. Check \
that it is complete, without quotes or line breaks, and that it belongs to this gateway and not to a \
provider. If it was rotated or has expired, take the new one.",
            "Read the key from the environment or a secret store, rotate it before it expires, and use the \
overlap in which the old and the new key both work.",
        ),
        Code::AmbiguousCredentials => Guide::new(
            "The request carried two different credentials, for example one in `Authorization` and another in \
`x-api-key`, and guessing could charge the wrong account.",
            "Send one key in one place. The same key in two places is accepted.",
            "Look for a second key in environment variables that the SDK reads by itself, and in proxies that \
add a header.",
        ),
        Code::PermissionDenied => Guide::new(
            "The key is valid, but it is not allowed to do what it asked for: the key or account is disabled, or \
the model, the route, the address it came from or an unmetered path is not allowed.",
            "Use a key that may do this, or ask the account's owner or whoever runs the gateway to allow it. \
Paying does not lift this refusal.",
            "Ask `GET /v1/models` what a key may use, and keep one key for each purpose.",
        ),
        Code::PlanUpgradeRequired => Guide::new(
            "The model exists here, but the account's plan does not include it; another plan does.",
            "Upgrade the plan at the address in the answer, or use a model from `GET /v1/models`.",
            "Choose models from `GET /v1/models`, which lists what the key's plan includes.",
        ),
        Code::SubscriptionRequired => Guide::new(
            "The account's plan needs a subscription and the account has none.",
            "Subscribe at the address in the answer. The next request after the payment is served.",
            "Subscribe before keys go into use.",
        ),
        Code::SubscriptionIncomplete => Guide::new(
            "A subscription was started, but its first payment has not succeeded, perhaps because the bank \
wants a confirmation.",
            "Complete the payment or use another payment method at the address in the answer.",
            "Confirm the first payment at once when the bank asks for it; payment providers give up after \
about a day.",
        ),
        Code::SubscriptionIncompleteExpired => Guide::new(
            "A subscription was started, but its first payment never succeeded and it can no longer be \
completed.",
            "Subscribe again at the address in the answer.",
            "Confirm the first payment at once when the bank asks for it.",
        ),
        Code::SubscriptionUnpaid => Guide::new(
            "Every attempt to collect the subscription's payment failed.",
            "Pay the open invoice and update the payment method at the address in the answer.",
            "Keep a second payment method on file and watch for the header `faregate-notice` on answers while \
a payment is due.",
        ),
        Code::SubscriptionCanceled => Guide::new(
            "The subscription was canceled and has ended.",
            "Renew it at the address in the answer.",
            "Cancel at the end of a period, and move keys to another account or plan before that day.",
        ),
        Code::SubscriptionPaused => Guide::new(
            "The subscription is paused: a trial ended without a payment method, or somebody paused it.",
            "Add a payment method or resume the subscription at the address in the answer.",
            "Add a payment method before a trial ends.",
        ),
        Code::SubscriptionPastDue => Guide::new(
            "A payment failed, and the time in which calls were served all the same is over.",
            "Update the payment method and pay at the address in the answer. The next request after the \
payment is served.",
            "Watch for `faregate-notice` on answers: it appears as soon as a payment is due, while calls are \
still served.",
        ),
        Code::SubscriptionExpired => Guide::new(
            "The subscription or its trial has ended and was not renewed.",
            "Renew it at the address in the answer.",
            "Let the subscription renew automatically, or renew it before it ends.",
        ),
        Code::CreditExhausted => Guide::new(
            "The account pays for each call from prepaid credit, and none is left. The \
answer names the balance, which is a little below zero where a call cost more than was held for \
it.",
            "Top up at the address in the answer. The next request after the payment is served.",
            "Read the balance at `GET /v1/faregate/limits`, and top up while something is left.",
        ),
        Code::InsufficientCreditForRequest => Guide::new(
            "What this request may cost at most, its input and its whole output limit, is more than the credit \
that is left. It was refused before it was forwarded, so it cost nothing. At the end of a stream \
it means that the answer grew beyond what was held for it and was cut off; what arrived is \
charged.",
            "Send it again with the `max_affordable_tokens` of the answer as its output limit (`max_tokens`, \
`max_completion_tokens` or `max_output_tokens`), shorten the input, or top up at the address in \
the answer. Where `max_affordable_tokens` is 0, no output limit makes it affordable.",
            "Set an output limit that fits the task, because credit is held for the most that a request can \
cost until its answer has ended, and top up before little is left.",
        ),
        Code::QuotaExhausted => Guide::new(
            "The requests or tokens that are allowed in this window are used up. The answer names the \
quota, whose it is, and when it resets. Retrying before then gives the same answer.",
            "Wait for the reset. A plan's quota is larger on a larger plan, at the address in the answer; a \
key's or an account's own is raised by whoever set it.",
            "Read the `RateLimit` fields of every answer or `GET /v1/faregate/limits`, and slow down while \
something is left; `faregate-notice` warns above 80 %.",
        ),
        Code::BudgetExceeded => Guide::new(
            "The money that is allowed in this window is spent. The answer names the budget, when it \
resets and whose it is: the key's, the account's or the plan's. Retrying before then gives the \
same answer. At the end of a stream it means that the answer grew beyond what was held \
for it and was cut off; what arrived is charged.",
            "Wait for the reset. A plan's budget is larger on a larger plan, at the address in the answer; a \
key's or an account's own is raised by whoever set it.",
            "Read what is left at `GET /v1/faregate/limits`, use smaller models and output limits, and give \
keys budgets of their own, so that one key cannot spend what all of them share.",
        ),
        Code::RequestExceedsLimit => Guide::new(
            "What this request may use at most, its input and its output limit together, is more than a quota \
or budget holds or has left. It was refused before it was forwarded, so it used nothing. At the \
end of a stream it means that the answer grew beyond what was held for it and was cut off; what \
arrived is counted.",
            "Lower the output limit (`max_tokens`, `max_completion_tokens` or `max_output_tokens`) or shorten \
the input. If the answer offers a wait, the request fits the next window; if not, it fits none \
and only a larger plan helps.",
            "Set an output limit that fits the task, because a request is counted with the most it can use \
until its answer has ended.",
        ),
        Code::CreditOnHold => Guide::new(
            "There is enough credit, but calls that are still being answered hold it, because each holds the \
most that it can cost until it ends.",
            "Try again after the time in `Retry-After`; SDKs do so automatically.",
            "Set smaller output limits, so that calls hold less, run fewer at the same time, or keep more \
credit.",
        ),
        Code::LimitOnHold => Guide::new(
            "Enough is left of the quota or budget, but calls that are still being answered hold it, because each holds \
the most that it can use until it ends.",
            "Try again after the time in `Retry-After`; SDKs do so automatically.",
            "Set smaller output limits, so that calls hold less, or run fewer at the same time.",
        ),
        Code::RateLimitExceeded => Guide::new(
            "More requests or tokens per minute than allowed, or too many unknown keys from one address. Only time helps.",
            "Try again after the time in `Retry-After`; SDKs do so automatically.",
            "Spread calls over the minute. `RateLimit` on every answer says how much is left and when it is \
full again.",
        ),
        Code::ConcurrencyLimitExceeded => Guide::new(
            "More calls at the same time than allowed. A stream counts until its last byte.",
            "Try again when one of the calls in flight has ended.",
            "Put calls through a pool of workers no larger than the limit, and close streams that are no \
longer read.",
        ),
        Code::ModelNotPriced => Guide::new(
            "The account's use is counted in money, from credit or against a budget, and what was asked \
for has no price here: the model itself, a kind of input or output such as images or audio, or an \
option that changes the price. So nothing is served for free by accident.",
            "Tell whoever runs the gateway to add a price, leave out the option that the message names, or use \
another model.",
            "Operators: give every model a row in `prices` that names everything its provider charges \
for; 0 is a price too.",
        ),
        Code::ModelNotFound => Guide::new(
            "The model that the request names is not served here, or not allowed for this key.",
            "Use a name from `GET /v1/models` exactly as it is written there.",
            "Take model names from configuration and check them against `GET /v1/models` at start.",
        ),
        Code::RouteNotFound => Guide::new(
            "Nothing is served at this path.",
            "Check the base URL of the client: most SDKs want it to end in `/v1`, Anthropic's does not.",
            "Set the base URL in one place.",
        ),
        Code::MethodNotAllowed => Guide::new(
            "The path exists, but not for this method. `Allow` lists those that it supports.",
            "Use one of the methods in `Allow`.",
            "Call the API through an SDK or its documented paths.",
        ),
        Code::InvalidPath => Guide::new(
            "The path has dot segments, an encoded slash or backslash, `//`, a NUL, a line break or a `%` without \
two hexadecimal digits. Such a path can mean different things to two programs, so it is refused rather than repaired.",
            "Send the path in its plain form, and percent-encode each name in it separately.",
            "Build URLs with a library, and do not join a base that ends in a slash to a path that begins \
with one.",
        ),
        Code::InvalidHost => Guide::new(
            "The `Host` field is missing, sent twice, or not a host name.",
            "Send `Host` once, with the name from the base URL.",
            "Leave `Host` to the HTTP client, and check what a proxy in between makes of it.",
        ),
        Code::InvalidTarget => Guide::new(
            "The request line has a target that an API does not use: an authority, an asterisk, or a form \
that is not a path.",
            "Send a path that begins with a slash.",
            "Use the gateway as a base URL and not as a forward proxy.",
        ),
        Code::InvalidHeader => Guide::new(
            "A header field is not allowed here or not well-formed.",
            "Check the fields that the client, or a proxy in between, adds.",
            "Build header values from checked text without line breaks or control characters.",
        ),
        Code::InvalidFraming => Guide::new(
            "It is not clear where the body ends, for example because its chunks are malformed or because a request \
for a WebSocket has one. Such requests can be used to hide a second request, so they are refused and the \
connection is closed.",
            "Send either one `Content-Length` or `Transfer-Encoding: chunked`.",
            "Leave framing to the HTTP client, and update old proxies in between.",
        ),
        Code::InvalidJson => Guide::new(
            "The body is not one valid JSON object in UTF-8, or a member that decides about the call has the \
wrong type.",
            "Check the body at the place that the message names.",
            "Build the body with a JSON library and send `Content-Type: application/json`.",
        ),
        Code::AmbiguousJson => Guide::new(
            "The body has the same member twice at its top level. Programs differ in which one they use, so a \
check here could look at a different value from the one that the provider uses.",
            "Send each member once.",
            "Build the body from a map instead of joining text.",
        ),
        Code::EndpointNotInDialect => Guide::new(
            "The model is served by a provider whose API differs from that of the path that was called.",
            "Call the path that the message names, with the SDK of that provider.",
            "Configure the model and its SDK together.",
        ),
        Code::InvalidSignature => Guide::new(
            "A payment event came without a signature that belongs to its body and to a secret of the endpoint, or \
its time is more than five minutes from the gateway's. For security, the answer does not say which.",
            "Compare the secret in the payment provider's dashboard with the one in the configuration, look at the \
gateway's log, which says what was wrong, and send the event again from the dashboard. Nothing between the provider \
and the gateway may change the body by a single byte.",
            "While you change a secret, list the old and the new one. Keep the machine's clock accurate.",
        ),
        Code::RequestTimeout => Guide::new(
            "The request did not arrive completely in time.",
            "Send it again; over a slow connection, send less at once.",
            "Send the body without pauses, and upload large files separately.",
        ),
        Code::BodyTooLarge => Guide::new(
            "The body is larger than the gateway accepts.",
            "Send less: fewer or smaller images, a shorter history, or a reference to an uploaded file.",
            "Check sizes before sending.",
        ),
        Code::TargetTooLong => Guide::new(
            "The path and query together are longer than the gateway accepts.",
            "Move parameters into the body.",
            "Keep keys and content out of query strings.",
        ),
        Code::UnsupportedContentEncoding => Guide::new(
            "The body is compressed in a way that the gateway does not read, and it has to read the model and \
the limits in it.",
            "Send the body without `Content-Encoding`.",
            "Turn off request compression in the client.",
        ),
        Code::HeadersTooLarge => Guide::new(
            "The header fields are too large or too many.",
            "Send fewer or shorter fields; cookies are the usual cause.",
            "Use a separate client for the API, without a browser's cookies.",
        ),
        Code::UnsupportedTransferCoding => Guide::new(
            "The request has a transfer coding other than `chunked`.",
            "Send the body with `Transfer-Encoding: chunked` or with `Content-Length`.",
            "Leave framing to the HTTP client.",
        ),
        Code::BillingUnavailable => Guide::new(
            "The gateway cannot check or write limits and subscriptions at the moment, and it forwards \
nothing unmetered. Nothing was used.",
            "Try again shortly. If it lasts, tell whoever runs the gateway.",
            "Operators: watch the disk that the store is on, and the readiness check.",
        ),
        Code::Overloaded => Guide::new(
            "The gateway is at capacity. The call was refused before its body was read, and \
nothing was used.",
            "Try again shortly; SDKs do so automatically.",
            "Operators: raise the limits together with the memory, or run another instance.",
        ),
        Code::Draining => Guide::new(
            "This instance is shutting down and takes no new calls. Nothing was used.",
            "Try again; the next connection reaches another instance or the restarted one.",
            "Operators: let the load balancer use the readiness check.",
        ),
        Code::InternalError => Guide::new(
            "The gateway itself failed; the request is not at fault.",
            "Try again once. If it fails again, tell whoever runs the gateway the request id.",
            "Operators: find the request id in the log and report the bug.",
        ),
        Code::UpstreamUnreachable => Guide::new(
            "The gateway could not connect to the provider, so nothing was processed or used.",
            "Try again. If it lasts, look at the provider's status page.",
            "Have a second model at another provider to fall back to.",
        ),
        Code::UpstreamTls => Guide::new(
            "The gateway could not make a secure connection to the provider, for example because a \
certificate is not trusted, so nothing was sent.",
            "Tell whoever runs the gateway.",
            "Operators: set `ca` for a provider with a private certificate authority, and watch when \
its certificates expire.",
        ),
        Code::UpstreamAuth => Guide::new(
            "The provider refused the credential of the gateway itself. The key of the caller is fine.",
            "Tell whoever runs the gateway.",
            "Operators: renew the provider's key and its permissions before they expire.",
        ),
        Code::UpstreamDisconnected => Guide::new(
            "The provider's answer ended before it was complete. It may have processed the call.",
            "Try again if processing the call twice does no harm.",
            "Stream long answers, so that a broken one is noticed early and what has arrived is kept.",
        ),
        Code::UpstreamInvalidResponse => Guide::new(
            "The provider's answer broke the rules of HTTP or of its own API.",
            "Try again. If it lasts, tell whoever runs the gateway the request id.",
            "Operators: check that the provider's base URL and kind belong together.",
        ),
        Code::UpstreamConnectTimeout => Guide::new(
            "The provider did not accept a connection in time, so nothing was processed or used.",
            "Try again. If it lasts, look at the provider's status page.",
            "Have a second model at another provider to fall back to.",
        ),
        Code::UpstreamTimeout => Guide::new(
            "The provider accepted the call but did not answer in time. It may have processed it.",
            "Try again with a smaller output limit, or stream the answer.",
            "Stream long answers. Operators: raise the provider's `first_byte` or `total` timeout for \
slow models.",
        ),
        Code::UpstreamUnavailable => Guide::new(
            "The provider does not serve the gateway's own account, for example because its bill is unpaid or \
its quota is used. The caller's account is fine, and trying again does not help until it is \
settled.",
            "Tell whoever runs the gateway, or use a model of another provider.",
            "Operators: watch the balance and the limits at the provider.",
        ),
        Code::UpstreamOverloaded => Guide::new(
            "The provider is overloaded or limits the rate of the gateway's own account.",
            "Try again shortly; SDKs do so automatically.",
            "Operators: ask the provider for higher limits, or give plans lower rates.",
        ),
    }
}

//! Keys about where calls go.

use super::{Choice, IMPLIED, Kind, SPAN, Section, TOKENS, key, one_of};

/// Words for everything of Gemini's.
const GEMINI: &str = "Gemini comes with a later version";

pub(crate) static PROVIDER: Section = Section {
    name: "provider",
    doc: "An API that calls are forwarded to.",
    keys: &[
        key(
            "kind",
            Kind::Choice(Choice {
                words: &["openai", "anthropic", "http", "simulated"],
                deferred: &[("gemini", GEMINI)],
            }),
            "What it speaks: openai and what imitates it, anthropic, http for any other API behind a route, or simulated for a trial without an account.",
        )
        .required(),
        key(
            "base_url",
            Kind::Url,
            "Where it is. openai and anthropic default to the vendor's address.",
        ),
        key(
            "api_key",
            Kind::Secret,
            "Sent as the vendor wants it: Authorization for openai, x-api-key for anthropic.",
        ),
        key(
            "credential",
            Kind::Section(&CREDENTIAL),
            "A header field that opens it, in place of api_key.",
        ),
        key(
            "ca",
            Kind::Path,
            "PEM file with the authorities its certificate is checked against, in place of the system's.",
        ),
        key("timeouts", Kind::Section(&TIMEOUTS), "Deadlines of one call.").or(IMPLIED),
        key(
            "on_client_disconnect",
            one_of(&["cancel", "drain"]),
            "When a client leaves: cancel the call and charge what was seen, or drain it and charge exactly. Default: cancel for streams, drain for the rest.",
        ),
        key(
            "stream_usage",
            Kind::Flag,
            "Whether streams are asked for usage figures (openai only).",
        )
        .or("true"),
        key(
            "output_limit_field",
            one_of(&["max_completion_tokens", "max_tokens"]),
            "The field that takes our output limit in chat completions (openai only).",
        )
        .or("max_completion_tokens"),
        key(
            "latency",
            Kind::Duration {
                zero: true,
                never: None,
            },
            "Time to the first byte (simulated only).",
        )
        .or("30ms"),
        key(
            "tokens_per_second",
            Kind::Integer {
                least: 0,
                most: u32::MAX as u64,
            },
            "Speed of an answer; 0 is as fast as possible (simulated only).",
        )
        .or("200"),
        key(
            "seed",
            Kind::Integer {
                least: 0,
                most: u64::MAX,
            },
            "The same seed gives the same answers (simulated only).",
        )
        .or("0"),
    ],
};

static CREDENTIAL: Section = Section {
    name: "credential",
    doc: "A header field with the credential of a provider.",
    keys: &[
        key("header", Kind::Text, "The field's name, such as x-token.").required(),
        key("value", Kind::Secret, "The field's whole value.").required(),
    ],
};

static TIMEOUTS: Section = Section {
    name: "provider_timeouts",
    doc: "Deadlines of one call.",
    keys: &[
        key("connect", SPAN, "To a usable connection, TLS included.").or("5s"),
        key("first_byte", SPAN, "To the head of the answer.").or("300s"),
        key("idle", SPAN, "Between two pieces of the answer.").or("300s"),
        key("total", SPAN, "From start to end.").or("3600s"),
    ],
};

pub(crate) static MODEL: Section = Section {
    name: "model",
    doc: "A model clients may name.",
    keys: &[
        key("provider", Kind::Name, "The provider that serves it.").required(),
        key(
            "model",
            Kind::Model,
            "The provider's name for it. Default: the same name.",
        ),
        key(
            "context_window",
            TOKENS,
            "Input and output tokens together, at most. Token quotas need it.",
        ),
        key("max_output_tokens", TOKENS, "Output tokens, at most."),
    ],
};

pub(crate) static ROUTE: Section = Section {
    name: "route",
    doc: "A path prefix and where it goes.",
    keys: &[
        key(
            "path",
            Kind::Text,
            "The prefix, such as / or /openai, without a slash at its end.",
        )
        .required(),
        key(
            "dialect",
            Kind::Choice(Choice {
                words: &["auto", "openai", "anthropic"],
                deferred: &[("gemini", GEMINI)],
            }),
            "The wire format of its clients; auto goes by the path.",
        )
        .or("auto"),
        key(
            "provider",
            Kind::Name,
            "Forward everything under the prefix to this provider, as is. Default: by the model in the body.",
        ),
        key(
            "strip_prefix",
            Kind::Flag,
            "Whether the prefix is cut off before the path goes to the provider.",
        )
        .or("false"),
        key(
            "meter",
            one_of(&["requests"]),
            "requests lets accounts with token quotas make calls here whose tokens cannot be counted.",
        ),
        key(
            "accounts",
            Kind::List(&Kind::Name),
            "Accounts that may use it. Default: all.",
        ),
        key(
            "price_per_request",
            Kind::Price { per_million: false },
            "US dollars for each call here, beside what its model costs; also lets accounts whose tokens or money are limited make calls that cannot be metered.",
        ),
    ],
};

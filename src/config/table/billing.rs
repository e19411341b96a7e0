//! Keys about who pays and how much is allowed.

use super::{
    COUNT, IMPLIED, Key, Kind, Section, TOKENS, deferred, key, one_of, webhooks::WEBHOOKS,
};

/// What to do about a rate limit of 0.
const NO_LIMIT: &str = "write digits only, such as 60, or leave the key out for no limit; `disabled: true` stops an account or a key";

/// A list of public model names.
const MODELS: Kind = Kind::List(&Kind::Model);
/// A list of quotas.
const QUOTAS: Kind = Kind::List(&Kind::Section(&QUOTA));
/// A list of budgets.
const BUDGETS: Kind = Kind::List(&Kind::Section(&BUDGET));
/// A date in a subscription or of a key.
const DATE: Kind = Kind::Instant;

/// The window of a quota or a budget.
const PER: Key = key(
    "per",
    one_of(&["hour", "day", "week", "month", "period"]),
    "The window. period is the subscription's billing period, or a month from the account's creation.",
)
.required()
.hint("hour, day, week, month or period; limits per minute are rate_limits");
/// What who is beyond a quota or a budget is told.
const STATUS: Key = key(
    "status",
    one_of(&["402", "403", "429"]),
    "The status of the refusal.",
)
.or("402");
/// Whether a quota or a budget is enforced.
const MODE: Key = key(
    "mode",
    one_of(&["enforce", "shadow"]),
    "shadow counts and logs, and never refuses.",
)
.or("enforce");

pub(crate) static PLAN: Section = Section {
    name: "plan",
    doc: "A named set of models and limits. Limits count per account, over all its keys.",
    keys: &[
        key(
            "models",
            MODELS,
            "Public names of the models it includes. Default: all.",
        ),
        key(
            "subscription",
            one_of(&["none", "required"]),
            "Whether calls need an open subscription.",
        )
        .or("none"),
        key(
            "rate_limits",
            Kind::Section(&RATE_LIMITS),
            "Limits that only time lifts.",
        ),
        key("quotas", QUOTAS, "Requests or tokens per calendar window."),
        key("budgets", BUDGETS, "Money per calendar window."),
        key(
            "credit",
            one_of(&["none", "required"]),
            "Whether calls are paid from the account's prepaid credit.",
        )
        .or("none"),
        key(
            "on_low_credit",
            one_of(&["refuse", "clamp"]),
            "clamp lowers the output limit of a call to what its account's credit affords.",
        )
        .or("refuse"),
        key(
            "price_factor",
            Kind::Factor,
            "What every price is multiplied by for this plan, such as 1.2.",
        )
        .or("1"),
        key(
            "per_key",
            Kind::Section(&PER_KEY),
            "Limits that each key of an account gets for itself.",
        )
        .or(IMPLIED),
        key(
            "default_max_output_tokens",
            TOKENS,
            "The output limit of a call that names none, where tokens are limited by a quota.",
        )
        .or("16384"),
        key(
            "redact",
            one_of(&["amounts"]),
            "amounts keeps figures out of refusals.",
        ),
    ],
};

static PER_KEY: Section = Section {
    name: "per_key",
    doc: "Limits that each key of an account gets for itself.",
    keys: &[
        key(
            "rate_limits",
            Kind::Section(&RATE_LIMITS),
            "Limits that only time lifts.",
        ),
        key("quotas", QUOTAS, "Requests or tokens per calendar window."),
        key("budgets", BUDGETS, "Money per calendar window."),
    ],
};

static RATE_LIMITS: Section = Section {
    name: "rate_limits",
    doc: "Limits that only time lifts.",
    keys: &[
        key(
            "requests_per_minute",
            COUNT,
            "Calls per minute; as many may come at once.",
        )
        .hint(NO_LIMIT),
        key("tokens_per_minute", TOKENS, "Tokens per minute.").hint(NO_LIMIT),
        key(
            "concurrent_requests",
            COUNT,
            "Calls whose answer has not ended.",
        )
        .hint(NO_LIMIT),
    ],
};

static QUOTA: Section = Section {
    name: "quota",
    doc: "A number of requests or tokens per calendar window, in UTC.",
    keys: &[
        key(
            "tokens",
            Kind::Integer {
                least: 0,
                most: i64::MAX as u64,
            },
            "How many input and output tokens; 0 allows none.",
        ),
        key(
            "requests",
            Kind::Integer {
                least: 0,
                most: i64::MAX as u64,
            },
            "How many calls; 0 allows none.",
        ),
        PER,
        STATUS,
        MODE,
        deferred(
            "usd",
            "is money, which budgets limit: write it under `budgets`",
        ),
    ],
};

static BUDGET: Section = Section {
    name: "budget",
    doc: "An amount of money per calendar window, in UTC.",
    keys: &[
        key("usd", Kind::Money, "How many US dollars; 0 allows none.").required(),
        PER,
        STATUS,
        MODE,
    ],
};

pub(crate) static ACCOUNT: Section = Section {
    name: "account",
    doc: "Who pays: an organisation or a person.",
    keys: &[
        key("id", Kind::Name, "Its name; usage stays with it.").required(),
        key("plan", Kind::Name, "Its plan.").explained(),
        key(
            "subscription",
            Kind::Section(&SUBSCRIPTION),
            "Its standing with the payment provider.",
        ),
        key("keys", Kind::List(&Kind::Section(&KEY)), "Its API keys."),
        key(
            "models",
            MODELS,
            "Models it may use, among the plan's. Default: all of them.",
        ),
        key(
            "rate_limits",
            Kind::Section(&RATE_LIMITS),
            "Limits of its own, beside the plan's.",
        ),
        key("quotas", QUOTAS, "Quotas of its own, beside the plan's."),
        key("budgets", BUDGETS, "Budgets of its own, beside the plan's."),
        key(
            "credit",
            Kind::Money,
            "Prepaid US dollars that it is given once, when it is first seen, 0 being none; `faregate credit add` gives more.",
        ),
        key(
            "stripe_customer",
            Kind::Text,
            "Its customer at Stripe, `cus_…`, by which payment events find it.",
        ),
        key(
            "customers",
            Kind::Section(&CUSTOMERS),
            "Its customers at other payment providers.",
        ),
        key(
            "email",
            Kind::Text,
            "Where e-mail about it is sent; needs notifications.email.accounts.",
        ),
        key("disabled", Kind::Flag, "Whether all its keys are refused.").or("false"),
    ],
};

static SUBSCRIPTION: Section = Section {
    name: "subscription",
    doc: "A status and its dates. Only plans with `subscription: required` look at it.",
    keys: &[
        key(
            "status",
            one_of(&[
                "trialing",
                "active",
                "past_due",
                "incomplete",
                "incomplete_expired",
                "unpaid",
                "canceled",
                "paused",
            ]),
            "The payment provider's word.",
        )
        .required(),
        key(
            "current_period_start",
            DATE,
            "The start of the billing period.",
        ),
        key(
            "current_period_end",
            DATE,
            "The end of the billing period; passing it closes nothing.",
        ),
        key("past_due_since", DATE, "Since when a payment is due."),
        key("trial_end", DATE, "When the trial ends."),
        key("cancel_at", DATE, "When it will be canceled."),
        key(
            "cancel_at_period_end",
            Kind::Flag,
            "Whether it ends with the billing period.",
        )
        .or("false"),
        key("ends_at", DATE, "When it ends, whatever else is said."),
    ],
};

static KEY: Section = Section {
    name: "key",
    doc: "An API key of an account.",
    keys: &[
        key(
            "id",
            Kind::Name,
            "Its name, unique in the file; never the secret.",
        )
        .required(),
        key(
            "key",
            Kind::Secret,
            "The secret itself: everything after `Bearer `. Give this or key_hash.",
        ),
        key(
            "key_hash",
            Kind::Secret,
            "SHA-256 of the secret: `sha256:` and 64 lower-case hexadecimal digits.",
        ),
        key("expires_at", DATE, "When it expires."),
        key(
            "allowed_ips",
            Kind::List(&Kind::Network),
            "Networks it may be used from, at least one. Default: all.",
        ),
        key(
            "models",
            MODELS,
            "Models it may use, among the account's. Default: all of them.",
        ),
        key(
            "rate_limits",
            Kind::Section(&RATE_LIMITS),
            "Limits of its own, beside the account's.",
        ),
        key("quotas", QUOTAS, "Quotas of its own, beside the account's."),
        key(
            "budgets",
            BUDGETS,
            "Budgets of its own, beside the account's.",
        ),
        key("disabled", Kind::Flag, "Whether it is refused for now.").or("false"),
    ],
};

static CUSTOMERS: Section = Section {
    name: "customers",
    doc: "An account's customers at payment providers.",
    keys: &[
        key("paddle", Kind::Text, "Its customer at Paddle, `ctm_…`."),
        key(
            "lemonsqueezy",
            Kind::Text,
            "Its customer at Lemon Squeezy, a number.",
        ),
    ],
};

pub(crate) static PAYMENT: Section = Section {
    name: "payment",
    doc: "Where people pay, and how long overdue payments are tolerated.",
    keys: &[
        key(
            "pay_url",
            Kind::UrlTemplate,
            "Where a subscription or a better plan is bought; {account} stands for the account.",
        ),
        key(
            "portal_url",
            Kind::UrlTemplate,
            "Where a payment method is changed; {account} stands for the account. Default: pay_url.",
        ),
        key(
            "grace_period",
            Kind::Duration {
                zero: true,
                never: None,
            },
            "How long past_due is still served.",
        )
        .or("7d"),
        key(
            "renewal_leeway",
            Kind::Duration {
                zero: true,
                never: None,
            },
            "How long after its end a subscription is still served, for the renewal to arrive.",
        )
        .or("24h"),
        key(
            "webhooks",
            Kind::Section(&WEBHOOKS),
            "Where payment providers send their events: POST /faregate/webhooks/<provider>.",
        ),
    ],
};

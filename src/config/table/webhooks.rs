//! Keys about payment providers that tell of payments.

use super::{Key, Kind, Section, key};

/// A list of secrets that may be empty: an endpoint without a usable one does not exist.
const SECRETS: Key = key(
    "secrets",
    Kind::List(&Kind::MaybeSecret),
    "What signs its events: one secret, or the old and the new one while it is changed. Without one of 16 bytes or \
     more the endpoint does not exist.",
)
.required();

const TOLERANCE: Key = key(
    "tolerance",
    Kind::Duration {
        zero: false,
        never: None,
    },
    "How old, or how far ahead of our clock, a signature may be.",
)
.or("300s");

const PRICES: Key = key(
    "prices",
    Kind::Pairs,
    "Its price or product id → our plan. A subscription to another price leaves the plan as it is.",
);

const TOP_UP: Key = key(
    "top_up",
    Kind::Flag,
    "Whether what is bought once is credit. The metadata `faregate_credit` of a purchase says otherwise.",
)
.or("true");

pub(super) static WEBHOOKS: Section = Section {
    name: "webhooks",
    doc: "Where payment providers send their events: POST /faregate/webhooks/<provider>.",
    keys: &[
        key(
            "stripe",
            Kind::Section(&STRIPE),
            "Stripe, at /faregate/webhooks/stripe.",
        ),
        key(
            "paddle",
            Kind::Section(&PADDLE),
            "Paddle Billing, at /faregate/webhooks/paddle.",
        ),
        key(
            "lemonsqueezy",
            Kind::Section(&LEMONSQUEEZY),
            "Lemon Squeezy, at /faregate/webhooks/lemonsqueezy.",
        ),
        key(
            "standard",
            Kind::Section(&STANDARD),
            "Everybody else, by Standard Webhooks, at /faregate/webhooks/standard.",
        ),
    ],
};

const LIVEMODE: Key = key(
    "livemode",
    Kind::Flag,
    "Whether its events must be live ones (true, as in production) or test ones (false); others are parked. Default: both.",
);

static STRIPE: Section = Section {
    name: "stripe",
    doc: "Stripe's events.",
    keys: &[SECRETS, PRICES, TOLERANCE, LIVEMODE, TOP_UP],
};

static PADDLE: Section = Section {
    name: "paddle",
    doc: "Paddle Billing's events.",
    keys: &[SECRETS, PRICES, TOLERANCE, TOP_UP],
};

static LEMONSQUEEZY: Section = Section {
    name: "lemonsqueezy",
    doc: "Lemon Squeezy's events.",
    keys: &[
        SECRETS,
        key(
            "variants",
            Kind::Pairs,
            "Its variant or product id → our plan. A subscription to another leaves the plan as it is.",
        ),
        LIVEMODE,
    ],
};

static STANDARD: Section = Section {
    name: "standard",
    doc: "Our own events, signed by Standard Webhooks: subscription.updated, credit.granted, credit.refunded.",
    keys: &[SECRETS, TOLERANCE],
};

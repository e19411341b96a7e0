//! Keys about who is told what happens.

use super::{Kind, Section, key};

pub(crate) static NOTIFICATIONS: Section = Section {
    name: "notifications",
    doc: "Who is notified before a limit, a trial or a payment stops calls. Without this section nobody is.",
    keys: &[
        key(
            "webhooks",
            Kind::List(&Kind::Section(&WEBHOOK)),
            "Programs that are notified, by signed messages (Standard Webhooks).",
        ),
        key("email", Kind::Section(&EMAIL), "People who are notified by e-mail."),
        key(
            "low_credit",
            Kind::MoneyOrShare,
            "When credit is low: at an amount in US dollars such as 5.00, or at a part of the last top-up such as 20%.",
        )
        .or("20%"),
        key(
            "renewal_notice",
            Kind::Duration {
                zero: true,
                never: Some("off"),
            },
            "How long before its renewal a subscription is announced.",
        )
        .or("3d"),
        key(
            "allow_private_targets",
            Kind::List(&Kind::Network),
            "Private networks that webhooks may be sent to all the same, also over http://. Default: none.",
        ),
    ],
};

static WEBHOOK: Section = Section {
    name: "webhook",
    doc: "A program that is notified.",
    keys: &[
        key(
            "url",
            Kind::Text,
            "Where messages are sent, by https:// and POST.",
        )
        .required(),
        key(
            "secrets",
            Kind::List(&Kind::Secret),
            "What messages are signed with: whsec_ and 24 to 64 bytes in base64. Several while you change it: each signs.",
        )
        .required(),
        key(
            "events",
            Kind::List(&Kind::Text),
            "The events that it is sent, such as credit.low or budget.*. Default: everything.",
        ),
    ],
};

static EMAIL: Section = Section {
    name: "email",
    doc: "People who are notified by e-mail.",
    keys: &[
        key(
            "smtp",
            Kind::Secret,
            "The server that takes mail: smtps://user:password@host:465, or smtp://user:password@host:587?tls=required.",
        )
        .required(),
        key(
            "from",
            Kind::Text,
            "The sender, such as Faregate <billing@example.com>.",
        )
        .required(),
        key(
            "to",
            Kind::List(&Kind::Text),
            "Addresses that are notified about every account.",
        ),
        key(
            "accounts",
            Kind::Flag,
            "Whether each account's own address is notified about that account.",
        )
        .or("false"),
    ],
};

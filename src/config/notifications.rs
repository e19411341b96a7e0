//! `notifications`: who is told what happens.

use std::{collections::BTreeSet, sync::Arc};

use ipnet::IpNet;
use rustls::ClientConfig;

use super::{
    fields::{Entry, Fields, Value},
    nearest::suggestion,
    problem::Report,
    secret::Environment,
    tls::Clients,
};
use crate::{
    domain::{EmailAddress, InvalidAmount, NanoUsd, Secret, SubscriptionPolicy},
    notify::{
        Email, Event, LowAt, Pattern, Sender, Settings, SigningKey, Smtp, TRY_TIME, Webhook,
        WebhookUrl,
    },
    refusal::Links,
};

/// Hundredths of a whole, as a text says them.
const LARGEST_SHARE: u8 = 100;

/// Compiles `notifications`; the inner `None` is a file without it, the outer one a problem that was reported.
pub(crate) fn notifications(
    root: &Fields,
    links: Links,
    subscriptions: SubscriptionPolicy,
    clients: &mut Clients<'_>,
    environment: &dyn Environment,
    report: &mut Report,
) -> Option<Option<Settings>> {
    let Some(fields) = root.section("notifications") else {
        return Some(None);
    };
    let allowed: Vec<IpNet> = fields.items("allow_private_targets");
    let mut names = BTreeSet::new();
    let mut webhooks = Vec::new();
    let mut whole = true;
    for webhook in fields.sections("webhooks") {
        match self::webhook(webhook, &allowed, clients, report) {
            Some(webhook) if names.insert(webhook.url.name().to_owned()) => {
                webhooks.push(Arc::new(webhook));
            }
            Some(_) => {
                let place = webhook.place_of("url");
                let problem = report.problem(place, "is the URL of another webhook too");
                problem.hint("name all its events in one of the two");
                whole = false;
            }
            None => whole = false,
        }
    }
    let email = match fields.section("email") {
        Some(section) => email(section, environment, report).map(Some),
        None => Some(None),
    };
    let low_credit = low_credit(fields, report);
    if webhooks.is_empty() && whole && email.as_ref().is_some_and(Option::is_none) {
        let text = "has neither webhooks nor email, so nobody is told anything";
        report.warning(&fields.place, text);
    }
    let settings = Settings {
        webhooks,
        email: email?.map(Arc::new),
        low_credit: low_credit?,
        renewal_notice: fields.get("renewal_notice")?,
        subscriptions,
        links,
        try_time: TRY_TIME,
    };
    whole.then_some(Some(settings))
}

fn webhook(
    fields: &Fields,
    allowed: &[IpNet],
    clients: &mut Clients<'_>,
    report: &mut Report,
) -> Option<Webhook> {
    let place = fields.place_of("url");
    let url = fields.text("url").and_then(|text| {
        let url = WebhookUrl::parse(text, allowed);
        url.map_err(|wrong| report.problem(place, wrong.words).hint(wrong.hint))
            .ok()
    });
    let keys = keys(fields, report);
    let events = events(fields, report);
    let url = url?;
    let tls = tls(&url, fields, clients, report);
    Some(Webhook {
        url,
        keys: keys?,
        events: events?,
        tls: tls?,
        allowed: allowed.to_vec(),
    })
}

fn tls(
    url: &WebhookUrl,
    fields: &Fields,
    clients: &mut Clients<'_>,
    report: &mut Report,
) -> Option<Arc<ClientConfig>> {
    if url.is_secure() {
        clients.system(fields.place_of("url"), report)
    } else {
        clients.without()
    }
}

fn keys(fields: &Fields, report: &mut Report) -> Option<Vec<SigningKey>> {
    let hint = "make one with: echo whsec_$(head -c 32 /dev/urandom | base64)";
    let entries = fields.list("secrets")?;
    if entries.is_empty() {
        let place = fields.place_of("secrets");
        let problem = report.problem(
            place,
            "is empty, and a message without a signature proves nothing",
        );
        problem.hint(hint);
        return None;
    }
    let mut keys = Vec::with_capacity(entries.len());
    for Entry { place, value } in entries {
        let Value::Secret(secret) = value else {
            continue;
        };
        match SigningKey::parse(secret) {
            Ok(key) => keys.push(key),
            Err(error) => {
                report.problem(place, error.to_string()).hint(hint);
            }
        }
    }
    (keys.len() == entries.len()).then_some(keys)
}

fn events(fields: &Fields, report: &mut Report) -> Option<Vec<Pattern>> {
    let Some(entries) = fields.list("events") else {
        return Some(vec![Pattern::All]);
    };
    let mut patterns = Vec::with_capacity(entries.len());
    for Entry { place, value } in entries {
        let Value::Text(text) = value else {
            continue;
        };
        match Pattern::parse(text) {
            Some(pattern) => patterns.push(pattern),
            None => {
                let known = Event::ALL.map(Event::as_str);
                let hint = suggestion(text, known.iter().copied());
                let hint = hint.unwrap_or_else(|| format!("one of {}", known.join(", ")));
                let problem = report.problem(
                    place,
                    "is neither an event nor a family of events such as budget.*",
                );
                problem.hint(hint);
            }
        }
    }
    (patterns.len() == entries.len()).then_some(patterns)
}

fn email(fields: &Fields, environment: &dyn Environment, report: &mut Report) -> Option<Email> {
    let place = fields.place_of("smtp");
    let smtp = fields.get::<Secret>("smtp").and_then(|url| {
        let smtp = Smtp::parse(&url, || environment.system_roots());
        smtp.map_err(|wrong| report.problem(place, wrong.words).hint(wrong.hint))
            .ok()
    });
    let from = fields.text("from").and_then(|text| {
        let from = Sender::parse(text);
        if from.is_none() {
            let problem = report.problem(fields.place_of("from"), "is not a sender");
            problem.hint("such as Faregate <billing@example.com>");
        }
        from
    });
    let entries = fields.list("to").unwrap_or_default();
    let mut to: Vec<EmailAddress> = Vec::with_capacity(entries.len());
    for Entry { place, value } in entries {
        let Value::Text(text) = value else {
            continue;
        };
        match text.parse() {
            Ok(address) => to.push(address),
            Err(error) => {
                let error: crate::domain::InvalidEmailAddress = error;
                report.problem(place, error.to_string());
            }
        }
    }
    let accounts: bool = fields.get("accounts")?;
    if !accounts && !fields.has("to") {
        let text = "has neither `to` nor `accounts: true`, so nobody gets a message";
        let problem = report.problem(&fields.place, text);
        problem
            .hint("write to: [ops@example.com], or accounts: true for the addresses of accounts");
        return None;
    }
    (to.len() == entries.len()).then_some(())?;
    Some(Email {
        smtp: smtp?,
        from: from?,
        to,
        accounts,
    })
}

fn low_credit(fields: &Fields, report: &mut Report) -> Option<LowAt> {
    let text = fields.text("low_credit")?;
    let share = |digits: &str| {
        let share = digits.trim_end().parse().ok();
        share.filter(|share| (1..LARGEST_SHARE).contains(share))
    };
    let read = match text.strip_suffix('%') {
        Some(digits) => share(digits).map(LowAt::Percent),
        None => NanoUsd::parse(text)
            .ok()
            .filter(|amount| !amount.is_negative())
            .map(LowAt::Amount),
    };
    if let Err(wrong @ InvalidAmount::TooLarge) = NanoUsd::parse(text) {
        let place = fields.place_of("low_credit");
        report.problem(place, wrong.up_to(NanoUsd::MAX));
    } else if read.is_none() {
        let place = fields.place_of("low_credit");
        let problem = report.problem(place, "is neither an amount nor a part of the last top-up");
        problem.hint("such as 5.00, or 20%");
    }
    read
}

//! An event in words for a person.

use serde_json::Value;

use crate::refusal::Remedy;

/// Subject and text of an e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) subject: String,
    pub(super) text: String,
}

impl Letter {
    /// The letter for a message's body.
    pub(super) fn of(body: &Value, id: &str) -> Self {
        let data = &body["data"];
        let (headline, detail) = told(word(&body["type"]), data);
        let account = word(&data["account"]);
        let subject = if account.is_empty() {
            headline.clone()
        } else {
            format!("{account}: {headline}")
        };
        let mut text = format!("{}.\n", capital(&headline));
        if !detail.is_empty() {
            text += &format!("{detail}\n");
        }
        text.push('\n');
        for (name, value) in [
            ("Account", account),
            ("Key", word(&data["key"])),
            ("Plan", word(&data["plan"])),
            ("Time", word(&body["timestamp"])),
        ] {
            if !value.is_empty() {
                text += &format!("{:<9}{value}\n", format!("{name}:"));
            }
        }
        let actions: Vec<String> = data["actions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(action)
            .collect();
        if !actions.is_empty() {
            text += &format!("\nWhat you can do:\n{}", actions.concat());
        }
        text += &format!("\n-- \nFaregate, message {id}\n");
        Self { subject, text }
    }
}

/// What happened, in a line, and what is known about it.
fn told(event: &str, data: &Value) -> (String, String) {
    let subscription = &data["subscription"];
    match event {
        "quota.warning" | "budget.warning" => {
            (format!("80 % of {} is used", limit(data)), used(data))
        }
        "quota.exhausted" | "budget.exhausted" => (format!("{} is used", limit(data)), used(data)),
        "credit.low" => ("little credit is left".to_owned(), credit(data)),
        "credit.exhausted" => ("no credit is left".to_owned(), credit(data)),
        "subscription.trial_ending" => (
            "the trial ends soon".to_owned(),
            dated("It ends at", &subscription["trial_end"]),
        ),
        "subscription.renewal_upcoming" => (
            "the subscription renews soon".to_owned(),
            dated("It renews at", &subscription["current_period_end"]),
        ),
        "payment.failed" => (
            "a payment failed".to_owned(),
            dated("Calls are served until", &subscription["grace_until"]),
        ),
        "subscription.grace_ending" => (
            "a payment is due, and calls are served only for a short time".to_owned(),
            dated("They are refused from", &subscription["grace_until"]),
        ),
        "access.suspended" => (
            "calls are refused from now on".to_owned(),
            format!("The reason: {}.", word(&data["reason"]).replace('_', " ")),
        ),
        "access.restored" => ("calls are served again".to_owned(), String::new()),
        "notification.test" => (
            "a test message".to_owned(),
            "Somebody wants to know whether messages arrive. This one did.".to_owned(),
        ),
        other => (other.to_owned(), String::new()),
    }
}

/// A limit by its name: the daily token quota of the plan.
fn limit(data: &Value) -> String {
    let limit = &data["limit"];
    let per = match word(&limit["per"]) {
        "hour" => "hourly",
        "day" => "daily",
        "week" => "weekly",
        "month" => "monthly",
        _ => "billing period's",
    };
    let what = match word(&limit["unit"]) {
        "tokens" => "token ",
        "requests" => "request ",
        _ => "",
    };
    format!(
        "the {per} {what}{} of the {}",
        word(&limit["kind"]),
        word(&limit["scope"])
    )
}

fn used(data: &Value) -> String {
    let limit = &data["limit"];
    let resets = dated("It resets at", &limit["resets_at"]);
    let unit = match word(&limit["unit"]) {
        "usd" => " USD",
        _ => "",
    };
    let figures = format!(
        "Used: {} of {}{unit}.",
        plain(&limit["used"]),
        plain(&limit["limit"])
    );
    format!("{figures} {resets}")
}

fn credit(data: &Value) -> String {
    let credit = &data["credit"];
    format!(
        "Left: {} {}.",
        plain(&credit["balance"]),
        word(&credit["currency"])
    )
}

fn dated(words: &str, at: &Value) -> String {
    at.as_str()
        .map_or_else(String::new, |at| format!("{words} {at}."))
}

fn action(action: &Value) -> Option<String> {
    let words = match word(&action["rel"]) {
        "wait" => "Wait until",
        rel => Remedy::parse(rel)?.label(),
    };
    let at = action["href"].as_str().or_else(|| action["until"].as_str());
    Some(match at {
        Some(at) => format!("  {words}: {at}\n"),
        None => format!("  {words}\n"),
    })
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;

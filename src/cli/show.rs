//! JSON of the admin API as cells of a table.

use serde_json::Value;

use super::{Failure, Terminal};

/// A value in a cell.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// An instant to the second.
pub(super) fn instant(value: &Value) -> String {
    let full = text(value);
    match full.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => full,
    }
}

/// The rate limits and quotas of an account or key, in a line.
pub(super) fn limits(item: &Value) -> String {
    let rates = [
        ("requests_per_minute", "requests/minute"),
        ("tokens_per_minute", "tokens/minute"),
        ("concurrent_requests", "at once"),
    ];
    let mut parts: Vec<String> = rates
        .iter()
        .filter_map(|(member, words)| {
            let limit = item["rate_limits"][member].as_u64()?;
            Some(format!("{limit} {words}"))
        })
        .collect();
    for window in ["quotas", "budgets"]
        .into_iter()
        .flat_map(|list| item[list].as_array())
        .flatten()
    {
        let shadow = match window["mode"].as_str() {
            Some("shadow") => " (shadow)",
            _ => "",
        };
        let per = text(&window["per"]);
        let units = [
            ("requests", "requests"),
            ("tokens", "tokens"),
            ("usd", "USD"),
        ];
        let limited = units.iter().filter(|(unit, _)| !window[unit].is_null());
        parts.extend(limited.map(|(unit, words)| {
            let limit = text(&window[unit]);
            format!("{limit} {words}/{per}{shadow}")
        }));
    }
    parts.join(", ")
}

/// Prints JSON for programs.
pub(super) fn json(terminal: &mut Terminal<'_>, value: &Value) -> Result<(), Failure> {
    terminal.result(format_args!("{value:#}\n"))
}

/// Prints what a change came to: JSON for programs, or a sentence for people.
pub(super) fn changed(
    answer: &Value,
    as_json: bool,
    terminal: &mut Terminal<'_>,
    sentence: impl FnOnce(&Value) -> String,
) -> Result<(), Failure> {
    if as_json {
        return json(terminal, answer);
    }
    terminal.result(format_args!("{}\n", sentence(answer)))
}

//! Rows as JSON Lines and as CSV. Both have the same members in the same order; what a row does not have is null, or
//! empty.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Item, csv_line};
use crate::store::EntryRow;

/// Members that calls and entries share, then those of a call.
const OF_CALLS: [&str; 24] = [
    "type",
    "id",
    "request_id",
    "at",
    "account",
    "key",
    "plan",
    "plan_version",
    "route",
    "provider",
    "model",
    "upstream_model",
    "endpoint",
    "outcome",
    "status",
    "tokens",
    "estimated",
    "overrun",
    "held_nano_usd",
    "cost_nano_usd",
    "price_version",
    "currency",
    "queue_ms",
    "first_byte_ms",
];
const LAST_OF_CALLS: &str = "total_ms";

/// Members that only an entry has.
const OF_ENTRIES: [&str; 7] = [
    "kind",
    "amount_nano_usd",
    "author",
    "reason",
    "expires_at",
    "priority",
    "related",
];

/// The parts of `tokens`.
const TOKENS: [&str; 5] = [
    "input",
    "cached_input",
    "cache_write",
    "output",
    "reasoning",
];

/// A JSON object in a line.
pub(super) fn json(item: &Item, out: &mut dyn Write) -> io::Result<()> {
    match item {
        Item::Call(call) => serde_json::to_writer(&mut *out, &**call)?,
        Item::Entry(entry) => {
            let row = self::entry(entry)?;
            let member = |name: &str| {
                let value = row.get(name).unwrap_or(&Value::Null);
                format!("\"{name}\":{value}")
            };
            let members: Vec<String> = OF_CALLS
                .into_iter()
                .chain([LAST_OF_CALLS])
                .chain(OF_ENTRIES)
                .map(member)
                .collect();
            write!(out, "{{{}}}", members.join(","))?;
        }
    }
    out.write_all(b"\n")
}

/// The heading of CSV.
pub(super) fn heading(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(csv_line(columns().map(|(name, _)| name)).as_bytes())
}

/// A line of CSV.
pub(super) fn csv(item: &Item, out: &mut dyn Write) -> io::Result<()> {
    let row = match item {
        Item::Call(call) => members(&**call)?,
        Item::Entry(entry) => self::entry(entry)?,
    };
    let cells = columns().map(|(name, part)| {
        let value = match part {
            Some(part) => row.get("tokens").and_then(|tokens| tokens.get(part)),
            None => row.get(&name),
        };
        match value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    });
    out.write_all(csv_line(cells).as_bytes())
}

/// Each column's name, and the part of `tokens` that it has.
fn columns() -> impl Iterator<Item = (String, Option<&'static str>)> {
    let of_calls = OF_CALLS.into_iter().chain([LAST_OF_CALLS]);
    of_calls.chain(OF_ENTRIES).flat_map(|name| {
        let parts: &[&str] = if name == "tokens" { &TOKENS } else { &[] };
        let alone = parts.is_empty().then(|| (name.to_owned(), None));
        let parts = parts
            .iter()
            .map(|part| (format!("{part}_tokens"), Some(*part)));
        alone.into_iter().chain(parts)
    })
}

/// An entry's members, with those that it shares with a call in the form that they have there.
fn entry(entry: &EntryRow) -> io::Result<Map<String, Value>> {
    let mut row = members(entry)?;
    row.insert("type".to_owned(), "credit".into());
    row.insert("amount_nano_usd".to_owned(), entry.amount.nanos().into());
    Ok(row)
}

fn members(row: &impl Serialize) -> io::Result<Map<String, Value>> {
    match serde_json::to_value(row)? {
        Value::Object(members) => Ok(members),
        _ => Ok(Map::new()),
    }
}

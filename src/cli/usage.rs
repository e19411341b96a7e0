//! `faregate usage`.

use serde_json::Value;

use super::{
    Failure, Terminal,
    arguments::{UsageFlags, read},
    backend::{Backend, listed, look, path},
    show,
    table::{Heading, Table},
};
use crate::{
    config::Config,
    domain::{Clock, NanoUsd},
    store::csv_line,
};

pub(super) async fn run(
    flags: &UsageFlags,
    config: &Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let UsageFlags {
        account,
        key,
        model,
        by,
        since,
        until,
        json,
        csv,
    } = flags;
    let between = read::between(*since, *until, clock.now())?;
    let [since, until] = between.map(|instant| instant.map(|instant| instant.to_string()));
    let asked = [
        ("by", Some(by.as_str())),
        ("account", account.as_deref()),
        ("key", key.as_deref()),
        ("model", model.as_deref()),
        ("since", since.as_deref()),
        ("until", until.as_deref()),
    ];
    let ask = async |backend: &Backend| backend.all(&path(&["usage"]), &asked).await;
    let rows = look(config, clock, ask).await?;
    if *json {
        return show::json(terminal, &listed(&rows));
    }
    if *csv {
        return terminal.result(lines(by, &rows));
    }
    if rows.is_empty() {
        terminal.note("No calls.");
        return Ok(());
    }
    terminal.result(table(by, &rows, terminal.heading()))
}

/// Sums for people, with a line for all of them together.
pub(super) fn table(by: &str, rows: &[Value], heading: Heading) -> Table {
    let first = match by {
        "key" => "KEY",
        "model" => "MODEL",
        "account" => "ACCOUNT",
        "outcome" => "OUTCOME",
        _ => "DAY",
    };
    let columns = [
        first,
        ">CALLS",
        ">ESTIMATED",
        ">INPUT",
        ">CACHED",
        ">OUTPUT",
        ">TOKENS",
        ">COST (USD)",
    ];
    let mut table = Table::new(&columns, heading);
    let mut total = [0_u64; 6];
    let mut total_cost = None;
    for row in rows {
        let tokens = &row["tokens"];
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        let (input, output) = (count(&tokens["input"]), count(&tokens["output"]));
        let numbers = [
            count(&row["calls"]),
            count(&row["estimated_calls"]),
            input,
            count(&tokens["cached_input"]),
            output,
            input.saturating_add(output),
        ];
        for (sum, number) in total.iter_mut().zip(numbers) {
            *sum = sum.saturating_add(number);
        }
        if let Some(cost) = row["cost"]
            .as_str()
            .and_then(|cost| NanoUsd::parse(cost).ok())
        {
            total_cost = Some(cost.saturating_add(total_cost.unwrap_or_default()));
        }
        let cells = numbers.iter().map(u64::to_string);
        let cells = cells.chain([show::text(&row["cost"])]);
        table.row([show::text(&row["group"])].into_iter().chain(cells));
    }
    if rows.len() > 1 {
        let cells = total.iter().map(u64::to_string);
        let cost = total_cost.map_or_else(String::new, |cost| cost.to_string());
        table.row(["total".to_owned()].into_iter().chain(cells).chain([cost]));
    }
    table
}

/// Sums as CSV.
pub(super) fn lines(by: &str, rows: &[Value]) -> String {
    let tokens = [
        "input",
        "cached_input",
        "cache_write",
        "output",
        "reasoning",
    ];
    let heading = [by, "calls", "estimated_calls"].map(str::to_owned);
    let heading = heading
        .into_iter()
        .chain(tokens.map(|part| format!("{part}_tokens")))
        .chain(["cost".to_owned(), "currency".to_owned()]);
    let mut lines = csv_line(heading);
    for row in rows {
        let before = ["group", "calls", "estimated_calls"].map(|member| &row[member]);
        let parts = tokens.map(|part| &row["tokens"][part]);
        let after = [&row["cost"], &row["currency"]];
        let cells = before.into_iter().chain(parts).chain(after);
        lines += &csv_line(cells.map(show::text));
    }
    lines
}

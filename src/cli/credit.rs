//! `faregate credit …`.

use http::Method;
use serde_json::{Value, json};

use super::{
    Failure, Terminal,
    arguments::{AddCredit, CreditCommand, EntryFlags, TransferCredit},
    backend::{Backend, change, look, path, target},
    show,
    table::{Heading, Table},
};
use crate::{config::Config, domain::Clock};

pub(super) async fn run(
    command: CreditCommand,
    config: &Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    match command {
        CreditCommand::Add(flags) => add(flags, config, clock, terminal).await,
        CreditCommand::Transfer(flags) => transfer(flags, config, clock, terminal).await,
        CreditCommand::List {
            account,
            limit,
            json,
        } => {
            let limit = limit.to_string();
            let page = target(
                &path(&["ledger"]),
                &[
                    ("account", Some(account.as_str())),
                    ("limit", Some(limit.as_str())),
                ],
            );
            let both = async |backend: &Backend| {
                let sheet = backend
                    .get(&path(&["accounts", &account, "credit"]))
                    .await?;
                Ok((sheet, backend.get(&page).await?))
            };
            let (mut sheet, entries) = look(config, clock, both).await?;
            if json {
                sheet["entries"] = entries;
                return show::json(terminal, &sheet);
            }
            list(&sheet, &entries, terminal)
        }
    }
}

async fn add(
    flags: AddCredit,
    config: &Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let AddCredit {
        account,
        amount,
        kind,
        words,
    } = flags;
    let body = body(json!({ "amount": amount, "kind": kind }), &words);
    let target = path(&["accounts", &account, "credit"]);
    let posted = change(config, clock, Method::POST, &target, Some(body)).await?;
    show::changed(&posted, words.json, terminal, |posted| {
        let text = |member: &str| show::text(&posted[member]);
        let already = if posted["existed"] == true {
            " was posted before"
        } else {
            ""
        };
        format!(
            "Entry {}{already}: {} {} USD. Account {account} has {} USD.",
            text("entry"),
            text("kind"),
            text("amount"),
            text("balance"),
        )
    })
}

async fn transfer(
    flags: TransferCredit,
    config: &Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let TransferCredit {
        from,
        to,
        amount,
        words,
    } = flags;
    let body = body(json!({ "from": from, "to": to, "amount": amount }), &words);
    let target = path(&["credit", "transfer"]);
    let posted = change(config, clock, Method::POST, &target, Some(body)).await?;
    show::changed(&posted, words.json, terminal, |posted| {
        let verb = if posted["existed"] == true {
            "was transferred before"
        } else {
            "was transferred"
        };
        format!(
            "{amount} USD {verb}. Account {from} has {} USD, account {to} has {} USD.",
            show::text(&posted["from"]["balance"]),
            show::text(&posted["to"]["balance"]),
        )
    })
}

/// What an entry says, as the API takes it.
fn body(mut members: Value, words: &EntryFlags) -> Value {
    let EntryFlags {
        reason,
        id,
        expires,
        priority,
        json: _,
    } = words;
    members["reason"] = json!(reason);
    members["id"] = json!(id);
    members["expires_at"] = json!(expires);
    members["priority"] = json!(priority);
    members["author"] = json!("cli");
    members
}

fn list(sheet: &Value, entries: &Value, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut head = format!("{:<12}{}\n", "account", show::text(&sheet["account"]));
    // Only a running daemon knows what is held.
    for member in ["balance", "held", "available"] {
        if let Some(amount) = sheet[member].as_str() {
            head += &format!("{member:<12}{amount} USD\n");
        }
    }
    terminal.result(head)?;
    let items = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let lots = items(&sheet["lots"]);
    if !lots.is_empty() {
        terminal.result(format_args!("\n{}", lots_table(&lots, terminal.heading())))?;
    }
    let rows = items(&entries["data"]);
    if rows.is_empty() {
        return terminal.result("\nno entries\n");
    }
    terminal.result(format_args!(
        "\n{}",
        entries_table(&rows, terminal.heading())
    ))?;
    if entries["next_cursor"].is_string() {
        terminal
            .note("There are older entries; --limit shows more, and `faregate ledger export` all.");
    }
    Ok(())
}

fn lots_table(lots: &[Value], heading: Heading) -> Table {
    let columns = [">LOT", "KIND", ">AMOUNT", ">LEFT", ">PRIORITY", "EXPIRES"];
    let mut table = Table::new(&columns, heading);
    for lot in lots {
        table.row([
            show::text(&lot["entry"]),
            show::text(&lot["kind"]),
            show::text(&lot["amount"]),
            show::text(&lot["remaining"]),
            show::text(&lot["priority"]),
            show::instant(&lot["expires_at"]),
        ]);
    }
    table
}

fn entries_table(entries: &[Value], heading: Heading) -> Table {
    let columns = [">ENTRY", "AT", "KIND", ">AMOUNT", "AUTHOR", "ID", "REASON"];
    let mut table = Table::new(&columns, heading);
    for entry in entries {
        table.row([
            show::text(&entry["entry"]),
            show::instant(&entry["at"]),
            show::text(&entry["kind"]),
            show::text(&entry["amount"]),
            show::text(&entry["author"]),
            show::text(&entry["id"]),
            show::text(&entry["reason"]),
        ]);
    }
    table
}

//! `faregate webhooks …`.

use http::Method;
use serde_json::{Value, json};

use super::{
    Failure, Terminal,
    arguments::{CustomerFlags, WebhooksCommand},
    backend::{Backend, change, listed, look, path, target},
    show,
    table::Table,
};
use crate::{config::Config, domain::Clock};

pub(super) async fn run(
    command: WebhooksCommand,
    config: &Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    match command {
        WebhooksCommand::List {
            status,
            vendor,
            account,
            limit,
            json,
        } => {
            let limit = limit.to_string();
            let asked = [
                ("status", status.as_deref()),
                ("vendor", vendor.as_deref()),
                ("account", account.as_deref()),
                ("limit", Some(limit.as_str())),
            ];
            let target = target(&path(&["webhooks"]), &asked);
            let get = async |backend: &Backend| backend.get(&target).await;
            let page = look(config, clock, get).await?;
            if json {
                return show::json(terminal, &page);
            }
            list(&page, terminal)
        }
        WebhooksCommand::Replay { id, json } => {
            let target = path(&["webhooks", &id, "replay"]);
            let replayed = change(config, clock, Method::POST, &target, None).await?;
            show::changed(&replayed, json, terminal, |replayed| said(&id, replayed))?;
            match replayed["status"].as_str() {
                Some("applied" | "ignored") => Ok(()),
                _ => Err(Failure::failed(format!("event {id} still waits"))),
            }
        }
        WebhooksCommand::Customers {
            account,
            vendor,
            json,
        } => {
            let asked = [
                ("account", account.as_deref()),
                ("vendor", vendor.as_deref()),
            ];
            let list = async |backend: &Backend| backend.all(&path(&["customers"]), &asked).await;
            let found = look(config, clock, list).await?;
            if json {
                return show::json(terminal, &listed(&found));
            }
            customers(&found, terminal)
        }
        WebhooksCommand::Link {
            customer: CustomerFlags { vendor, customer },
            account,
            json,
        } => {
            let target = path(&["customers", &vendor, &customer]);
            let body = Some(json!({ "account": account }));
            let linked = change(config, clock, Method::PUT, &target, body).await?;
            show::changed(&linked, json, terminal, |linked| {
                let mut lines = vec![owned(&customer, &account, linked)];
                let events = linked["replayed"].as_array().into_iter().flatten();
                lines.extend(events.map(|event| said(&show::text(&event["id"]), event)));
                lines.join("\n")
            })
        }
        WebhooksCommand::Unlink {
            customer: CustomerFlags { vendor, customer },
            json,
        } => {
            let target = path(&["customers", &vendor, &customer]);
            let unlinked = change(config, clock, Method::DELETE, &target, None).await?;
            show::changed(&unlinked, json, terminal, |unlinked| {
                let before = show::text(&unlinked["before"]);
                format!("Customer {customer} is no longer account {before}'s.")
            })
        }
    }
}

fn customers(found: &[Value], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    if found.is_empty() {
        terminal.note("No customers.");
        return Ok(());
    }
    let columns = ["PROVIDER", "CUSTOMER", "ACCOUNT", "SINCE"];
    let mut table = Table::new(&columns, terminal.heading());
    for customer in found {
        table.row([
            show::text(&customer["vendor"]),
            show::text(&customer["customer"]),
            show::text(&customer["account"]),
            show::instant(&customer["since"]),
        ]);
    }
    terminal.result(table)
}

/// Whose a customer is now, and is no longer.
fn owned(customer: &str, account: &str, linked: &Value) -> String {
    let before = match linked["before"].as_str() {
        Some(before) if before != account => format!(", and no longer account {before}'s"),
        _ => String::new(),
    };
    format!("Customer {customer} is account {account}'s{before}.")
}

/// What became of an event that was replayed.
fn said(id: &str, replayed: &Value) -> String {
    let status = show::text(&replayed["status"]);
    let verb = if replayed["replayed"] == true {
        format!("is {status}")
    } else {
        format!("was {status} before, and is left as it is")
    };
    match show::text(&replayed["words"]) {
        words if words.is_empty() => format!("Event {id} {verb}."),
        words => format!("Event {id} {verb}: {words}."),
    }
}

fn list(page: &Value, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let events = page["data"].as_array().cloned().unwrap_or_default();
    if events.is_empty() {
        terminal.note("No payment events.");
        return Ok(());
    }
    let columns = ["RECEIVED", "EVENT", "TYPE", "STATUS", "ACCOUNT", "WHY"];
    let mut table = Table::new(&columns, terminal.heading());
    for event in &events {
        table.row([
            show::instant(&event["received_at"]),
            show::text(&event["id"]),
            show::text(&event["type"]),
            show::text(&event["status"]),
            show::text(&event["account"]),
            show::text(&event["words"]),
        ]);
    }
    terminal.result(table)?;
    if page["next_cursor"].is_string() {
        terminal.note("There are older events; --limit shows more.");
    }
    Ok(())
}

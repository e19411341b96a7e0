//! `faregate accounts …`.

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    Failure, Terminal,
    arguments::{AccountsCommand, CreateAccount, SetSubscription},
    backend::{Backend, change, listed, look, path},
    keys, show,
    table::{Heading, Table},
};
use crate::{config::Config, domain::Clock};

pub(super) async fn run(
    command: AccountsCommand,
    config: &Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    match command {
        AccountsCommand::List { json } => list(json, config, clock, terminal).await,
        AccountsCommand::Show { id, json } => one(&id, json, config, clock, terminal).await,
        AccountsCommand::Create(flags) => {
            let (target, body) = (path(&["accounts"]), Some(created(&flags)));
            let account = change(config, clock, Method::POST, &target, body).await?;
            show::changed(&account, flags.json, terminal, |account| {
                let (id, plan) = (show::text(&account["id"]), show::text(&account["plan"]));
                format!("Account {id} was created on plan {plan}.")
            })
        }
        AccountsCommand::SetPlan { id, plan, json } => {
            let (target, body) = (path(&["accounts", &id]), Some(json!({ "plan": plan })));
            let account = change(config, clock, Method::PATCH, &target, body).await?;
            show::changed(&account, json, terminal, |account| {
                format!("Account {id} is on plan {}.", show::text(&account["plan"]))
            })
        }
        AccountsCommand::SetSubscription(flags) => {
            let target = path(&["accounts", &flags.id, "subscription"]);
            let (method, body) = if flags.none {
                (Method::DELETE, None)
            } else {
                (Method::PUT, Some(stated(&flags)))
            };
            let account = change(config, clock, method, &target, body).await?;
            show::changed(&account, flags.json, terminal, |account| {
                let words = subscription(account);
                format!("Subscription of account {}: {words}.", flags.id)
            })
        }
    }
}

async fn list(
    json: bool,
    config: &Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let all = async |backend: &Backend| backend.all(&path(&["accounts"]), &[]).await;
    let accounts = look(config, clock, all).await?;
    if json {
        return show::json(terminal, &listed(&accounts));
    }
    terminal.result(table(&accounts, config, terminal.heading()))
}

/// Shows one account with its keys.
async fn one(
    id: &str,
    json: bool,
    config: &Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let both = async |backend: &Backend| {
        let account = backend.get(&path(&["accounts", id])).await?;
        let keys = backend
            .all(&path(&["keys"]), &[("account", Some(id))])
            .await?;
        Ok((account, keys))
    };
    let (mut account, keys) = look(config, clock, both).await?;
    if json {
        account["keys"] = keys.into();
        return show::json(terminal, &account);
    }
    terminal.result(sheet(&account, config))?;
    if keys.is_empty() {
        return terminal.result("\nno keys\n");
    }
    terminal.result(format_args!("\n{}", keys::table(&keys, terminal.heading())))
}

/// The account that was asked for, as the API takes it.
fn created(flags: &CreateAccount) -> Value {
    let CreateAccount {
        id,
        plan,
        subscription,
        email,
        limits,
        json: _,
    } = flags;
    let mut body = Map::new();
    body.insert("id".to_owned(), json!(id));
    body.insert("plan".to_owned(), json!(plan));
    if let Some(status) = subscription {
        body.insert("subscription".to_owned(), json!({ "status": status }));
    }
    if let Some(email) = email {
        body.insert("email".to_owned(), json!(email));
    }
    keys::limited(&mut body, limits);
    body.into()
}

/// The subscription that was stated, as the API takes it.
fn stated(flags: &SetSubscription) -> Value {
    json!({
        "status": flags.status,
        "current_period_start": flags.current_period_start,
        "current_period_end": flags.current_period_end,
        "past_due_since": flags.past_due_since,
        "trial_end": flags.trial_end,
        "cancel_at": flags.cancel_at,
        "cancel_at_period_end": flags.cancel_at_period_end,
        "ends_at": flags.ends_at,
    })
}

fn table(accounts: &[Value], config: &Config, heading: Heading) -> Table {
    let columns = ["ID", "PLAN", "SUBSCRIPTION", "STATE", "CREATED", "LIMITS"];
    let mut table = Table::new(&columns, heading);
    for account in accounts {
        table.row([
            show::text(&account["id"]),
            show::text(&account["plan"]),
            show::text(&account["subscription"]["status"]),
            state(account, config).to_owned(),
            keys::created(account),
            show::limits(account),
        ]);
    }
    table
}

/// One account, a line for each thing that is known of it.
fn sheet(account: &Value, config: &Config) -> String {
    let lines = [
        ("account", show::text(&account["id"])),
        ("plan", show::text(&account["plan"])),
        ("state", state(account, config).to_owned()),
        ("created", keys::created(account)),
        ("subscription", subscription(account)),
        ("email", show::text(&account["email"])),
        ("models", show::text(&account["models"])),
        ("limits", show::limits(account)),
    ];
    let known = lines.iter().filter(|(_, value)| !value.is_empty());
    known
        .map(|(name, value)| format!("{name:<14}{value}\n"))
        .collect()
}

fn state(account: &Value, config: &Config) -> &'static str {
    let declares = |plan| {
        config
            .roster
            .plans
            .iter()
            .any(|known| known.id.as_str() == plan)
    };
    match account["disabled"].as_bool() {
        Some(true) => "disabled",
        // Its keys open nothing.
        _ if !account["plan"].as_str().is_some_and(declares) => "no such plan",
        _ => "active",
    }
}

/// A subscription in words.
fn subscription(account: &Value) -> String {
    let stated = &account["subscription"];
    let Some(status) = stated["status"].as_str() else {
        return "none".to_owned();
    };
    let mut words = status.to_owned();
    if stated["current_period_start"].is_string() {
        words += &format!(
            ", period {} to {}",
            show::instant(&stated["current_period_start"]),
            show::instant(&stated["current_period_end"])
        );
    } else if stated["current_period_end"].is_string() {
        let end = show::instant(&stated["current_period_end"]);
        words += &format!(", period until {end}");
    }
    for (member, before) in [
        ("past_due_since", "payment due since"),
        ("trial_end", "trial until"),
        ("cancel_at", "canceled at"),
        ("ends_at", "ends at"),
    ] {
        if stated[member].is_string() {
            words += &format!(", {before} {}", show::instant(&stated[member]));
        }
    }
    if stated["cancel_at_period_end"] == true {
        words += ", ends with the period";
    }
    words
}

//! `faregate keys …`.

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    Failure, Terminal,
    arguments::{CreateKey, KeysCommand, LimitFlags},
    backend::{Backend, listed, path},
    show,
    table::{Heading, Table},
};
use crate::{config::Config, domain::Clock};

pub(super) async fn run(
    command: KeysCommand,
    config: Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    if let KeysCommand::List { account, json } = command {
        let backend = Backend::to_read(config, clock).await?;
        let parameters: Vec<_> = account.iter().map(|id| ("account", id.as_str())).collect();
        let keys = backend
            .during(async |backend| backend.all(&path(&["keys"]), &parameters).await)
            .await?;
        if json {
            return show::json(terminal, &listed(&keys));
        }
        return terminal.result(table(&keys, terminal.heading()));
    }
    let backend = Backend::to_write(config, clock).await?;
    let work = async |backend: &Backend| change(&command, backend).await;
    let (key, json) = backend.during(work).await?;
    if json {
        return show::json(terminal, &key);
    }
    report(&command, &key, terminal)
}

/// Sends the change; the answer is the key as it is afterwards.
async fn change(command: &KeysCommand, backend: &Backend) -> Result<(Value, bool), Failure> {
    match command {
        KeysCommand::Create(flags) => {
            let key = backend
                .call(Method::POST, &path(&["keys"]), Some(wanted(flags)))
                .await?;
            Ok((key, flags.json))
        }
        KeysCommand::Revoke { id, json } => {
            let key = backend
                .call(Method::DELETE, &path(&["keys", id]), None)
                .await?;
            Ok((key, *json))
        }
        KeysCommand::Rotate { id, overlap, json } => {
            let body = json!({ "overlap_seconds": overlap.as_secs() });
            let target = path(&["keys", id, "rotate"]);
            let key = backend.call(Method::POST, &target, Some(body)).await?;
            Ok((key, *json))
        }
        KeysCommand::List { .. } => Ok((Value::Null, false)),
    }
}

/// A new secret goes to standard output, alone on its line; the words go beside it.
fn report(command: &KeysCommand, key: &Value, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let id = show::text(&key["id"]);
    let account = show::text(&key["account"]);
    match command {
        KeysCommand::Create(_) => terminal.note(format_args!(
            "Key {id} of account {account} was created. It is shown this once and cannot be shown again:"
        )),
        KeysCommand::Rotate { .. } => {
            let until = match key["previous_secret_until"].as_str() {
                Some(_) => format!("works until {}", show::instant(&key["previous_secret_until"])),
                None => "is refused from now on".to_owned(),
            };
            terminal.note(format_args!(
                "Key {id} has a new secret; the old one {until}. The new one is shown this once:"
            ));
        }
        KeysCommand::Revoke { .. } | KeysCommand::List { .. } => {
            terminal.note(format_args!(
                "Key {id} of account {account} was revoked at {}.",
                show::instant(&key["revoked_at"])
            ));
        }
    }
    match key["key"].as_str() {
        Some(secret) => terminal.result(format_args!("{secret}\n")),
        None => Ok(()),
    }
}

/// The key that was asked for, as the API takes it.
fn wanted(flags: &CreateKey) -> Value {
    let CreateKey {
        account,
        id,
        expires_at,
        allowed_ips,
        limits,
        json: _,
    } = flags;
    let mut body = Map::new();
    body.insert("account".to_owned(), json!(account));
    if let Some(id) = id {
        body.insert("id".to_owned(), json!(id));
    }
    if let Some(end) = expires_at {
        body.insert("expires_at".to_owned(), json!(end));
    }
    let networks = allowed_ips.iter().map(ToString::to_string);
    body.insert("allowed_ips".to_owned(), networks.collect());
    limited(&mut body, limits);
    body.into()
}

/// Adds the limits that were given; none given is none.
pub(super) fn limited(body: &mut Map<String, Value>, flags: &LimitFlags) {
    let LimitFlags {
        models,
        requests_per_minute,
        tokens_per_minute,
        concurrent_requests,
        quotas,
        budgets,
    } = flags;
    if !models.is_empty() {
        body.insert("models".to_owned(), json!(models));
    }
    let rates = [
        ("requests_per_minute", requests_per_minute.map(|n| json!(n))),
        ("tokens_per_minute", tokens_per_minute.map(|n| json!(n))),
        ("concurrent_requests", concurrent_requests.map(|n| json!(n))),
    ];
    let rates: Map<String, Value> = rates
        .into_iter()
        .filter_map(|(name, limit)| Some((name.to_owned(), limit?)))
        .collect();
    if !rates.is_empty() {
        body.insert("rate_limits".to_owned(), rates.into());
    }
    if !quotas.is_empty() {
        body.insert("quotas".to_owned(), json!(quotas));
    }
    if !budgets.is_empty() {
        body.insert("budgets".to_owned(), json!(budgets));
    }
}

/// Keys for people.
pub(super) fn table(keys: &[Value], heading: Heading) -> Table {
    let columns = [
        "ID",
        "ACCOUNT",
        "STATE",
        "STARTS WITH",
        "CREATED",
        "EXPIRES",
        "LIMITS",
    ];
    let mut table = Table::new(&columns, heading);
    for key in keys {
        let starts = match key["public_part"].as_str() {
            Some(public) if !public.is_empty() => format!("fg_{public}_"),
            _ => String::new(),
        };
        table.row([
            show::text(&key["id"]),
            show::text(&key["account"]),
            show::text(&key["state"]),
            starts,
            created(key),
            show::instant(&key["expires_at"]),
            show::limits(key),
        ]);
    }
    table
}

/// When it was created; what the configuration file declares says so instead.
pub(super) fn created(item: &Value) -> String {
    if item["source"] == "config" {
        "in the configuration".to_owned()
    } else {
        show::instant(&item["created_at"])
    }
}

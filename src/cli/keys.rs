//! `faregate keys …`.

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    Failure, Terminal,
    arguments::{CreateKey, KeysCommand, LimitFlags},
    backend::{Backend, change, listed, look, path},
    show,
    table::{Heading, Table},
};
use crate::{config::Config, domain::Clock};

pub(super) async fn run(
    command: KeysCommand,
    config: &Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    match command {
        KeysCommand::List { account, json } => list(account, json, config, clock, terminal).await,
        KeysCommand::Create(flags) => {
            let body = Some(wanted(&flags));
            let key = change(config, clock, Method::POST, &path(&["keys"]), body).await?;
            report(&key, flags.json, terminal, |id, account| {
                format!(
                    "Key {id} of account {account} was created. It is shown this once and cannot be shown again:"
                )
            })
        }
        KeysCommand::Rotate { id, overlap, json } => {
            let body = Some(json!({ "overlap_seconds": overlap.as_secs() }));
            let target = path(&["keys", &id, "rotate"]);
            let key = change(config, clock, Method::POST, &target, body).await?;
            report(&key, json, terminal, |id, _| {
                let until = match key["previous_secret_until"].as_str() {
                    Some(_) => {
                        format!(
                            "works until {}",
                            show::instant(&key["previous_secret_until"])
                        )
                    }
                    None => "is refused from now on".to_owned(),
                };
                format!(
                    "Key {id} has a new secret; the old one {until}. The new one is shown this once:"
                )
            })
        }
        KeysCommand::Revoke { id, json } => {
            let key = change(config, clock, Method::DELETE, &path(&["keys", &id]), None).await?;
            report(&key, json, terminal, |id, account| {
                let since = show::instant(&key["revoked_at"]);
                format!("Key {id} of account {account} was revoked at {since}.")
            })
        }
    }
}

async fn list(
    account: Option<String>,
    json: bool,
    config: &Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let parameters = [("account", account.as_deref())];
    let all = async |backend: &Backend| backend.all(&path(&["keys"]), &parameters).await;
    let keys = look(config, clock, all).await?;
    if json {
        return show::json(terminal, &listed(&keys));
    }
    terminal.result(table(&keys, terminal.heading()))
}

/// Shows a key that was changed. A new secret goes to standard output, alone on its line; the words about the key of this
/// id and account go beside it.
fn report(
    key: &Value,
    json: bool,
    terminal: &mut Terminal<'_>,
    words: impl FnOnce(&str, &str) -> String,
) -> Result<(), Failure> {
    let id = show::text(&key["id"]);
    if !json {
        terminal.note(words(&id, &show::text(&key["account"])));
    }
    let shown = match key["key"].as_str() {
        Some(_) if json => terminal.all(format_args!("{key:#}\n")),
        Some(secret) => terminal.all(format_args!("{secret}\n")),
        None if json => return show::json(terminal, key),
        None => return Ok(()),
    };
    shown.map_err(|error| {
        Failure::failed(format!(
            "standard output: {error}; key {id} was written, and nobody has its new secret\n  hint: `faregate keys rotate \
             {id}` makes another"
        ))
    })
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
    if !allowed_ips.is_empty() {
        let networks = allowed_ips.iter().map(ToString::to_string);
        body.insert("allowed_ips".to_owned(), networks.collect());
    }
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

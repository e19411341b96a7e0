//! `faregate check` and `faregate health`.

use std::path::Path;

use super::{Failure, Terminal, client, loaded};
use crate::config::{Config, Environment};

/// Says what is wrong with a configuration, or what it declares.
pub(super) fn run(
    file: &Path,
    environment: &dyn Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let config = loaded(file, environment)?;
    for warning in &config.warnings {
        terminal.note(format_args!("warning: {warning}"));
    }
    let models = match &config.gateway.models {
        Some(models) => count(models.len(), "model"),
        None => "all models".to_owned(),
    };
    terminal.result(format_args!(
        "{}: good. {}, {models}, {}, {}, {}.\n",
        file.display(),
        count(config.gateway.providers.len(), "provider"),
        count(config.roster.plans.len(), "plan"),
        count(config.roster.accounts.len(), "account"),
        count(config.roster.keys.len(), "key"),
    ))
}

/// Asks the daemon of a configuration whether it is ready: at its admin listener, or where there is none, in public.
pub(super) async fn health(config: &Config, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let listener = match &config.admin {
        Some(admin) => &admin.listener,
        None => &config.listener,
    };
    match client::ready(listener.address, listener.tls.is_some()).await {
        Ok(status) if status.is_success() => terminal.result("ready\n"),
        Ok(status) => Err(Failure::failed(format!(
            "the daemon is not ready: {} answered {status}",
            listener.address
        ))),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

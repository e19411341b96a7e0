//! The command line: arguments in, words and an exit code out.
//!
//! Rank 10. Owns what can be typed, how lists look, and which process does the work: a running daemon through its
//! admin API, or this one on the store of a stopped daemon. Must not know how anything is done.

mod accounts;
mod arguments;
mod backend;
mod backup;
mod check;
mod client;
mod credit;
mod exit;
mod explain;
mod keys;
mod ledger;
mod notifications;
mod offline;
mod prices;
mod probe_tls;
mod prove;
mod show;
mod simulate;
mod stop;
mod table;
mod terminal;
mod usage;
mod webhooks;

use std::{ffi::OsString, path::Path};

use clap::{Parser, error::ErrorKind};

pub use arguments::Arguments;
pub use exit::{Exit, Failure};
pub use terminal::Terminal;

use self::arguments::Command;
use crate::{
    app,
    config::{self, Config, Environment, NoFile},
    domain::Clock,
};

/// Does what a command line asks for. `arguments` start with the program's name; `serve` runs the daemon with a
/// configuration file until it is told to stop.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    terminal: &mut Terminal<'_>,
    environment: &dyn Environment,
    clock: &Clock,
    serve: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Exit {
    let parsed = match Arguments::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(other) => return parsed_wrongly(&other, terminal),
    };
    let Arguments { config, command } = parsed;
    let locate = || config::locate(config.as_deref(), environment);
    let located = || locate().map_err(nowhere);
    let loaded = || located().and_then(|file| loaded(&file, environment));
    let done =
        match command {
            Command::Serve => located().and_then(|file| serve(&file)),
            Command::Check { json: true } => check::report(locate(), environment, terminal),
            Command::Check { json: false } => {
                located().and_then(|file| check::run(&file, environment, terminal))
            }
            Command::Schema => terminal.result(config::schema()),
            Command::Keys(command) => {
                loaded().and_then(|config| block_on(keys::run(command, &config, clock, terminal)))
            }
            Command::Accounts(command) => loaded()
                .and_then(|config| block_on(accounts::run(command, &config, clock, terminal))),
            Command::Notifications(command) => loaded()
                .and_then(|config| block_on(notifications::run(command, &config, clock, terminal))),
            Command::Credit(command) => {
                loaded().and_then(|config| block_on(credit::run(command, &config, clock, terminal)))
            }
            Command::Ledger(command) => loaded()
                .and_then(|config| block_on(ledger::run(&command, &config, clock, terminal))),
            Command::Backup(flags) => {
                loaded().and_then(|config| block_on(backup::run(&flags, &config, terminal)))
            }
            Command::Prices(flags) => {
                loaded().and_then(|config| prices::run(&flags, &config, clock, terminal))
            }
            Command::Webhooks(command) => loaded()
                .and_then(|config| block_on(webhooks::run(command, &config, clock, terminal))),
            Command::Usage(flags) => {
                loaded().and_then(|config| block_on(usage::run(&flags, &config, clock, terminal)))
            }
            Command::Explain(flags) => {
                loaded().and_then(|config| block_on(explain::run(&flags, &config, clock, terminal)))
            }
            Command::Prove(flags) => prove::run(&flags, clock, terminal),
            Command::Health => block_on(check::health(located(), environment, terminal)),
            Command::Simulate(flags) => block_on(simulate::run(&flags, terminal)),
        };
    match done {
        Ok(()) => Exit::Done,
        Err(failure) if failure.message.is_empty() => failure.exit,
        Err(failure) => {
            // Problems of a configuration start with the file and line, which editors jump to.
            let before = match failure.exit {
                Exit::Configuration => "",
                _ => "error: ",
            };
            terminal.note(format_args!("{before}{failure}"));
            failure.exit
        }
    }
}

/// Help and the version are results; everything else the parser says is a wrong usage.
fn parsed_wrongly(other: &clap::Error, terminal: &mut Terminal<'_>) -> Exit {
    let text = other.render();
    match other.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match terminal.result(text) {
            Ok(()) => Exit::Done,
            Err(failure) => {
                terminal.note(format_args!("error: {failure}"));
                failure.exit
            }
        },
        _ => {
            terminal.note(text.to_string().trim_end());
            Exit::Usage
        }
    }
}

/// Verbs are short and wait for one thing at a time; a thread of their own would only cost.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the event loop cannot be started: {error}")))?;
    runtime.block_on(async {
        app::outlive_file_limits()
            .map_err(|error| Failure::failed(format!("signals cannot be handled: {error}")))?;
        work.await
    })
}

fn nowhere(none: NoFile) -> Failure {
    let message = format!("{none}\n  hint: {}", NoFile::HINT);
    Failure::new(Exit::Configuration, message)
}

fn loaded(file: &Path, environment: &dyn Environment) -> Result<Config, Failure> {
    config::load(file, environment)
        .map_err(|problems| Failure::new(Exit::Configuration, problems.to_string()))
}

#[cfg(test)]
mod tests;

//! `faregate ledger …`.

use std::{
    io::{BufWriter, ErrorKind},
    path::Path,
};

use serde_json::json;

use super::{
    Failure, Terminal,
    arguments::{ExportFlags, LedgerCommand, read},
    backend, show,
    table::{Heading, Table},
};
use crate::{
    config::Config,
    domain::{AccountId, Clock, NanoUsd},
    store::{ExportError, ExportFilter, Location, OpenError, Reader, Verified},
};

pub(super) async fn run(
    command: &LedgerCommand,
    config: &Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let reader = reader(config, Reader::open).await?;
    match command {
        LedgerCommand::Verify { json } => verify(&reader, *json, terminal),
        LedgerCommand::Export(flags) => export(&reader, flags, clock, terminal),
    }
}

/// Looks into the store's file, which has every call whose answer was read before, where its daemon can be asked.
pub(super) async fn reader(
    config: &Config,
    open: impl FnOnce(&Path) -> Result<Reader, OpenError>,
) -> Result<Reader, Failure> {
    let Location::File(file) = &config.store.location else {
        return Err(Failure::failed(
            "the configuration keeps its store in memory, where only its daemon sees it\n  hint: name a file in \
             `store.url`",
        ));
    };
    backend::caught_up(config).await;
    open(file).map_err(|error| Failure::unavailable(error.to_string()))
}

fn verify(reader: &Reader, json: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let verified = reader.verify(|rows| terminal.progress(format_args!("{rows} rows read")));
    terminal.progress("");
    let verified = verified.map_err(|error| Failure::unavailable(error.to_string()))?;
    let difference = i64::try_from(verified.difference_nano_usd).unwrap_or(i64::MAX);
    let difference = NanoUsd::from_nanos(difference);
    if json {
        show::json(terminal, &json!(verified))?;
    } else {
        let (calls, entries) = (verified.calls, verified.entries);
        let call = if calls == 1 { "call" } else { "calls" };
        let entry = if entries == 1 { "entry" } else { "entries" };
        terminal.result(format_args!(
            "Read {calls} {call} and {entries} {entry}. Difference: {difference} USD.\n"
        ))?;
        if !verified.problems.is_empty() {
            terminal.result(format_args!(
                "\n{}",
                problems(&verified, terminal.heading())
            ))?;
        }
    }
    if verified.is_right() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "the store has figures that are not what its rows add up to: {}, off by {difference} USD together\n  hint: a \
         store is written by faregate alone; put back a backup, and look for what else writes to the file",
        verified.problems.len()
    )))
}

/// What is wrong, in the units of the store: billionths of a dollar, or how many.
fn problems(verified: &Verified, heading: Heading) -> Table {
    let mut table = Table::new(&["OF", "WHAT", ">STORED", ">ADDED UP"], heading);
    for problem in &verified.problems {
        table.row([
            problem.owner.clone(),
            problem.what.clone(),
            problem
                .stored
                .map_or_else(String::new, |stored| stored.to_string()),
            problem.derived.to_string(),
        ]);
    }
    table
}

fn export(
    reader: &Reader,
    flags: &ExportFlags,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let ExportFlags {
        format,
        account,
        since,
        until,
    } = flags;
    let account = account.as_deref().map(AccountId::parse).transpose();
    let account = account.map_err(|wrong| Failure::failed(format!("--account {wrong}")))?;
    let [since, until] = read::between(*since, *until, clock.now())?;
    let filter = ExportFilter {
        account,
        since,
        until,
    };
    let mut out = BufWriter::new(terminal.out());
    match reader.export(*format, &filter, &mut out) {
        Ok(_) => Ok(()),
        // `faregate ledger export | head` is not a failure.
        Err(ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error @ ExportError::Write(_)) => Err(Failure::failed(error.to_string())),
        Err(ExportError::Read(error)) => Err(Failure::unavailable(error.to_string())),
    }
}

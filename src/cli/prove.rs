//! `faregate prove`.

use std::{fs, io::Write as _};

use serde_json::json;

use super::{Failure, Terminal, arguments::ProveFlags, show, stop::Stop};
use crate::{
    domain::Clock,
    prove::{Progress, Report, Settings, prove},
};

/// Marks of a whole bar.
const BAR: u64 = 24;

/// Proves everything with the program that runs.
pub(super) fn run(
    flags: &ProveFlags,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(|error| {
        Failure::failed(format!(
            "the path of this program cannot be determined: {error}"
        ))
    })?;
    let settings = Settings {
        program,
        calls: flags.calls,
        kills: flags.kills,
        keep: flags.keep,
    };
    // A file that cannot be written is said before anybody has waited.
    let mut file = match &flags.report {
        Some(path) => {
            let unwritten = |error| Failure::failed(format!("{}: {error}", path.display()));
            Some((fs::File::create(path).map_err(unwritten)?, path))
        }
        None => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the event loop cannot be started: {error}")))?;
    let proved = runtime.block_on(async {
        let mut stop = Stop::listen()?;
        let proving = prove(&settings, clock, |progress| {
            terminal.progress(bar(progress))
        });
        // Whoever stops it finds no daemon and no folder left behind: both go with the proof.
        tokio::select! {
            proved = proving => proved.map_err(|obstacle| Failure::failed(obstacle.to_string())),
            () = stop.asked() => Err(Failure::failed("interrupted; nothing was proved")),
        }
    });
    terminal.progress("");
    let report = proved?;
    if let Some((file, path)) = &mut file {
        write!(file, "{report}")
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
    }
    if flags.json {
        show::json(terminal, &json!(report))?;
    } else {
        terminal.result(&report)?;
    }
    verdict(&report)
}

/// A promise that is broken is a failure, for scripts as well.
fn verdict(report: &Report) -> Result<(), Failure> {
    if report.holds() {
        return Ok(());
    }
    Err(Failure::failed(
        "a promise does not hold on this machine\n  hint: run it again with --keep, and report it with what was printed",
    ))
}

/// How far it is, as a line.
fn bar(Progress { proof, done, of }: Progress<'_>) -> String {
    let filled = (done * BAR).checked_div(of).unwrap_or(0).min(BAR);
    let (filled, left) = (
        "#".repeat(filled as usize),
        "-".repeat((BAR - filled) as usize),
    );
    format!("[{filled}{left}] {proof}: {done} of {of}")
}

#[cfg(test)]
mod tests;

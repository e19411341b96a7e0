//! The command line as it is typed, without a process of its own.

mod credit;
mod health;
mod help;
mod notifications;
mod prices;
mod running;
mod stopped;
mod tables;
mod values;
mod webhooks;

use std::{collections::HashMap, ffi::OsString, path::Path};

use rustls::pki_types::CertificateDer;

use super::{Exit, Failure, Terminal, run};
use crate::{
    config::Environment,
    domain::{Clock, Timestamp},
};

/// Variables of a test; nobody's real ones.
#[derive(Debug, Default)]
struct Variables(HashMap<&'static str, String>);

impl Environment for Variables {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn system_roots(&self) -> Vec<CertificateDer<'static>> {
        Vec::new()
    }

    fn now(&self) -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }
}

/// What a command left behind.
#[derive(Debug)]
struct Said {
    exit: Exit,
    out: String,
    notes: String,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in self.notes.lines() {
            writeln!(f, "# {line}")?;
        }
        write!(f, "{}", self.out)?;
        match self.exit {
            Exit::Done => Ok(()),
            other => writeln!(f, "[{}]", other.number()),
        }
    }
}

fn clock() -> Clock {
    Clock::manual("2026-11-20T12:00:00Z".parse().unwrap())
}

/// Types `line` beside the configuration file `file`.
fn type_in(file: &Path, line: &str, clock: &Clock) -> Said {
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut terminal = Terminal::captured(&mut out, &mut notes);
    let exit = type_at(file, line, clock, &mut terminal);
    drop(terminal);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said {
        exit,
        out: text(out),
        notes: text(notes),
    }
}

/// The same, at a terminal of one's own.
fn type_at(file: &Path, line: &str, clock: &Clock, terminal: &mut Terminal<'_>) -> Exit {
    let mut variables = Variables::default();
    let named = file.to_str().unwrap().to_owned();
    variables.0.insert("FAREGATE_CONFIG", named);
    let arguments = ["faregate"].into_iter().chain(line.split_whitespace());
    run(
        arguments.map(OsString::from),
        terminal,
        &variables,
        clock,
        |file| Err(Failure::failed(format!("would serve {}", file.display()))),
    )
}

/// Replaces what differs from run to run: secrets and their public parts, ports, and the directory of the test.
fn settled(text: &str, directory: &Path) -> String {
    let mut rest = text.replace(directory.to_str().unwrap(), "<dir>");
    let mut whole = String::new();
    for prefix in ["fg_", "key-", "\"public_part\": \"", "127.0.0.1:"] {
        while let Some(at) = rest.find(prefix) {
            let (before, after) = rest.split_at(at + prefix.len());
            whole.push_str(before);
            let secret = |c: char| c.is_ascii_alphanumeric() || (prefix == "fg_" && c == '_');
            let end = after.find(|c| !secret(c)).unwrap_or(after.len());
            let port = prefix.ends_with("1:");
            if port || end >= 8 {
                whole.push_str(if port { "<port>" } else { "<secret>" });
                rest = after[end..].to_owned();
            } else {
                rest = after.to_owned();
            }
        }
        whole.push_str(&rest);
        rest = std::mem::take(&mut whole);
    }
    rest
}

//! What was claimed and what was seen, for somebody who was not there.

use std::{
    fmt::{self, Write as _},
    path::PathBuf,
};

use serde::{Serialize, ser::SerializeStruct as _};

use super::Machine;
use crate::domain::Timestamp;

/// A claim, what was seen of it, and where that is something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Its name.
    pub name: String,
    /// What must hold.
    pub claim: String,
    /// Figures, by name, in the order of their reading.
    pub seen: Vec<(String, String)>,
    /// Every place where it does not hold.
    pub misses: Vec<String>,
}

/// All proofs of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The version of the program.
    pub version: &'static str,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub seconds: u64,
    /// Where.
    pub machine: Machine,
    /// Calls of each burst.
    pub calls: u32,
    /// Kills of the daemon.
    pub kills: u32,
    /// The folder with the stores, where it was kept.
    pub kept: Option<PathBuf>,
    /// One after the other.
    pub proofs: Vec<Proof>,
}

impl Proof {
    /// A claim, of which nothing has been seen yet.
    pub(super) fn new(name: impl Into<String>, claim: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            claim: claim.into(),
            seen: Vec::new(),
            misses: Vec::new(),
        }
    }

    /// Notes a figure.
    pub(super) fn saw(&mut self, name: &str, figure: impl fmt::Display) {
        self.seen.push((name.to_owned(), figure.to_string()));
    }

    /// Notes a figure that has to be another one.
    pub(super) fn expect<T: PartialEq + fmt::Display>(&mut self, name: &str, seen: T, wanted: T) {
        if seen != wanted {
            self.misses
                .push(format!("{name}: {seen} instead of {wanted}"));
        }
        self.saw(name, seen);
    }

    /// Notes where the claim does not hold.
    pub(super) fn miss(&mut self, words: impl Into<String>) {
        self.misses.push(words.into());
    }

    /// Whether the claim holds.
    pub fn holds(&self) -> bool {
        self.misses.is_empty()
    }
}

impl Report {
    /// Whether every claim holds.
    pub fn holds(&self) -> bool {
        self.proofs.iter().all(Proof::holds)
    }

    fn verdict(&self) -> String {
        let held = self.proofs.iter().filter(|proof| proof.holds()).count();
        match self.proofs.len() - held {
            0 => format!("all {held} claims hold"),
            missed => format!("{missed} of {} claims DO NOT HOLD", self.proofs.len()),
        }
    }
}

/// Markdown, which is read as well where nobody renders it.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            started,
            seconds,
            machine,
            calls,
            kills,
            kept,
            proofs,
        } = self;
        writeln!(f, "# faregate prove: {}\n", self.verdict())?;
        writeln!(f, "- version: faregate {version}")?;
        writeln!(f, "- date: {started}, {seconds} s")?;
        writeln!(f, "- machine: {}", machine.words())?;
        writeln!(
            f,
            "- command: `faregate prove --calls {calls} --kills {kills}`"
        )?;
        if let Some(kept) = kept {
            writeln!(f, "- stores: {}", kept.display())?;
        }
        for proof in proofs {
            let verdict = if proof.holds() {
                "holds"
            } else {
                "DOES NOT HOLD"
            };
            writeln!(f, "\n## {}: {verdict}\n\n{}\n", proof.name, proof.claim)?;
            writeln!(f, "| seen | |\n|---|---|")?;
            for (name, figure) in &proof.seen {
                writeln!(f, "| {name} | {figure} |")?;
            }
            for miss in &proof.misses {
                writeln!(f, "\n- MISS: {miss}")?;
            }
        }
        f.write_char('\n')
    }
}

impl Serialize for Report {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_struct("Report", 9)?;
        report.serialize_field("holds", &self.holds())?;
        report.serialize_field("version", self.version)?;
        report.serialize_field("started", &self.started)?;
        report.serialize_field("seconds", &self.seconds)?;
        report.serialize_field("machine", &self.machine)?;
        report.serialize_field("calls", &self.calls)?;
        report.serialize_field("kills", &self.kills)?;
        report.serialize_field("kept", &self.kept)?;
        report.serialize_field("proofs", &self.proofs)?;
        report.end()
    }
}

#[cfg(test)]
mod tests;

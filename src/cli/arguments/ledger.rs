//! `faregate ledger …`.

use clap::{Args, Subcommand};

use super::read::{self, Moment};
use crate::store::ExportFormat;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LedgerCommand {
    /// Add everything up again, from calls and entries, and compare
    #[command(after_help = "Example:\n  faregate ledger verify --json\n\n\
                      Reads the store's file, while a daemon runs as well as when it is down, as it is at \
                      one instant. Exits with 0 when every balance, lot and counter is what the rows add up \
                      to, with 1 when not.")]
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write all calls and entries of credit to standard output, in the order of time
    #[command(after_help = "Examples:\n  \
        faregate ledger export --format csv --since 2026-11-01 --until 2026-12-01 > november.csv\n  \
        faregate ledger export --format cloudevents --account acme --since 1d\n\n\
        cloudevents writes an event in each line, as OpenMeter takes them. While it is written, the store \
        keeps what it was: let nothing that reads it wait for long.")]
    Export(ExportFlags),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportFlags {
    /// How rows are written: jsonl, csv or cloudevents
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub(in crate::cli) format: ExportFormat,
    /// Only this account
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) account: Option<String>,
    /// From then on: an instant, a day, or how long ago
    #[arg(long, value_name = "TIME", value_parser = read::moment)]
    pub(in crate::cli) since: Option<Moment>,
    /// Before then
    #[arg(long, value_name = "TIME", value_parser = read::moment)]
    pub(in crate::cli) until: Option<Moment>,
}

fn format(word: &str) -> Result<ExportFormat, String> {
    word.parse().map_err(|()| {
        let known = ExportFormat::ALL.map(ExportFormat::as_str).join(", ");
        format!("write one of {known}")
    })
}

//! `faregate ledger …`.

use clap::{Args, Subcommand};

use super::read::{self, Moment};
use crate::store::ExportFormat;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LedgerCommand {
    /// Add everything up again from calls and entries, and compare
    #[command(after_help = "Example:\n  faregate ledger verify --json\n\n\
                      Works while a daemon runs and while it is stopped, on the store as it is at one instant. \
                      Exits with 0 when every balance, lot and counter is what the rows add up to, with 1 \
                      when not.")]
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write all calls and credit entries to standard output, in chronological order
    #[command(after_help = "Examples:\n  \
        faregate ledger export --format csv --since 2026-11-01 --until 2026-12-01 > november.csv\n  \
        faregate ledger export --format cloudevents --account acme --since 1d\n\n\
        cloudevents writes one event per line, in the form that OpenMeter takes. The store keeps a snapshot of \
        itself until the export ends, which takes room: do not let a program that reads the output stall.")]
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
    /// From then on: an instant, a day, or how long ago, such as 7d
    #[arg(long, value_name = "TIME", value_parser = read::moment)]
    pub(in crate::cli) since: Option<Moment>,
    /// Before then
    #[arg(long, value_name = "TIME", value_parser = read::moment)]
    pub(in crate::cli) until: Option<Moment>,
}

fn format(word: &str) -> Result<ExportFormat, String> {
    ExportFormat::parse(word).ok_or_else(|| {
        let known = ExportFormat::ALL.map(ExportFormat::as_str).join(", ");
        format!("write one of {known}")
    })
}

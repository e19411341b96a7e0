//! `faregate prove`.

use std::path::PathBuf;

use clap::Args;

use super::read;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faregate prove\n  \
    faregate prove --calls 100000 --kills 50 --report proof.md\n\n\
    Starts this program as a daemon of its own, over a new folder that is removed afterwards, with the\n\
    simulated provider: nothing leaves this machine, and no configuration is read.\n\
    Exits with 0 when everything holds, with 1 when something does not.")]
pub(in crate::cli) struct ProveFlags {
    /// Calls in each burst
    #[arg(long, value_name = "N", default_value_t = 10_000,
        value_parser = read::number::<u32>(1..=1_000_000))]
    pub(in crate::cli) calls: u32,
    /// How many times the daemon is killed under load
    #[arg(long, value_name = "N", default_value_t = 10,
        value_parser = read::number::<u32>(1..=100_000))]
    pub(in crate::cli) kills: u32,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Write the report to a file as well, as Markdown
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) report: Option<PathBuf>,
    /// Keep the folder with the stores and name it
    #[arg(long)]
    pub(in crate::cli) keep: bool,
}

//! `faregate backup`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  faregate backup /var/backups/faregate-2026-11-21.db\n\n\
    Reads the store's file, while a daemon runs as well as when it is down, as it is at one instant. The copy is a \
    store like it: to restore, stop the daemon and put the copy in the store's place."
)]
pub(in crate::cli) struct BackupFlags {
    /// Where the copy goes; a file that is there already is never replaced
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

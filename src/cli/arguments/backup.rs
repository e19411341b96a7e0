//! `faregate backup`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  faregate backup /var/backups/faregate-2026-11-21.db\n\n\
    Works while a daemon runs and while it is stopped, and copies the store as it is at one instant. The copy is a \
    complete store: to restore it, stop the daemon, move the store away with its -wal and -shm, and put the copy in \
    its place."
)]
pub(in crate::cli) struct BackupFlags {
    /// Where the copy goes; an existing file is never replaced
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

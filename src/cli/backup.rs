//! `faregate backup`.

use serde_json::json;

use super::{Failure, Terminal, arguments::BackupFlags, ledger, show};
use crate::{
    config::Config,
    store::{BackupError, Reader},
};

pub(super) async fn run(
    flags: &BackupFlags,
    config: &Config,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let reader = ledger::reader(config, Reader::open_to_copy).await?;
    let file = &flags.file;
    terminal.progress(format_args!("writing {}", file.display()));
    let written = reader.backup(file);
    terminal.progress("");
    let bytes = written.map_err(|error| match error {
        BackupError::Read(_) => Failure::unavailable(error.to_string()),
        BackupError::Exists(_) | BackupError::Unwritable { .. } => {
            Failure::failed(error.to_string())
        }
    })?;
    if flags.json {
        return show::json(terminal, &json!({"file": file, "bytes": bytes}));
    }
    terminal.result(format_args!("Wrote {} ({bytes} bytes).\n", file.display()))
}

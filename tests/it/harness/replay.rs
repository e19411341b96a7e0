//! The program beside the daemon, and both replays of the ledger.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use serde_json::Value;

/// Runs the program beside the daemon.
pub(crate) fn faregate(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faregate"));
    command
        .arg("--config")
        .arg(folder.join("faregate.yaml"))
        .args(line.split_whitespace());
    command.output().unwrap()
}

/// The replay of the program.
pub(crate) fn verified(folder: &Path) -> Value {
    let output = faregate(folder, "ledger verify --json");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{said:#}");
    assert_eq!(said["difference_nano_usd"], 0);
    said
}

/// The second replay, in another language, with the usage that the program tells. It needs Python 3.10 or newer; where
/// there is none, that is said, and `.ci/run` requires it.
pub(crate) fn replayed(folder: &Path) -> Option<Value> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let python = PYTHON.get_or_init(python).as_ref()?;
    let output = Command::new(python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/ledger/replay.py"
        ))
        .arg(folder.join("faregate.db"))
        .args(["--faregate", env!("CARGO_BIN_EXE_faregate"), "--config"])
        .arg(folder.join("faregate.yaml"))
        .output()
        .unwrap();
    let notes = String::from_utf8_lossy(&output.stderr);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{notes}"));
    assert!(output.status.success(), "{said}\n{notes}");
    Some(said)
}

/// The interpreter itself: what finds it may be a script that takes longer than the replay.
fn python() -> Option<PathBuf> {
    let newer = "import sys; print(sys.executable); sys.exit(sys.version_info < (3, 10))";
    let python = ["python3", "python3.11"].into_iter().find_map(|python| {
        let tried = Command::new(python).args(["-c", newer]).output().ok()?;
        let path = String::from_utf8(tried.stdout).ok()?;
        tried.status.success().then(|| path.trim().into())
    });
    if python.is_none() {
        assert!(
            std::env::var_os("FAREGATE_TESTS_NEED_PYTHON").is_none(),
            "PYTHON REPLAY NOT RUN: there is no Python 3.10"
        );
        crate::harness::notice("PYTHON REPLAY NOT RUN: there is no Python 3.10 or newer");
    }
    python
}

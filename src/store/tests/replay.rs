//! The second replay, `tests/ledger/replay.py`, beside ours: another language, and another hand.

use std::{path::Path, process::Command};

use proptest::{
    collection,
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use rusqlite::Connection;
use serde_json::Value;

use crate::store::{
    Reader,
    tests::{
        flushed,
        ledger::{FIGURES, Town, step},
    },
};

/// A Python that the replay runs on.
fn python() -> Option<&'static str> {
    let newer = "import sys; sys.exit(sys.version_info < (3, 10))";
    ["python3", "python3.11"].into_iter().find(|python| {
        let tried = Command::new(python).args(["-c", newer]).status();
        tried.is_ok_and(|status| status.success())
    })
}

/// What it prints, and whether it found nothing wrong.
fn replayed(python: &str, file: &Path) -> (Value, bool) {
    let output = Command::new(python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/ledger/replay.py"
        ))
        .arg(file)
        .output()
        .unwrap();
    let notes = String::from_utf8_lossy(&output.stderr);
    let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{notes}"));
    (said, output.status.success())
}

/// Both agree, to the unit; whether they found nothing wrong.
fn agree(python: &str, file: &Path) -> bool {
    let ours = Reader::open(file).unwrap().verify(|_| {}).unwrap();
    let (theirs, right) = replayed(python, file);
    assert_eq!(theirs["calls"], ours.calls, "{ours:?}");
    assert_eq!(theirs["entries"], ours.entries, "{ours:?}");
    assert_eq!(
        theirs["difference_nano_usd"], ours.difference_nano_usd,
        "{ours:?}"
    );
    assert_eq!(right, ours.is_right(), "{ours:?}");
    right
}

#[tokio::test]
async fn two_replays_agree_to_the_unit() {
    let Some(python) = python() else {
        assert!(
            std::env::var_os("FAREGATE_TESTS_NEED_PYTHON").is_none(),
            "PYTHON REPLAY NOT RUN: there is no Python 3.10"
        );
        #[expect(clippy::print_stderr, reason = "a test that did not run has to say so")]
        {
            eprintln!("PYTHON REPLAY NOT RUN: there is no Python 3.10 or newer");
        }
        return;
    };
    // The same each time.
    let steps = collection::vec(step(), 150..151)
        .new_tree(&mut TestRunner::deterministic())
        .unwrap()
        .current();
    let mut town = Town::new();
    for step in &steps {
        town.take(step).await;
    }
    flushed(&town.store).await;
    town.store.close().await;
    let file = town.bench.file();
    assert!(agree(python, &file));

    let store = Connection::open(&file).unwrap();
    for (number, figure) in FIGURES.into_iter().enumerate() {
        let spoil: String = store.query_row(figure, [], |row| row.get(0)).unwrap();
        let copy = town.bench.folder.path().join(format!("spoilt-{number}.db"));
        store
            .execute("VACUUM INTO ?", [copy.to_str().unwrap()])
            .unwrap();
        let spoilt = Connection::open(&copy).unwrap();
        let no_triggers =
            "DROP TRIGGER credit_entries_stay_as_they_are; DROP TRIGGER calls_stay_as_they_are;";
        spoilt.execute_batch(no_triggers).unwrap();
        assert_eq!(spoilt.execute(&spoil, []).unwrap(), 1, "{spoil}");
        drop(spoilt);
        assert!(!agree(python, &copy), "{spoil}");
    }
}

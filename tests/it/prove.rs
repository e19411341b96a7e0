use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// Runs the proofs, small ones, with their folder in `scratch`.
fn prove(scratch: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faregate"));
    command.arg("prove").args(arguments).env("TMPDIR", scratch);
    command.output().unwrap()
}

fn left(scratch: &TempDir) -> usize {
    scratch.path().read_dir().unwrap().count()
}

#[test]
fn every_promise_holds_and_nothing_is_left_behind() {
    let scratch = TempDir::new().unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("proof.md");
    let written = file.to_str().unwrap();
    let output = prove(
        scratch.path(),
        &[
            "--calls", "200", "--kills", "2", "--json", "--report", written,
        ],
    );
    let notes = String::from_utf8_lossy(&output.stderr);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{notes}"));
    assert!(output.status.success(), "{said:#}\n{notes}");
    assert_eq!(said["holds"], true);
    let proofs = said["proofs"].as_array().unwrap();
    let names: Vec<_> = proofs
        .iter()
        .map(|proof| proof["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "Burst, credit",
            "Burst, plan-budget",
            "Burst, account-budget",
            "Burst, key-budget",
            "Burst, tightest",
            "Token prices",
            "Kills"
        ]
    );
    let seen = |proof: usize, name: &str| {
        let seen = proofs[proof]["seen"].as_array().unwrap();
        let figure = seen.iter().find(|figure| figure[0] == name);
        figure.unwrap_or_else(|| panic!("{seen:?}"))[1].clone()
    };
    for (proof, served) in [50, 50, 50, 50, 30].into_iter().enumerate() {
        assert_eq!(seen(proof, "200"), served.to_string());
    }
    assert_eq!(seen(0, "402 credit_exhausted"), "150");
    assert_eq!(seen(4, "402 budget_exceeded"), "170");
    assert_eq!(seen(6, "of these missing in the ledger"), "0");
    let report = fs::read_to_string(&file).unwrap();
    assert!(
        report.starts_with("# faregate prove: all 7 claims hold\n"),
        "{report}"
    );
    assert_eq!(left(&scratch), 0, "the stores are gone");
}

#[test]
fn the_stores_are_kept_where_that_is_asked_for() {
    let scratch = TempDir::new().unwrap();
    let output = prove(scratch.path(), &["--calls", "60", "--kills", "1", "--keep"]);
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{report}");
    assert!(
        report.contains(scratch.path().to_str().unwrap()),
        "{report}"
    );
    assert_eq!(left(&scratch), 1);
}

/// The command lines of all processes that have to do with the folder.
fn processes(folder: &Path) -> Vec<String> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines
        .filter(|line| line.contains(folder.to_str().unwrap()))
        .collect()
}

/// Begins more proofs than anybody waits for, until they have something that could be left behind.
fn begun(command: &mut Command, scratch: &Path) -> Child {
    let mut proving = command
        .env("TMPDIR", scratch)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while processes(scratch).is_empty() {
        assert_eq!(proving.try_wait().unwrap(), None);
    }
    proving
}

/// As a terminal that is closed does, and a job that takes too long.
#[test]
fn who_is_told_to_stop_leaves_nothing_behind() {
    for signal in ["INT", "TERM", "HUP"] {
        let scratch = TempDir::new().unwrap();
        // The tests themselves may have been started by `nohup`.
        let program = env!("CARGO_BIN_EXE_faregate");
        let mut command = Command::new("env");
        command.args([
            "--default-signal=HUP",
            program,
            "prove",
            "--calls",
            "1000000",
        ]);
        let proving = begun(&mut command, scratch.path());
        let told = Command::new("sh")
            .args(["-c", &format!("kill -{signal} {}", proving.id())])
            .status();
        assert!(told.unwrap().success());
        let ended = proving.wait_with_output().unwrap();
        let notes = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{signal}: {notes}");
        assert!(notes.contains("nothing was proved"), "{signal}: {notes}");
        assert_eq!(processes(scratch.path()), [""; 0], "{signal}");
        assert_eq!(left(&scratch), 0, "{signal}");
    }
}

#[test]
fn what_is_to_outlive_its_terminal_does() {
    let scratch = TempDir::new().unwrap();
    let program = env!("CARGO_BIN_EXE_faregate");
    let script = format!("trap '' HUP; exec {program} prove --calls 1000000");
    let proving = begun(Command::new("sh").args(["-c", &script]), scratch.path());
    let status = fs::read_to_string(format!("/proc/{}/status", proving.id())).unwrap();
    let mask = |name: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name));
        u64::from_str_radix(mask.unwrap().trim(), 16).unwrap()
    };
    // SIGHUP is the first signal, SIGTERM the fifteenth.
    assert_eq!(mask("SigIgn:") & 1, 1, "{status}");
    assert_eq!(mask("SigCgt:") >> 14 & 1, 1, "{status}");
    let told = Command::new("kill").arg(proving.id().to_string()).status();
    assert!(told.unwrap().success());
    let ended = proving.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(left(&scratch), 0);
}

#[test]
fn what_stands_in_the_way_is_said_and_proves_nothing() {
    let nowhere = Path::new("/there/is/no/such/folder");
    let output = prove(nowhere, &["--calls", "1", "--kills", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(notes.contains("the scratch folder"), "{notes}");
    let output = prove(nowhere, &["--report", "/there/is/no/such/file"]);
    let notes = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{notes}");
    assert!(notes.contains("/there/is/no/such/file"), "{notes}");
}

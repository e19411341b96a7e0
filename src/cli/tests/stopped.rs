//! Verbs beside a stopped daemon, and beside no configuration.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{Exit, Variables, clock, settled, type_at, type_in};
use crate::{
    accounts::ApiKey,
    cli::{Terminal, backend::Backend, check, offline::Offline},
    config,
    domain::Clock,
};

pub(super) const CONFIG: &str = r#"
store: {url: "sqlite:faregate.db"}
providers:
  local: {kind: openai, base_url: "http://127.0.0.1:1", api_key: "sk-of-the-provider"}
models:
  small: {provider: local, context_window: 1000, max_output_tokens: 100}
plans:
  free: {rate_limits: {requests_per_minute: 5}}
  pro: {subscription: required}
accounts:
  - {id: acme, plan: pro, keys: [{id: acme-ci, key: "a-long-key-of-acme-itself"}]}
"#;

pub(super) fn directory_with(config: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("faregate.yaml");
    fs::write(&file, config).unwrap();
    (directory, file)
}

#[tokio::test(start_paused = true)]
async fn a_verb_waits_for_another_that_writes() {
    let (directory, file) = directory_with(CONFIG);
    let other = fs::File::create(directory.path().join("faregate.db.lock")).unwrap();
    other.lock().unwrap();
    let ends = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        other.unlock().unwrap();
    };
    let config = config::load(&file, &Variables::default()).unwrap();
    let clock = clock();
    let (backend, ()) = tokio::join!(Backend::to_write(&config, &clock), ends);
    backend.unwrap().during(async |_| Ok(())).await.unwrap();
}

/// A daemon that starts listens before it has its store, and answers when it has.
#[tokio::test]
async fn a_verb_leaves_the_store_to_a_daemon_that_starts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let admin = format!(
        "admin: {{listen: \"{address}\", token: {}}}\n",
        "t".repeat(32)
    );
    let (directory, file) = directory_with(&format!("{CONFIG}{admin}"));
    let config = config::load(&file, &Variables::default()).unwrap();
    let clock = clock();
    let own = Offline::own(
        config.roster.clone(),
        &config.store,
        config.gateway.webhooks.clone(),
        &clock,
    );
    own.unwrap().close().await;
    let store = fs::File::open(directory.path().join("faregate.db.lock")).unwrap();
    let starts = async {
        let (mut client, _) = listener.accept().await.unwrap();
        while store.try_lock().is_err() {
            tokio::task::yield_now().await;
        }
        loop {
            // Who only looked whether somebody listens has gone, and asks nothing.
            if client.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                client.write_all(answer.as_bytes()).await.unwrap();
            }
            (client, _) = listener.accept().await.unwrap();
        }
    };
    tokio::select! {
        backend = Backend::to_write(&config, &clock) => {
            assert!(matches!(backend, Ok(Backend::Daemon(_))), "{backend:?}");
        }
        () = starts => {}
    }
}

#[test]
fn a_day_of_administration() {
    let (directory, file) = directory_with(CONFIG);
    let clock = clock();
    let mut page = String::new();
    for line in [
        "check",
        "accounts list",
        "accounts create bob --plan free --model small --quota tokens=1000/day --concurrent-requests 2",
        "accounts create eve --plan pro --subscription trialing --json",
        "keys create --account bob --id bob-1 --allowed-ip 10.0.0.0/8 --expires-at 2027-01-01 --requests-per-minute 3",
        "keys create --account acme",
        "keys rotate bob-1 --overlap 2h",
        "keys list --account bob --json",
        "keys revoke bob-1",
        "keys list --account bob",
        "accounts set-plan bob pro",
        "accounts set-subscription bob --status active --current-period-start 2026-11-20 --current-period-end 2026-12-20",
        "accounts set-subscription bob --status past_due",
        "accounts show bob",
        "accounts set-subscription bob --none",
        "accounts list",
        "usage",
        "usage --by model --since 7d --json",
    ] {
        page += &format!("$ faregate {line}\n{}\n", type_in(&file, line, &clock));
        clock.advance(Duration::from_secs(60));
    }
    insta::assert_snapshot!("day", settled(&page, directory.path()));
}

#[test]
fn a_rate_that_cannot_be_is_told_what_it_may_be() {
    let (_directory, file) = directory_with(CONFIG);
    for (flag, most, more) in [
        ("requests-per-minute", "4294967295", "4294967296"),
        ("concurrent-requests", "4294967295", "4294967296"),
        (
            "tokens-per-minute",
            "9223372036854775807",
            "9223372036854775808",
        ),
    ] {
        for number in ["0", more] {
            let line = format!("keys create --account acme --{flag} {number}");
            let said = type_in(&file, &line, &clock());
            assert_eq!(said.exit, Exit::Usage, "{line}");
            let words = format!("write a whole number from 1 to {most}");
            assert!(said.notes.contains(&words), "{line}: {said}");
        }
    }
}

#[test]
fn an_overlap_that_is_too_long_is_told_what_it_may_be() {
    let (directory, file) = directory_with(CONFIG);
    for overlap in ["367d", "8785h", "31622401s"] {
        let line = format!("keys rotate acme-ci --overlap {overlap}");
        let said = type_in(&file, &line, &clock());
        assert_eq!(said.exit, Exit::Usage, "{said}");
        let words = "'--overlap <TIME>': an old secret works for 366d at most";
        assert!(said.notes.contains(words), "{said}");
    }
    assert!(!directory.path().join("faregate.db").exists());
    let said = type_in(&file, "keys rotate acme-ci --overlap 366d", &clock());
    assert_eq!(said.exit, Exit::Failed, "it is a key of the file: {said}");
}

#[test]
fn mistakes_end_with_the_documented_numbers() {
    let (directory, file) = directory_with(CONFIG);
    let clock = clock();
    let mut page = String::new();
    for line in [
        "accounts create acme --plan free",
        "accounts create x --plan gold",
        "accounts set-plan acme free",
        "accounts show nobody",
        "keys create --account nobody",
        "keys create --account acme --expires-at 2020-01-01",
        "keys rotate acme-ci",
        "keys revoke nobody",
        "keys list --account nobody",
        "--config none.yaml keys list",
    ] {
        page += &format!("$ faregate {line}\n{}\n", type_in(&file, line, &clock));
    }
    insta::assert_snapshot!("mistakes", settled(&page, directory.path()));
}

#[test]
fn a_new_key_is_alone_on_standard_output() {
    let (_directory, file) = directory_with(CONFIG);
    let said = type_in(&file, "keys create --account acme --id k", &clock());
    assert_eq!(said.exit, Exit::Done);
    let key = said.out.strip_suffix('\n').unwrap();
    assert!(ApiKey::looks_valid(key), "{key}");
    assert!(!said.notes.contains(key), "it is printed once");
    let list = type_in(&file, "keys list --json", &clock());
    assert!(!list.out.contains(key));
}

#[test]
fn a_period_may_be_known_by_its_end_alone() {
    let (_directory, file) = directory_with(CONFIG);
    let clock = clock();
    for line in [
        "accounts create bob --plan free",
        "accounts set-subscription bob --status active --current-period-end 2026-12-20 --cancel-at-period-end",
    ] {
        let said = type_in(&file, line, &clock);
        assert_eq!(said.exit, Exit::Done, "{said}");
    }
    let said = type_in(&file, "accounts show bob", &clock);
    let words = "active, period until 2026-12-20T00:00:00Z, ends with the period";
    assert!(said.out.contains(words), "{said}");
}

#[test]
fn looking_makes_no_store() {
    let (directory, file) = directory_with(CONFIG);
    for line in [
        "keys list",
        "accounts list",
        "accounts show acme",
        "usage",
        "check",
    ] {
        assert_eq!(type_in(&file, line, &clock()).exit, Exit::Done, "{line}");
    }
    assert!(!directory.path().join("faregate.db").exists());
}

#[test]
fn a_store_that_cannot_be_looked_at_is_not_an_empty_one() {
    let (directory, file) = directory_with(CONFIG);
    let store = directory.path().join("faregate.db");
    std::os::unix::fs::symlink(&store, &store).unwrap();
    for line in [
        "usage",
        "keys list",
        "accounts list",
        "credit list acme",
        "notifications test",
    ] {
        let said = type_in(&file, line, &clock());
        assert_eq!(said.exit, Exit::Unavailable, "{line}: {said}");
        assert!(said.notes.contains("faregate.db"), "{line}: {said}");
    }
}

/// What is left of a store that was moved away after a kill: what it had is in the log and in the calls under way.
#[test]
fn a_store_that_is_gone_from_beside_its_log_is_not_an_empty_one() {
    let (directory, file) = directory_with(CONFIG);
    let log = directory.path().join("faregate.db-wal");
    fs::write(&log, "a log").unwrap();
    for line in [
        "usage",
        "keys list",
        "accounts show acme",
        "credit list acme",
    ] {
        let said = type_in(&file, line, &clock());
        assert_eq!(said.exit, Exit::Unavailable, "{line}: {said}");
        assert!(
            said.notes.contains("the log of a store that is not there"),
            "{line}: {said}"
        );
    }
    fs::write(&log, "").unwrap();
    let said = type_in(&file, "usage", &clock());
    assert_eq!(said.exit, Exit::Done, "{said}");
}

/// Whoever has put the new version in place and is careful backs up before it is started.
#[test]
fn a_store_is_backed_up_before_it_is_brought_along() {
    let (directory, file) = directory_with(CONFIG);
    let said = type_in(&file, "credit add acme 5", &clock());
    assert_eq!(said.exit, Exit::Done, "{said}");
    let version = |name: &str, set: Option<u32>| {
        let store = rusqlite::Connection::open(directory.path().join(name)).unwrap();
        if let Some(version) = set {
            store.pragma_update(None, "user_version", version).unwrap();
        }
        store
            .pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))
            .unwrap()
    };
    version("faregate.db", Some(5));
    let copy = directory.path().join("copy.db");
    let said = type_in(&file, &format!("backup {}", copy.display()), &clock());
    assert_eq!(said.exit, Exit::Done, "{said}");
    assert_eq!(version("copy.db", None), 5);
    assert_eq!(version("faregate.db", None), 5, "it stays as it was");
    let said = type_in(&file, "ledger verify", &clock());
    assert_eq!(said.exit, Exit::Unavailable, "{said}");
}

/// Standard output on a full disk, or with nobody behind it.
struct Shut(std::io::ErrorKind);

impl std::io::Write for Shut {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Err(self.0.into())
    }
}

#[test]
fn a_new_secret_that_nobody_was_shown_is_said_to_be_lost() {
    use std::io::ErrorKind::{BrokenPipe, StorageFull};
    let (_directory, file) = directory_with(CONFIG);
    for line in [
        "keys create --account acme --id k1",
        "keys create --account acme --id k2 --json",
        "keys rotate k1",
    ] {
        for kind in [BrokenPipe, StorageFull] {
            let line = line
                .replace("k1", &format!("k1-{kind:?}"))
                .replace("k2", &format!("k2-{kind:?}"));
            let mut notes = Vec::new();
            let mut out = Shut(kind);
            let mut terminal = Terminal::captured(&mut out, &mut notes);
            let exit = type_at(&file, &line, &clock(), &mut terminal);
            drop(terminal);
            let said = String::from_utf8(notes).unwrap();
            assert_eq!(exit, Exit::Failed, "{line}: {said}");
            assert!(said.contains("nobody has its new secret"), "{line}: {said}");
            assert!(said.contains("faregate keys rotate k"), "{line}: {said}");
        }
    }
}

#[test]
fn an_account_whose_plan_has_left_the_file_opens_nothing() {
    let (_directory, file) = directory_with(CONFIG);
    let made = type_in(&file, "accounts create bob --plan free", &clock());
    assert_eq!(made.exit, Exit::Done, "{made}");
    fs::write(&file, CONFIG.replace("  free: ", "  other: ")).unwrap();
    for line in ["accounts show bob", "accounts list"] {
        let said = type_in(&file, line, &clock());
        assert!(said.out.contains("no such plan"), "{line}: {said}");
        assert!(
            !said.out.contains("bob   free  -             active"),
            "{line}: {said}"
        );
    }
}

#[test]
fn a_wrong_configuration_is_78_and_says_everything() {
    let wrong = CONFIG
        .replace("free:", "free: {}\n  fre:")
        .replace("kind: openai", "kind: opneai");
    let (directory, file) = directory_with(&wrong);
    let page = ["check", "keys list"].map(|line| {
        let said = type_in(&file, line, &clock());
        assert_eq!(said.exit, Exit::Configuration);
        settled(&said.to_string(), directory.path())
    });
    assert!(page.iter().all(|said| *said == page[0]));
    assert!(page[0].contains("<dir>/faregate.yaml:4:"), "{}", page[0]);
}

#[test]
fn a_check_is_read_by_programs_too() {
    let wrong = CONFIG
        .replace("free:", "free: {}\n  fre:")
        .replace("kind: openai", "kind: opneai");
    let (directory, file) = directory_with(&wrong);
    let said = type_in(&file, "check --json", &clock());
    assert_eq!((said.exit, said.notes.as_str()), (Exit::Configuration, ""));
    insta::assert_snapshot!("check_wrong", settled(&said.out, directory.path()));

    let (directory, file) =
        directory_with(&CONFIG.replace("a-long-key-of-acme-itself", "a-short-key"));
    let said = type_in(&file, "check --json", &clock());
    assert_eq!((said.exit, said.notes.as_str()), (Exit::Done, ""));
    insta::assert_snapshot!("check_right", settled(&said.out, directory.path()));
    // A file that is not there is a problem like any other.
    fs::remove_file(&file).unwrap();
    let said = type_in(&file, "check --json", &clock());
    assert_eq!((said.exit, said.notes.as_str()), (Exit::Configuration, ""));
    insta::assert_snapshot!("check_missing", settled(&said.out, directory.path()));
}

#[test]
fn a_configuration_that_is_nowhere_is_a_problem_like_any_other() {
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut terminal = Terminal::captured(&mut out, &mut notes);
    let done = check::report(Err(config::NoFile), &Variables::default(), &mut terminal);
    assert_eq!(done.unwrap_err().exit, Exit::Configuration);
    drop(terminal);
    let said: Value = serde_json::from_slice(&out).unwrap();
    let problem = &said["problems"][0];
    assert_eq!(
        problem["message"],
        "there is no configuration: neither ./faregate.yaml nor /etc/faregate/faregate.yaml exists"
    );
    let hint = problem["hint"].as_str().unwrap_or_default();
    assert!(hint.starts_with("name a file with --config"), "{said}");
}

#[test]
fn a_store_held_by_a_daemon_that_cannot_be_reached_is_said() {
    let (directory, file) = directory_with(CONFIG);
    let config = config::load(&file, &Variables::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let daemon = Offline::own(
        config.roster,
        &config.store,
        config.gateway.webhooks,
        &Clock::system(),
    )
    .unwrap();
    let said = type_in(&file, "accounts create bob --plan free", &clock());
    assert_eq!(said.exit, Exit::Failed);
    insta::assert_snapshot!("held", settled(&said.notes, directory.path()));
    let looked = type_in(&file, "accounts list", &clock());
    assert_eq!(
        looked.exit,
        Exit::Done,
        "looking needs nobody's leave: {looked}"
    );
    runtime.block_on(daemon.close());
}

#[test]
fn a_store_in_memory_is_only_a_daemons() {
    let (_directory, file) =
        directory_with(&CONFIG.replace("sqlite:faregate.db", "sqlite::memory:"));
    let said = type_in(&file, "keys list", &clock());
    assert_eq!(said.exit, Exit::Failed);
    assert!(said.notes.contains("in memory") && said.notes.contains("hint: add `admin:"));
}

#[test]
fn a_schema_needs_no_configuration() {
    let said = type_in("none.yaml".as_ref(), "schema", &clock());
    assert_eq!(said.exit, Exit::Done);
    let schema: Value = serde_json::from_str(&said.out).unwrap();
    assert!(schema["properties"]["providers"].is_object());
}

#[test]
fn what_ends_before_it_begins_is_a_wrong_usage() {
    let (_directory, file) = directory_with(CONFIG);
    let made = type_in(&file, "accounts create bob --plan free", &clock());
    assert_eq!(made.exit, Exit::Done, "{made}");
    for line in [
        "usage --since 2026-11-02 --until 2026-11-01",
        "usage --since 2026-11-02 --until 2026-11-01 --json",
        "usage --until 7d",
        "usage --since 1d --until 7d",
        "ledger export --format csv --since 2026-11-02 --until 2026-11-01",
    ] {
        let said = type_in(&file, line, &clock());
        let wrong = line.contains("--since");
        let expected = if wrong { Exit::Usage } else { Exit::Done };
        assert_eq!(said.exit, expected, "{line}: {said}");
        if wrong {
            assert_eq!(said.out, "", "{line}");
            assert!(said.notes.contains("is after --until"), "{line}: {said}");
        }
    }
}

/// `faregate --help > /dev/full`
#[test]
fn help_that_nobody_can_have_says_why() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (_directory, file) = directory_with(CONFIG);
    for line in ["--help", "--version", "keys --help"] {
        let (mut full, mut notes) = (Full, Vec::new());
        let mut terminal = Terminal::captured(&mut full, &mut notes);
        let exit = type_at(&file, line, &clock(), &mut terminal);
        drop(terminal);
        assert_eq!(exit, Exit::Failed);
        let notes = String::from_utf8(notes).unwrap();
        assert!(
            notes.starts_with("error: standard output: "),
            "{line}: {notes:?}"
        );
    }
}

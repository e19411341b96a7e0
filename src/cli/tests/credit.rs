//! Credit and the ledger, beside a stopped daemon.

use std::time::Duration;

use rusqlite::Connection;

use super::{
    Exit, clock, settled,
    stopped::{CONFIG, directory_with},
    type_in,
};

#[test]
fn a_day_of_credit() {
    let (directory, file) = directory_with(CONFIG);
    let clock = clock();
    let mut page = String::new();
    for line in [
        "accounts create bob --plan free",
        "credit list acme",
        "credit add acme 25 --id invoice-7 --reason paid",
        "credit add acme 25 --id invoice-7 --reason paid",
        "credit add acme 26 --id invoice-7 --reason paid",
        "credit add acme 5.000000001 --kind grant --id welcome --expires 2027-01-01 --priority 10",
        "credit add acme -7.50 --kind adjustment --id wrong --json",
        "credit list acme",
        "credit transfer acme bob 30 --id gift",
        "credit transfer acme bob 20 --id gift",
        "credit transfer acme bob 20 --id gift",
        "credit list bob",
        "credit list bob --json",
        "credit list acme --limit 1",
        "ledger verify",
        "ledger verify --json",
        "ledger export --format jsonl --account bob",
        "ledger export --format csv --since 2026-11-20T12:06:00Z",
        "ledger export --format cloudevents --since 1m",
        "usage --csv",
    ] {
        page += &format!("$ faregate {line}\n{}\n", type_in(&file, line, &clock));
        clock.advance(Duration::from_secs(60));
    }
    insta::assert_snapshot!("credit", settled(&page, directory.path()));
}

#[test]
fn credit_is_spent_before_it_expires_and_lost_after() {
    let (_directory, file) = directory_with(CONFIG);
    let clock = clock();
    for line in [
        "credit add acme 10 --id a",
        "credit add acme 4 --id b --expires 2026-11-21",
    ] {
        assert_eq!(type_in(&file, line, &clock).exit, Exit::Done, "{line}");
    }
    // What is lost first is taken first, before anything is lost.
    let taken = type_in(&file, "credit add acme -1 --kind refund --id c", &clock);
    assert!(taken.out.contains("Account acme has 13.00 USD."), "{taken}");
    clock.advance(Duration::from_secs(86_400));
    let too_much = type_in(&file, "accounts create bob --plan free", &clock);
    assert_eq!(too_much.exit, Exit::Done);
    let too_much = type_in(&file, "credit transfer acme bob 11", &clock);
    assert_eq!(too_much.exit, Exit::Failed);
    assert!(
        too_much.notes.contains("has 10.00 USD to give"),
        "{too_much}"
    );
}

#[test]
fn expired_credit_is_not_shown_before_anybody_could_record_it() {
    let (_directory, file) = directory_with(CONFIG);
    let clock = clock();
    for line in [
        "credit add acme 1 --id a --expires 2026-11-21",
        "credit add acme 0.15 --id b",
    ] {
        assert_eq!(type_in(&file, line, &clock).exit, Exit::Done, "{line}");
    }
    clock.advance(Duration::from_secs(86_400));
    // The store is only looked into: its balance still counts what is lost.
    let said = type_in(&file, "credit list acme --json", &clock);
    let sheet: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(sheet["balance"], "0.15");
    assert_eq!(sheet["lots"].as_array().unwrap().len(), 1, "{said}");
    assert_eq!(sheet["lots"][0]["remaining"], "0.15");
    let added = type_in(&file, "credit add acme 0.25", &clock);
    assert!(added.out.contains("Account acme has 0.40 USD."), "{added}");
    let verified = type_in(&file, "ledger verify", &clock);
    assert_eq!(verified.exit, Exit::Done, "{verified}");
}

#[test]
fn mistakes_of_credit_are_said() {
    let (directory, file) = directory_with(CONFIG);
    let clock = clock();
    let mut page = String::new();
    for line in [
        "credit add nobody 5",
        "credit add acme 0",
        "credit add acme -5",
        "credit add acme 5 --expires 2020-01-01",
        "credit add acme 5 --priority 101",
        "credit add acme 1000000001",
        "credit add acme five",
        "credit add acme 0.0000000001",
        "credit add acme 5 --kind expiry",
        "credit transfer acme acme 5",
        "credit transfer acme nobody 5",
        "credit list nobody",
        "ledger export",
        "ledger export --format xml",
    ] {
        page += &format!("$ faregate {line}\n{}\n", type_in(&file, line, &clock));
    }
    insta::assert_snapshot!("credit_mistakes", settled(&page, directory.path()));
}

#[test]
fn a_spoilt_figure_ends_with_1() {
    let (directory, file) = directory_with(CONFIG);
    let clock = clock();
    type_in(&file, "credit add acme 5 --id a", &clock);
    let store = Connection::open(directory.path().join("faregate.db")).unwrap();
    store
        .execute_batch("UPDATE credit_balances SET balance_nano_usd = 6000000000")
        .unwrap();
    let page = ["ledger verify", "ledger verify --json"]
        .map(|line| {
            let said = type_in(&file, line, &clock);
            assert_eq!(said.exit, Exit::Failed);
            said.to_string()
        })
        .join("\n");
    insta::assert_snapshot!("spoilt", page);
}

#[test]
fn what_cannot_be_read_is_69_and_memory_is_said() {
    let (_directory, file) = directory_with(CONFIG);
    let said = type_in(&file, "ledger verify", &clock());
    assert_eq!(said.exit, Exit::Unavailable);
    assert!(said.notes.contains("start the daemon once"), "{said}");
    let (_directory, file) =
        directory_with(&CONFIG.replace("sqlite:faregate.db", "sqlite::memory:"));
    let said = type_in(&file, "ledger export --format csv", &clock());
    assert_eq!(said.exit, Exit::Failed);
    assert!(said.notes.contains("in memory"), "{said}");
}

use std::{path::Path, time::Duration};

use faregate::{
    accounts::Lookup,
    config::{self, ProcessEnvironment},
    domain::{Clock, KeyDigest, Unit},
    metering::{Charge, Reservation},
    providers::Observed,
    refusal::Code,
    store::{CallFilter, CallRow, Outcome},
};
use http::StatusCode;

use crate::harness::Checks;

const KEY: &str = "the-key-of-account-a-0001";
/// Its bytes bound its input.
const BODY: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":20}"#;
const YAML: &str = r#"
store: {url: "sqlite::memory:"}
providers: {up: {kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: sk-upstream}}
models: {m: {provider: up, context_window: 1000, max_output_tokens: 500}}
plans:
  p: {quotas: [{tokens: 1000, per: day}, {requests: 10, per: day}], rate_limits: {concurrent_requests: 1}}
accounts: [{id: a, plan: p, keys: [{id: k, key: the-key-of-account-a-0001}]}]
"#;

fn checks() -> Checks {
    let config = config::parse(YAML, Path::new("test.yaml"), &ProcessEnvironment).unwrap();
    let clock = Clock::manual("2026-11-20T12:00:00Z".parse().unwrap());
    Checks::new(config, &clock, BODY)
}

async fn reserved(checks: &Checks) -> Reservation {
    let admitted = checks.admit(&Checks::head(Some(KEY))).unwrap();
    let permitted = checks.permit(admitted).unwrap();
    checks.reserve(permitted).await.unwrap().reservation
}

/// What the account shows: used and held tokens, used requests, taken seats.
fn account(checks: &Checks) -> [u64; 4] {
    let Lookup { key, .. } = checks
        .accounts
        .lookup(&KeyDigest::of(KEY.as_bytes()))
        .unwrap();
    let mut shown = [0; 4];
    let (book, anchor) = (&key.account.book, key.account.anchor);
    book.read(&key.levels, &checks.metering.clock, anchor, |reading| {
        let figures = reading.figures;
        match (figures.per, figures.unit) {
            (Some(_), Unit::Tokens) => (shown[0], shown[1]) = (figures.used, figures.held),
            (Some(_), Unit::Requests) => shown[2] = figures.used,
            (Some(_), Unit::Usd) => {}
            (None, _) => shown[3] = figures.used,
        }
    });
    shown
}

/// The records of all calls, once the ledger has nothing more to write.
async fn records(checks: &Checks) -> Vec<CallRow> {
    checks
        .store
        .calls(CallFilter::default())
        .await
        .unwrap()
        .data
}

#[tokio::test]
async fn a_call_that_was_never_sent_never_happened() {
    let checks = checks();
    let reservation = reserved(&checks).await;
    let [used, held, requests, seats] = account(&checks);
    assert_eq!((used, requests, seats), (0, 1, 1));
    assert!(held > 20, "{held}");
    assert_eq!(checks.metering.ledger.waiting(), 1);
    drop(reservation);
    assert_eq!(account(&checks), [0; 4]);
    assert_eq!(checks.metering.ledger.waiting(), 0);
    assert!(records(&checks).await.is_empty());
}

/// A power cut may tear what is written over what was synced.
#[tokio::test]
async fn a_hold_that_is_on_the_disk_is_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = YAML.replace(
        "\"sqlite::memory:\"",
        &format!(
            "\"sqlite:{}/faregate.db\", durability: strict",
            folder.path().display()
        ),
    );
    let config = config::parse(&yaml, Path::new("test.yaml"), &ProcessEnvironment).unwrap();
    let clock = Clock::manual("2026-11-20T12:00:00Z".parse().unwrap());
    let checks = Checks::new(config, &clock, BODY);
    let mut reservation = reserved(&checks).await;
    let under_way = || std::fs::read(folder.path().join("faregate.db.inflight")).unwrap();
    let empty = under_way();
    reservation.hold_on_disk().await.unwrap();
    let synced = under_way();
    assert!(synced != empty);
    clock.advance(Duration::from_millis(7));
    reservation.forwarding().unwrap();
    assert!(under_way() == synced, "it was written again");
    drop(reservation);
    checks.store.close().await;
}

#[tokio::test]
async fn a_call_that_was_dropped_on_its_way_costs_its_input() {
    let checks = checks();
    let mut reservation = reserved(&checks).await;
    reservation.forwarding().unwrap();
    drop(reservation);
    let [used, held, requests, seats] = account(&checks);
    assert!(used > 0);
    assert_eq!((held, requests, seats), (0, 1, 0));
    let call = &records(&checks).await[0];
    assert_eq!((call.outcome, call.status), (Outcome::ClientClosed, 499));
    assert_eq!(call.tokens.input, used);
}

#[tokio::test]
async fn a_call_whose_provider_had_failed_costs_nothing_when_it_is_dropped() {
    let checks = checks();
    for (status, requests) in [
        (StatusCode::INTERNAL_SERVER_ERROR, 0),
        (StatusCode::BAD_REQUEST, 1),
    ] {
        let mut reservation = reserved(&checks).await;
        reservation.forwarding().unwrap();
        reservation.answered(status);
        drop(reservation);
        assert_eq!(account(&checks), [0, 0, requests, 0], "{status}");
    }
}

#[tokio::test]
async fn what_is_refused_after_a_check_gives_back_what_the_check_took() {
    let checks = checks();
    let first = checks.admit(&Checks::head(Some(KEY))).unwrap();
    let refused = checks.admit(&Checks::head(Some(KEY))).unwrap_err();
    assert_eq!(refused.code, Code::ConcurrencyLimitExceeded);
    drop(checks.permit(first).unwrap());
    assert_eq!(account(&checks), [0; 4]);
    drop(reserved(&checks).await);

    // The store takes nothing any more: what was taken before goes back.
    checks.store.close().await;
    let admitted = checks.admit(&Checks::head(Some(KEY))).unwrap();
    let permitted = checks.permit(admitted).unwrap();
    let refused = checks.reserve(permitted).await.unwrap_err();
    assert_eq!(refused.code, Code::BillingUnavailable);
    assert_eq!(account(&checks), [0; 4]);
}

#[tokio::test]
async fn a_settlement_counts_once() {
    let checks = checks();
    let mut reservation = reserved(&checks).await;
    reservation.forwarding().unwrap();
    reservation.answered(StatusCode::OK);
    let receipt = reservation
        .settle(
            Outcome::Completed,
            200,
            Charge::Metered(Observed::default()),
        )
        .unwrap()
        .receipt;
    assert!(receipt.estimated);
    assert_eq!(account(&checks), [receipt.usage.total(), 0, 1, 0]);
    assert_eq!(records(&checks).await.len(), 1);
}

#[tokio::test]
async fn a_panic_on_the_way_settles_the_call() {
    let checks = checks();
    let mut reservation = reserved(&checks).await;
    reservation.forwarding().unwrap();
    reservation.answered(StatusCode::OK);
    let panicked = std::thread::spawn(move || {
        let _held = reservation;
        panic!("in the middle of an answer");
    });
    assert!(panicked.join().is_err());
    let [used, held, requests, seats] = account(&checks);
    assert!(used > 0);
    assert_eq!((held, requests, seats), (0, 1, 0));
    let call = &records(&checks).await[0];
    assert_eq!(call.outcome, Outcome::Indeterminate);
    assert_eq!(call.tokens.input, used);
    assert_eq!(checks.metering.ledger.waiting(), 0);
}

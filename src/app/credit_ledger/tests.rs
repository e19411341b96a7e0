use std::time::Duration;

use super::CreditLedger;
use crate::{
    accounts::Accounts,
    admin::Reason,
    domain::{AccountId, Clock, NanoUsd, Timestamp},
    store::{
        Durability, EntryFilter, EntryKind, Location, NewEntry, NewTransfer, Settings, Store,
        USUAL_PRIORITY,
    },
};

fn account(id: &str) -> AccountId {
    AccountId::parse(id).unwrap()
}

fn entry(amount: i64, id: Option<&str>) -> NewEntry {
    NewEntry {
        id: id.map(str::to_owned),
        account: account("a"),
        kind: EntryKind::Adjustment,
        amount: NanoUsd::from_nanos(amount),
        author: "cli".to_owned(),
        reason: None,
        expires_at: None,
        priority: USUAL_PRIORITY,
        related: None,
    }
}

fn transfer(amount: i64, id: Option<&str>) -> NewTransfer {
    NewTransfer {
        id: id.map(str::to_owned),
        from: account("a"),
        to: account("b"),
        amount: NanoUsd::from_nanos(amount),
        author: "cli".to_owned(),
        reason: None,
        expires_at: None,
        priority: USUAL_PRIORITY,
    }
}

fn opened() -> (Store, Accounts, Clock) {
    let settings = Settings {
        location: Location::Memory,
        keep_calls: None,
        durability: Durability::Grouped,
        in_flight: 16,
    };
    let clock = Clock::manual(Timestamp::from_millis(1_795_162_530_000));
    let (store, loaded) = Store::open(&settings, clock.clone()).unwrap();
    let accounts = Accounts::new(clock.clone(), Vec::new()).with_credit(&loaded.credit);
    (store, accounts, clock)
}

/// What memory and the store have of an account, which has to be the same.
async fn balance(credit_ledger: CreditLedger<'_>, id: &str) -> i64 {
    let (memory, stored) = (
        credit_ledger.accounts.credit(&account(id)).balance,
        credit_ledger
            .store
            .credit(account(id))
            .await
            .unwrap()
            .balance,
    );
    assert_eq!(memory, stored);
    memory.nanos()
}

#[tokio::test]
async fn memory_and_store_move_together_and_once() {
    let (store, accounts, _) = opened();
    let credit_ledger = CreditLedger {
        accounts: &accounts,
        store: &store,
    };
    for _ in 0..2 {
        credit_ledger.add(entry(100, Some("more"))).await.unwrap();
        credit_ledger.add(entry(-30, Some("less"))).await.unwrap();
        credit_ledger
            .transfer(transfer(20, Some("move")))
            .await
            .unwrap();
    }
    assert_eq!(
        (
            balance(credit_ledger, "a").await,
            balance(credit_ledger, "b").await
        ),
        (50, 20)
    );
    // The same ids with other words move nothing, in memory either.
    for refused in [
        credit_ledger
            .add(entry(101, Some("more")))
            .await
            .unwrap_err(),
        credit_ledger
            .add(entry(-31, Some("less")))
            .await
            .unwrap_err(),
        credit_ledger
            .transfer(transfer(21, Some("move")))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(refused.reason, Reason::Conflict);
    }
    assert_eq!(
        (
            balance(credit_ledger, "a").await,
            balance(credit_ledger, "b").await
        ),
        (50, 20)
    );
    store.close().await;
}

#[tokio::test]
async fn a_transfer_leaves_what_calls_hold() {
    let (store, accounts, _) = opened();
    let credit_ledger = CreditLedger {
        accounts: &accounts,
        store: &store,
    };
    credit_ledger.add(entry(100, None)).await.unwrap();
    let refused = credit_ledger
        .transfer(transfer(101, None))
        .await
        .unwrap_err();
    assert_eq!(refused.reason, Reason::Conflict);
    assert!(refused.detail.contains("0.0000001"), "{refused}");
    assert_eq!(balance(credit_ledger, "a").await, 100);
    credit_ledger.add(entry(-100, None)).await.unwrap();
    credit_ledger.transfer(transfer(1, None)).await.unwrap_err();
    assert_eq!(
        (
            balance(credit_ledger, "a").await,
            balance(credit_ledger, "b").await
        ),
        (0, 0)
    );
    store.close().await;
}

#[tokio::test]
async fn a_correction_makes_no_debt() {
    let (store, accounts, _) = opened();
    let credit_ledger = CreditLedger {
        accounts: &accounts,
        store: &store,
    };
    credit_ledger.add(entry(100, None)).await.unwrap();
    for kind in [EntryKind::Adjustment, EntryKind::Refund] {
        let more = NewEntry {
            kind,
            ..entry(-101, None)
        };
        let refused = credit_ledger.add(more).await.unwrap_err();
        assert_eq!(refused.reason, Reason::Conflict);
        assert_eq!(
            refused.detail,
            "Account \"a\" has 0.0000001 USD to take away, and 0.000000101 is more. Its balance is 0.0000001, of which \
             calls under way hold 0.00."
        );
        assert_eq!(balance(credit_ledger, "a").await, 100);
    }
    // All of it may go, and asked for again it is the same entry.
    for _ in 0..2 {
        let all = credit_ledger.add(entry(-100, Some("all"))).await.unwrap();
        assert_eq!(all.balance, NanoUsd::ZERO);
    }
    store.close().await;
}

#[tokio::test]
async fn what_the_store_does_not_take_moves_nothing() {
    let (store, accounts, clock) = opened();
    let credit_ledger = CreditLedger {
        accounts: &accounts,
        store: &store,
    };
    credit_ledger.add(entry(100, None)).await.unwrap();
    let mut short = entry(40, None);
    short.expires_at = Some(clock.now().plus(Duration::from_secs(60)));
    credit_ledger.add(short).await.unwrap();
    store.close().await;
    let before = accounts.credit(&account("a"));
    for refused in [
        credit_ledger.add(entry(7, None)).await.unwrap_err(),
        credit_ledger.add(entry(-7, None)).await.unwrap_err(),
        credit_ledger.transfer(transfer(7, None)).await.unwrap_err(),
    ] {
        assert_eq!(refused.reason, Reason::Unavailable);
    }
    assert_eq!(accounts.credit(&account("a")), before);
    // What has expired is lost at its instant, and waits to be recorded.
    clock.advance(Duration::from_secs(60));
    credit_ledger.post_expired().await;
    assert_eq!(accounts.credit(&account("a")).balance.nanos(), 100);
    let waiting = accounts.take_expired();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].1[0].amount.nanos(), 40);
}

#[tokio::test]
async fn expired_credit_is_recorded_once() {
    let (store, accounts, clock) = opened();
    let credit_ledger = CreditLedger {
        accounts: &accounts,
        store: &store,
    };
    let mut short = entry(40, None);
    short.expires_at = Some(clock.now().plus(Duration::from_secs(60)));
    credit_ledger.add(short).await.unwrap();
    credit_ledger.add(entry(100, None)).await.unwrap();
    credit_ledger.add(entry(-15, None)).await.unwrap();
    clock.advance(Duration::from_secs(60));
    for _ in 0..2 {
        credit_ledger.post_expired().await;
    }
    assert_eq!(balance(credit_ledger, "a").await, 100);
    let kind = Some(EntryKind::Expiry);
    let filter = EntryFilter {
        kind,
        ..EntryFilter::default()
    };
    let page = store.entries(filter).await.unwrap();
    let lost: Vec<_> = page
        .data
        .iter()
        .map(|entry| (entry.amount.nanos(), entry.related.as_deref()))
        .collect();
    assert_eq!(lost, [(-25, Some("1"))]);
    store.close().await;
}

#[tokio::test]
async fn what_has_expired_is_in_no_balance_that_is_told() {
    let minute = Duration::from_secs(60);
    let short_lived = async |credit_ledger: CreditLedger<'_>, clock: &Clock| {
        let mut short = entry(100, None);
        short.expires_at = Some(clock.now().plus(minute));
        credit_ledger.add(short).await.unwrap();
        clock.advance(minute);
    };
    let (store, accounts, clock) = opened();
    let credit_ledger = CreditLedger {
        accounts: &accounts,
        store: &store,
    };
    short_lived(credit_ledger, &clock).await;
    let posted = credit_ledger.add(entry(25, Some("more"))).await.unwrap();
    assert_eq!(posted.balance.nanos(), 25);
    short_lived(credit_ledger, &clock).await;
    let [from, to] = credit_ledger.transfer(transfer(10, None)).await.unwrap();
    assert_eq!((from.balance.nanos(), to.balance.nanos()), (15, 10));
    short_lived(credit_ledger, &clock).await;
    // What was posted before is told with the balance of now.
    let again = credit_ledger.add(entry(25, Some("more"))).await.unwrap();
    assert_eq!((again.existed, again.balance.nanos()), (true, 15));
    short_lived(credit_ledger, &clock).await;
    let sheet = credit_ledger.sheet(account("a")).await.unwrap();
    let left: Vec<_> = sheet.lots.iter().map(|lot| lot.remaining.nanos()).collect();
    assert_eq!((sheet.balance.nanos(), left), (15, vec![15]));
    assert!(accounts.take_expired().is_empty(), "all is recorded");
    assert_eq!(balance(credit_ledger, "a").await, 15);
    store.close().await;
}

#[tokio::test]
async fn a_balance_that_cannot_be_kept_is_told_with_the_most() {
    let (store, accounts, _) = opened();
    let credit_ledger = CreditLedger {
        accounts: &accounts,
        store: &store,
    };
    credit_ledger.add(entry(i64::MAX, None)).await.unwrap();
    let refused = credit_ledger.add(entry(1, None)).await.unwrap_err();
    assert_eq!(refused.reason, Reason::Conflict);
    assert_eq!(
        refused.detail,
        "The balance would be above 9223372036.854775807 USD, the most that can be kept."
    );
    assert_eq!(balance(credit_ledger, "a").await, i64::MAX);
}

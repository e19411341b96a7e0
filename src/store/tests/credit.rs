//! Entries, lots and balances.

use std::time::Duration;

use crate::{
    accounts::{Draw, Draws, Lot},
    domain::NanoUsd,
    store::{
        EntryFilter, EntryKind, EntryRow, Loaded, NewEntry, NewTransfer, Posting, Store,
        USUAL_PRIORITY, Verified, WriteError,
        tests::{Bench, START, account_id, flushed, in_memory, post, posting},
        verify,
    },
};

pub(super) fn usd(nanos: i64) -> NanoUsd {
    NanoUsd::from_nanos(nanos)
}

/// An entry of `acme`.
pub(super) fn entry(kind: EntryKind, amount: i64) -> NewEntry {
    NewEntry {
        id: None,
        account: account_id("acme"),
        kind,
        amount: usd(amount),
        author: "cli".to_owned(),
        reason: None,
        expires_at: None,
        priority: USUAL_PRIORITY,
        related: None,
    }
}

/// Gives the account `acme` credit, in billionths of a dollar.
pub(super) async fn top_up(store: &Store, amount: i64) {
    let posted = store
        .post_entry(entry(EntryKind::TopUp, amount), Draws::new())
        .await;
    posted.unwrap();
}

pub(super) fn draws(of: &[(i64, i64)]) -> Draws {
    of.iter()
        .map(|(entry, amount)| Draw {
            entry: *entry,
            amount: usd(*amount),
        })
        .collect()
}

/// Call `number`, which cost so much and took it from these lots.
pub(super) fn charged(number: u64, cost: i64, of: &[(i64, i64)]) -> Posting {
    let mut posting = posting(number);
    posting.call.held = Some(usd(cost));
    posting.call.cost = Some(usd(cost));
    posting.call.price_version = Some("v1".into());
    posting.credit = Some(draws(of));
    posting
}

/// What a replay says of the store as the writer sees it.
pub(super) async fn verified(store: &Store) -> Verified {
    let look = store.look(|connection| verify::verify(connection, |_| {}));
    look.await.unwrap().unwrap()
}

pub(super) async fn balance(store: &Store) -> i64 {
    let credit = store.credit(account_id("acme")).await.unwrap();
    credit.balance.nanos()
}

/// The lots of the account: number and what is left.
pub(super) async fn lots(store: &Store) -> Vec<(i64, i64)> {
    let credit = store.credit(account_id("acme")).await.unwrap();
    let lots = credit.lots.iter();
    lots.map(|lot| (lot.entry, lot.remaining.nanos())).collect()
}

#[tokio::test]
async fn a_top_up_makes_a_lot_and_calls_draw_from_it() {
    let bench = Bench::new();
    let (store, loaded) = bench.open();
    assert!(loaded.credit.is_empty());
    let top_up = entry(EntryKind::TopUp, 1_000);
    let posted = store.post_entry(top_up, Draws::new()).await.unwrap();
    assert_eq!(
        (posted.number, posted.balance, posted.existed),
        (1, usd(1_000), false)
    );
    assert_eq!(posted.at, START);
    post(
        &store,
        [charged(1, 300, &[(1, 300)]), charged(2, 50, &[(1, 50)])],
    );
    // One that is not paid from credit moves none.
    let mut free = charged(3, 77, &[]);
    free.credit = None;
    post(&store, [free]);
    flushed(&store).await;
    assert_eq!(
        (balance(&store).await, lots(&store).await),
        (650, vec![(1, 650)])
    );
    let verified = verified(&store).await;
    assert!(verified.is_right(), "{verified:?}");
    assert_eq!((verified.calls, verified.entries), (3, 1));
    store.close().await;

    let (store, Loaded { credit, .. }) = bench.open();
    let lot = Lot {
        entry: 1,
        remaining: usd(650),
        priority: USUAL_PRIORITY,
        expires_at: None,
    };
    assert_eq!(credit.len(), 1);
    assert_eq!(
        (credit[0].account.as_str(), credit[0].balance),
        ("acme", usd(650))
    );
    assert_eq!(credit[0].lots, [lot]);
    store.close().await;
}

#[tokio::test]
async fn a_call_that_is_posted_twice_is_charged_once() {
    let store = in_memory();
    let top_up = entry(EntryKind::TopUp, 1_000);
    store.post_entry(top_up, Draws::new()).await.unwrap();
    for _ in 0..3 {
        post(
            &store,
            [charged(1, 300, &[(1, 300)]), charged(1, 300, &[(1, 300)])],
        );
        flushed(&store).await;
    }
    assert_eq!(
        (balance(&store).await, lots(&store).await),
        (700, vec![(1, 700)])
    );
    assert!(verified(&store).await.is_right());
    store.close().await;
}

#[tokio::test]
async fn the_same_id_posts_once() {
    let store = in_memory();
    let mut top_up = entry(EntryKind::TopUp, 500);
    top_up.id = Some("invoice-7".to_owned());
    top_up.reason = Some("paid".to_owned());
    let first = store
        .post_entry(top_up.clone(), Draws::new())
        .await
        .unwrap();
    // Whoever says it again may be another; what is said counts.
    top_up.author = "api".to_owned();
    let second = store
        .post_entry(top_up.clone(), Draws::new())
        .await
        .unwrap();
    assert!(second.existed);
    assert_eq!(
        (second.number, second.at, second.balance),
        (first.number, first.at, usd(500))
    );
    assert_eq!(second.author, first.author, "the entry stays as it is");
    let changes: [fn(&mut NewEntry); 6] = [
        |entry| entry.amount = usd(501),
        |entry| entry.account = account_id("bob"),
        |entry| entry.kind = EntryKind::Grant,
        |entry| entry.reason = None,
        |entry| entry.expires_at = Some(START.plus(Duration::from_secs(9))),
        |entry| entry.priority = 3,
    ];
    for change in changes {
        let mut other = top_up.clone();
        change(&mut other);
        let refused = store.post_entry(other, Draws::new()).await;
        assert_eq!(refused, Err(WriteError::IdConflict));
    }
    assert_eq!(
        (balance(&store).await, verified(&store).await.entries),
        (500, 1)
    );
    store.close().await;
}

#[tokio::test]
async fn debt_is_paid_from_what_comes_next() {
    let store = in_memory();
    store
        .post_entry(entry(EntryKind::Grant, 100), Draws::new())
        .await
        .unwrap();
    // It cost more than there was.
    post(&store, [charged(1, 130, &[(1, 100)])]);
    flushed(&store).await;
    assert_eq!((balance(&store).await, lots(&store).await), (-30, vec![]));
    // A part of the debt, then the rest of it.
    top_up(&store, 10).await;
    assert_eq!((balance(&store).await, lots(&store).await), (-20, vec![]));
    top_up(&store, 50).await;
    assert_eq!(
        (balance(&store).await, lots(&store).await),
        (30, vec![(3, 30)])
    );
    let verified = verified(&store).await;
    assert!(verified.is_right(), "{verified:?}");
    store.close().await;
}

#[tokio::test]
async fn what_was_charged_without_knowing_the_lots_is_drawn_from_them_in_order() {
    let store = in_memory();
    let give = async |amount, priority| {
        let grant = NewEntry {
            priority,
            ..entry(EntryKind::Grant, amount)
        };
        store.post_entry(grant, Draws::new()).await.unwrap();
    };
    give(100, 50).await;
    give(70, 10).await;
    // In one group: the second sees what the first has left.
    let postings = [
        charged(1, 60, &[]),
        charged(2, 30, &[(2, 5)]),
        charged(1, 60, &[]),
        charged(3, 200, &[(1, 20)]),
    ];
    post(&store, postings);
    flushed(&store).await;
    assert_eq!((balance(&store).await, lots(&store).await), (-120, vec![]));
    let replayed = verified(&store).await;
    assert!(replayed.is_right(), "{replayed:?}");
    let draws = store.look(|connection| {
        let sql = "SELECT credit_draws FROM calls ORDER BY id";
        let mut select = connection.prepare(sql).unwrap();
        let rows = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>()
    });
    assert_eq!(
        draws.await.unwrap(),
        [r#"{"2":60}"#, r#"{"1":20,"2":10}"#, r#"{"1":80}"#]
    );
    store.close().await;
}

#[tokio::test]
async fn what_takes_credit_takes_it_from_the_lots_it_names() {
    let store = in_memory();
    for amount in [100, 200] {
        store
            .post_entry(entry(EntryKind::Grant, amount), Draws::new())
            .await
            .unwrap();
    }
    let correction = entry(EntryKind::Adjustment, -150);
    let posted = store
        .post_entry(correction, draws(&[(1, 100), (2, 50)]))
        .await
        .unwrap();
    assert_eq!(posted.balance, usd(150));
    assert_eq!(lots(&store).await, [(2, 150)]);

    let lost = vec![Draw {
        entry: 2,
        amount: usd(40),
    }];
    store.post_expiries(account_id("acme"), lost).await.unwrap();
    assert_eq!(
        (balance(&store).await, lots(&store).await),
        (110, vec![(2, 110)])
    );
    let page = store
        .entries(EntryFilter {
            limit: 1,
            ..EntryFilter::default()
        })
        .await
        .unwrap();
    let EntryRow {
        kind,
        amount,
        related,
        author,
        ..
    } = &page.data[0];
    assert_eq!((*kind, *amount), (EntryKind::Expiry, usd(-40)));
    assert_eq!(
        (related.as_deref(), author.as_str()),
        (Some("2"), "faregate")
    );
    assert!(verified(&store).await.is_right());
    store.close().await;
}

#[tokio::test]
async fn a_transfer_is_both_entries_or_none() {
    let store = in_memory();
    top_up(&store, 100).await;
    let wanted = NewTransfer {
        id: Some("t".to_owned()),
        from: account_id("acme"),
        to: account_id("bob"),
        amount: usd(60),
        author: "api".to_owned(),
        reason: None,
        expires_at: None,
        priority: USUAL_PRIORITY,
    };
    let [given, got] = store
        .transfer(wanted.clone(), draws(&[(1, 60)]))
        .await
        .unwrap();
    assert_eq!((given.balance, got.balance), (usd(40), usd(60)));
    let [given, got] = store
        .transfer(wanted.clone(), draws(&[(1, 60)]))
        .await
        .unwrap();
    assert!(given.existed && got.existed);
    assert_eq!(
        (balance(&store).await, lots(&store).await),
        (40, vec![(1, 40)])
    );

    // The other side's id is taken: nothing moves on this side either.
    let mut squatter = entry(EntryKind::Grant, 1);
    squatter.id = Some("u:to".to_owned());
    store.post_entry(squatter, Draws::new()).await.unwrap();
    let other = NewTransfer {
        id: Some("u".to_owned()),
        ..wanted
    };
    let refused = store.transfer(other, draws(&[(1, 40)])).await;
    assert_eq!(refused, Err(WriteError::IdConflict));
    assert_eq!(balance(&store).await, 41);
    let verified = verified(&store).await;
    assert!(verified.is_right(), "{verified:?}");
    assert_eq!(verified.entries, 4);
    store.close().await;
}

#[tokio::test]
async fn grants_are_given_together_and_each_once() {
    let store = in_memory();
    let grant = |account: &str, amount| NewEntry {
        id: Some(format!("config-credit:{account}")),
        account: account_id(account),
        ..entry(EntryKind::Grant, amount)
    };
    let first = store
        .post_grants(vec![grant("acme", 5), grant("bob", 7)])
        .await
        .unwrap();
    let first = first.into_iter().map(|posted| posted.unwrap().unwrap());
    assert!(first.into_iter().all(|posted| !posted.existed));
    let again = vec![
        grant("acme", 5),
        grant("bob", 8),
        grant("eve", 9),
        grant("acme", 0),
        grant("zoe", 0),
    ];
    let again = store.post_grants(again).await.unwrap();
    let posted = |at: usize| again[at].clone().unwrap().unwrap();
    assert!(posted(0).existed);
    assert_eq!(again[1], Err(WriteError::IdConflict));
    assert_eq!(posted(2).balance, usd(9));
    // Nothing is not posted; where there is more, it is another.
    assert_eq!(again[3], Err(WriteError::IdConflict));
    assert_eq!(again[4], Ok(None));
    assert_eq!(verified(&store).await.entries, 3);
    assert!(verified(&store).await.is_right());
    store.close().await;
}

#[tokio::test]
async fn a_balance_stays_within_its_column() {
    let store = in_memory();
    store
        .post_entry(entry(EntryKind::Grant, i64::MAX), Draws::new())
        .await
        .unwrap();
    let refused = store
        .post_entry(entry(EntryKind::Grant, 1), Draws::new())
        .await;
    assert_eq!(refused, Err(WriteError::TooLarge));
    // Calls are never refused; what cannot be subtracted any more stops at the end.
    for number in 0..3 {
        post(&store, [charged(number, i64::MAX, &[(1, i64::MAX)])]);
        flushed(&store).await;
    }
    assert_eq!(balance(&store).await, -i64::MAX);
    store.close().await;
}

#[tokio::test]
async fn entries_come_page_by_page_newest_first() {
    let store = in_memory();
    for number in 1..=5 {
        let mut grant = entry(EntryKind::Grant, number);
        if number == 2 {
            grant.account = account_id("bob");
            grant.kind = EntryKind::TopUp;
        }
        store.post_entry(grant, Draws::new()).await.unwrap();
    }
    let numbers = async |filter| {
        let page = store.entries(filter).await.unwrap();
        let numbers: Vec<_> = page.data.iter().map(|entry| entry.number).collect();
        (numbers, page.next_cursor)
    };
    let all = EntryFilter::default;
    let first = EntryFilter { limit: 2, ..all() };
    assert_eq!(numbers(first).await, (vec![5, 4], Some(4)));
    let rest = EntryFilter {
        before: Some(4),
        ..all()
    };
    assert_eq!(numbers(rest).await, (vec![3, 2, 1], None));
    let account = Some(account_id("bob"));
    assert_eq!(numbers(EntryFilter { account, ..all() }).await.0, [2]);
    let kind = Some(EntryKind::TopUp);
    assert_eq!(numbers(EntryFilter { kind, ..all() }).await.0, [2]);
    let since = Some(START.plus(Duration::from_millis(1)));
    assert!(numbers(EntryFilter { since, ..all() }).await.0.is_empty());
    store.close().await;
}

#[test]
fn kinds_are_read_as_they_are_written() {
    for kind in EntryKind::ALL {
        assert_eq!(EntryKind::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(EntryKind::parse("gift"), None);
}

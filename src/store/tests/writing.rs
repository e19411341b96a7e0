use std::{fs, time::Duration};

use rusqlite::Connection;

use crate::{
    domain::{Clock, Per, Timestamp},
    store::{
        CallFilter, LedgerBusy, Store, WriteError, schema,
        tests::{Bench, START, TODAY, account_id, flushed, in_memory, post, posting, tokens_today},
        tidy::{self, Tidy},
    },
};

/// What is used of the account's tokens in the newest windows, as a new start finds it.
async fn windows_after_restart(bench: &Bench) -> Vec<(Timestamp, u64)> {
    let (store, loaded) = bench.open();
    store.close().await;
    let counters = loaded.counters.into_iter();
    let mut windows: Vec<_> = counters
        .filter(|counter| counter.name == tokens_today())
        .map(|counter| (counter.window_start, counter.used))
        .collect();
    windows.sort();
    windows
}

async fn tokens_after_restart(bench: &Bench) -> u64 {
    windows_after_restart(bench).await.last().unwrap().1
}

async fn count(store: &Store) -> i64 {
    let count = "SELECT count(*) FROM calls";
    let look = store.look(move |connection| connection.query_row(count, [], |row| row.get(0)));
    look.await.unwrap().unwrap()
}

#[tokio::test]
async fn closing_writes_everything_that_was_posted() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, (0..1200).map(posting));
    store.close().await;
    // Whole in one file: the log has been brought in.
    let files = bench.folder.path().read_dir().unwrap();
    let mut names: Vec<_> = files.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(
        names,
        ["faregate.db", "faregate.db.inflight", "faregate.db.lock"]
    );
    let inflight = fs::read(bench.folder.path().join("faregate.db.inflight")).unwrap();
    assert!(inflight[4096..].iter().all(|byte| *byte == 0));

    let (store, loaded) = bench.open();
    assert_eq!(count(&store).await, 1200);
    assert_eq!(loaded.counters.len(), 2);
    assert_eq!(loaded.counters[0].used, 1200 * 15);
    assert_eq!(loaded.counters[1].used, 1200);
    store.close().await;
}

#[tokio::test]
async fn closing_waits_for_a_call_that_is_under_way() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let ledger = store.ledger();
    let slot = ledger.reserve().unwrap();
    let end_of_call = async {
        while ledger.reserve().is_ok() {
            tokio::task::yield_now().await;
        }
        slot.post(posting(7));
    };
    tokio::join!(store.close(), end_of_call);
    let (store, _) = bench.open();
    assert_eq!(count(&store).await, 1);
    store.close().await;
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let store = in_memory();
    store.close().await;
    store.close().await;
    assert_eq!(store.ledger().reserve().unwrap_err(), LedgerBusy::Broken);
    let ids = vec![account_id("acme")];
    assert_eq!(store.remember_accounts(ids).await, Err(WriteError::Closed));
    assert!(store.calls(CallFilter::default()).await.is_err());
}

#[tokio::test]
async fn a_call_that_is_posted_twice_moves_its_counters_once() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    // In one group, and in the next.
    post(&store, [posting(1), posting(1), posting(2)]);
    flushed(&store).await;
    post(&store, [posting(2), posting(1)]);
    store.close().await;

    let (store, _) = bench.open();
    // After a restart as well.
    post(&store, [posting(2), posting(3)]);
    assert_eq!(count(&store).await, 3);
    store.close().await;
    assert_eq!(tokens_after_restart(&bench).await, 45);
}

#[tokio::test]
async fn many_tasks_post_and_every_call_is_there_once() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let tasks = (0..8_u64).map(|task| {
        let ledger = store.ledger();
        std::thread::spawn(move || {
            for number in 0..250 {
                ledger.reserve().unwrap().post(posting(task * 250 + number));
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.join().unwrap();
    }
    store.close().await;
    assert_eq!(tokens_after_restart(&bench).await, 2000 * 15);
}

#[tokio::test]
async fn a_counter_stops_at_the_end_of_its_column() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    for number in 0..3 {
        let mut huge = posting(number);
        huge.counters[0].add = u64::MAX;
        post(&store, [huge]);
        flushed(&store).await;
    }
    store.close().await;
    let used = tokens_after_restart(&bench).await;
    assert_eq!(used, u64::try_from(i64::MAX).unwrap());
}

#[tokio::test]
async fn the_newest_windows_are_loaded_but_none_that_a_clock_far_ahead_began() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let day = Duration::from_secs(86_400);
    for (number, start) in [TODAY, TODAY.plus(2 * day), TODAY.plus(3 * day)]
        .into_iter()
        .enumerate()
    {
        let mut posting = posting(u64::try_from(number).unwrap());
        posting.counters[0].window_start = start;
        posting.counters[0].add = 10 + u64::try_from(number).unwrap();
        post(&store, [posting]);
    }
    store.close().await;

    let [today, second, third] = [
        (TODAY, 10),
        (TODAY.plus(2 * day), 11),
        (TODAY.plus(3 * day), 12),
    ];
    assert_eq!(windows_after_restart(&bench).await, [today]);
    // A clock that was put back, by some hours, into the day before: what it had begun goes on.
    bench.clock.advance(day);
    assert_eq!(windows_after_restart(&bench).await, [today, second]);
    bench.clock.advance(day);
    assert_eq!(windows_after_restart(&bench).await, [second, third]);
}

#[tokio::test]
async fn old_calls_go_batch_by_batch_and_young_ones_stay() {
    let mut bench = Bench::new();
    bench.keep_calls = Some(Duration::from_secs(86_400));
    let (store, _) = bench.open();
    post(&store, (0..2500).map(posting));
    flushed(&store).await;
    assert_eq!(count(&store).await, 2500);

    // Whole days go, so that of the calls of a day none is left behind.
    bench.clock.advance(Duration::from_secs(2 * 86_400));
    let mut young = posting(9999);
    young.call.at = bench.clock.now();
    post(&store, [young]);
    // Each of these is followed by a batch of a thousand.
    for _ in 0..4 {
        flushed(&store).await;
    }
    assert_eq!(count(&store).await, 1);
    store.close().await;
}

#[test]
fn what_is_old_is_looked_for_once_a_minute() {
    let clock = Clock::manual(START);
    let mut tidy = Tidy::new(None);
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection).unwrap();
    assert!(tidy.is_due(&clock));
    tidy.step(&mut connection, &clock).unwrap();
    assert!(!tidy.is_due(&clock));
    clock.advance(tidy::EVERY);
    assert!(tidy.is_due(&clock));
}

#[test]
fn a_clock_that_jumps_deletes_nothing() {
    let clock = Clock::manual(START);
    let mut tidy = Tidy::new(Some(Duration::from_secs(86_400)));
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection).unwrap();
    connection
        .execute_batch(
            "INSERT INTO notifications (id, type, target, body, status, attempts, next_at, created_at, finished_at)
             VALUES ('msg_1', 'test', 'email', '{}', 'delivered', 1, '', '2026-01-01T00:00:00.000Z', '')",
        )
        .unwrap();
    let mut deleted = |clock: &Clock| tidy.step(&mut connection, clock).unwrap();
    clock.set_wrong(-400 * 86_400_000);
    assert_eq!(deleted(&clock), 0);
    clock.set_wrong(0);
    for _ in 0..60 {
        assert_eq!(deleted(&clock), 0);
        clock.advance(tidy::EVERY);
    }
    assert_eq!(deleted(&clock), 1);
}

#[tokio::test]
async fn a_start_with_a_clock_far_ahead_deletes_nothing() {
    let mut bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, [posting(0)]);
    flushed(&store).await;
    store.close().await;

    bench.keep_calls = Some(Duration::from_secs(86_400));
    bench.clock.advance(Duration::from_secs(400 * 86_400));
    let (store, _) = bench.open();
    // Looks come between other work, so that one may come late.
    for _ in 0..58 {
        flushed(&store).await;
        bench.clock.advance(tidy::EVERY);
    }
    assert_eq!(count(&store).await, 1);
    bench.clock.advance(10 * tidy::EVERY);
    for _ in 0..3 {
        flushed(&store).await;
        bench.clock.advance(tidy::EVERY);
    }
    assert_eq!(count(&store).await, 0);
    store.close().await;
}

#[tokio::test]
async fn old_windows_go_but_never_the_newest_of_a_counter() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let year = Duration::from_secs(366 * 86_400);
    let mut of_period = posting(0);
    of_period.counters[0].name.per = Per::Period;
    post(&store, [posting(1), of_period]);
    // The first look for what is old, which would doubt a clock two years ahead, is over when the second one is answered.
    flushed(&store).await;
    flushed(&store).await;

    // Two years later the day has a newer window, and the long billing period has none.
    bench.clock.advance(2 * year);
    let mut later = posting(2);
    later.counters[0].window_start = TODAY.plus(2 * year);
    post(&store, [later]);
    flushed(&store).await;
    // The look of before may have come too early; the next one finds it.
    bench.clock.advance(tidy::EVERY);
    flushed(&store).await;
    flushed(&store).await;
    let windows = store.look(|connection| {
        let sql =
            "SELECT per || ' ' || window_start FROM counters WHERE unit = 'tokens' ORDER BY 1";
        let mut select = connection.prepare(sql).unwrap();
        let rows = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>()
    });
    assert_eq!(
        windows.await.unwrap(),
        [
            "day 2028-11-21T00:00:00.000Z",
            "period 2026-11-20T00:00:00.000Z"
        ]
    );
    store.close().await;
}

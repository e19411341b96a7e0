//! The replay: it finds nothing where nothing is wrong, and everything that somebody spoilt.

use std::time::Duration;

use proptest::{
    collection, option,
    prelude::{Just, ProptestConfig, Strategy},
    prop_oneof, proptest,
};
use rusqlite::Connection;

use crate::{
    accounts::{Accounts, CounterChange, CounterName, Draws, Lot, Owner},
    domain::{AccountId, Anchor, NanoUsd, Per, Timestamp, Unit},
    store::{
        CallRecord, EntryKind, NewEntry, NewTransfer, Posting, Reader, Store, USUAL_PRIORITY,
        Verified,
        tests::{
            Bench, TODAY, account_id,
            credit::{charged, entry, top_up, usd, verified},
            flushed, in_memory, post, posting,
        },
        verify,
    },
};

/// Something that happens to the credit of two accounts.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A lot, which ends after so many hours.
    Give {
        account: usize,
        amount: i64,
        hours: Option<u64>,
        priority: u8,
    },
    Take {
        account: usize,
        amount: i64,
    },
    Call {
        account: usize,
        cost: i64,
        charged: bool,
    },
    Move {
        from: usize,
        amount: i64,
    },
    /// Hours pass, and what has expired is written.
    Pass {
        hours: u64,
    },
    Restart,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let account = 0..2_usize;
    prop_oneof![
        3 => (account.clone(), 1..1_000_i64, option::of(1..100_u64), 0..3_u8).prop_map(
            |(account, amount, hours, priority)| Step::Give { account, amount, hours, priority }),
        1 => (account.clone(), 1..600_i64).prop_map(|(account, amount)| Step::Take { account, amount }),
        6 => (account.clone(), 0..400_i64, proptest::bool::weighted(0.8)).prop_map(
            |(account, cost, charged)| Step::Call { account, cost, charged }),
        1 => (account, 1..500_i64).prop_map(|(from, amount)| Step::Move { from, amount }),
        2 => (1..60_u64).prop_map(|hours| Step::Pass { hours }),
        1 => Just(Step::Restart),
    ]
}

/// A store and the memory that goes with it.
pub(super) struct Town {
    pub(super) bench: Bench,
    pub(super) store: Store,
    accounts: Accounts,
    calls: u64,
}

impl Town {
    pub(super) fn new() -> Self {
        let mut bench = Bench::new();
        bench.keep_calls = Some(Duration::from_secs(3 * 86_400));
        let (store, accounts) = Self::open(&bench);
        Self {
            bench,
            store,
            accounts,
            calls: 0,
        }
    }

    fn open(bench: &Bench) -> (Store, Accounts) {
        let (store, loaded) = bench.open();
        let accounts = Accounts::new(bench.clock.clone(), Vec::new());
        (store, accounts.with_credit(&loaded.credit))
    }

    fn account(number: usize) -> AccountId {
        account_id(["acme", "bob"][number])
    }

    async fn give(&self, grant: NewEntry) {
        let (account, priority, expires_at) =
            (grant.account.clone(), grant.priority, grant.expires_at);
        let remaining = grant.amount;
        let posted = self.store.post_entry(grant, Draws::new()).await.unwrap();
        let lot = Lot {
            entry: posted.number,
            remaining,
            priority,
            expires_at,
        };
        self.accounts.add_lot(&account, lot);
    }

    pub(super) async fn take(&mut self, step: &Step) {
        match *step {
            Step::Give {
                account,
                amount,
                hours,
                priority,
            } => {
                let now = self.bench.clock.now();
                let expires_at = hours.map(|hours| now.plus(Duration::from_secs(hours * 3600)));
                let account = Self::account(account);
                let grant = entry(EntryKind::Grant, amount);
                self.give(NewEntry {
                    account,
                    expires_at,
                    priority,
                    ..grant
                })
                .await;
            }
            Step::Take { account, amount } => {
                let account = Self::account(account);
                let draws = self.accounts.draw(&account, usd(amount));
                let correction = entry(EntryKind::Adjustment, -amount);
                let correction = NewEntry {
                    account,
                    ..correction
                };
                self.store.post_entry(correction, draws).await.unwrap();
            }
            Step::Call {
                account,
                cost,
                charged: by_credit,
            } => {
                let account = Self::account(account);
                let mut posting = charged(self.calls, cost, &[]);
                posting.credit = by_credit.then(|| self.accounts.draw(&account, usd(cost)));
                posting.call.account = account;
                posting.call.at = self.bench.clock.now();
                posting.counters = counted(&posting.call);
                self.calls += 1;
                post(&self.store, [posting]);
            }
            Step::Move { from, amount } => {
                let (from, to) = (Self::account(from), Self::account(1 - from));
                let draws = self.accounts.draw(&from, usd(amount));
                let wanted = NewTransfer {
                    id: None,
                    from,
                    to: to.clone(),
                    amount: usd(amount),
                    author: "cli".to_owned(),
                    reason: None,
                    expires_at: None,
                    priority: USUAL_PRIORITY,
                };
                let [_, got] = self.store.transfer(wanted, draws).await.unwrap();
                let lot = Lot {
                    entry: got.number,
                    remaining: usd(amount),
                    priority: USUAL_PRIORITY,
                    expires_at: None,
                };
                self.accounts.add_lot(&to, lot);
            }
            Step::Pass { hours } => {
                flushed(&self.store).await;
                self.bench.clock.advance(Duration::from_secs(hours * 3600));
                for (account, lost) in self.accounts.take_expired() {
                    self.store.post_expiries(account, lost).await.unwrap();
                }
            }
            Step::Restart => {
                self.store.close().await;
                (self.store, self.accounts) = Self::open(&self.bench);
            }
        }
    }
}

/// The counters that a call moves: one that ends with the hour, one with the day, and one whose end is nowhere.
fn counted(call: &CallRecord) -> Vec<CounterChange> {
    let of_account = || Owner::Account(call.account.clone());
    let cost = call.cost.unwrap_or_default().nanos().unsigned_abs();
    let moved = [
        (Owner::Key(call.key.clone()), Unit::Requests, Per::Hour, 1),
        (of_account(), Unit::Tokens, Per::Day, 15),
        (of_account(), Unit::Usd, Per::Period, cost),
    ];
    let change = |(owner, unit, per, add): (Owner, Unit, Per, u64)| CounterChange {
        name: CounterName { owner, unit, per },
        window_start: per.window(call.at, Anchor::Creation(TODAY)).start,
        add,
    };
    let moved = moved.into_iter().map(change);
    moved.filter(|change| change.add > 0).collect()
}

/// Every figure that money depends on, as what spoils it.
pub(super) const FIGURES: [&str; 7] = [
    "SELECT 'UPDATE credit_entries SET amount_nano_usd = amount_nano_usd + ' || iif(amount_nano_usd = -1, -1, 1)
        || ' WHERE number = ' || number FROM credit_entries",
    "SELECT 'UPDATE credit_lots SET remaining_nano_usd = remaining_nano_usd - 1 WHERE entry = ' || entry
        FROM credit_lots",
    "SELECT 'UPDATE credit_balances SET balance_nano_usd = balance_nano_usd + 1 WHERE account = '''
        || account || '''' FROM credit_balances",
    "SELECT 'UPDATE calls SET cost_nano_usd = cost_nano_usd - 1 WHERE id = ''' || id || ''''
        FROM calls WHERE credit_charged = 1",
    "SELECT 'UPDATE calls SET credit_charged = 0 WHERE id = ''' || id || ''''
        FROM calls WHERE credit_charged = 1 AND cost_nano_usd > 0",
    "SELECT 'DELETE FROM credit_lots WHERE entry = ' || entry FROM credit_lots",
    // Of windows whose calls are all there: a call may count in a window up to an hour after it came.
    "SELECT 'UPDATE counter_sums SET used = used - 1 WHERE number = ' || sum FROM counter_windows
        WHERE window_start >= coalesce((SELECT strftime('%Y-%m-%dT%H:%M:%fZ', at, '+1 hour') FROM kept_since), '')",
];

const NO_TRIGGERS: &str = "SAVEPOINT spoilt; PRAGMA defer_foreign_keys = ON;
    DROP TRIGGER credit_entries_stay_as_they_are; DROP TRIGGER calls_stay_as_they_are;";

/// Spoils one figure after the other; those that nobody noticed.
fn unnoticed(connection: &Connection) -> Vec<String> {
    let mut spoil: Vec<String> = Vec::new();
    for sql in FIGURES {
        let mut select = connection.prepare(sql).unwrap();
        let rows = select.query_map([], |row| row.get(0)).unwrap();
        spoil.extend(rows.map(Result::unwrap));
    }
    spoil.retain(|sql| {
        connection.execute_batch(NO_TRIGGERS).unwrap();
        assert_eq!(connection.execute(sql, []).unwrap(), 1);
        let replayed = verify::verify(connection, |_| {}).unwrap();
        connection
            .execute_batch("ROLLBACK TO spoilt; RELEASE spoilt")
            .unwrap();
        replayed.is_right()
    });
    spoil
}

proptest! {
    // Each case writes to a disk.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_happens_adds_up_and_whatever_is_spoilt_is_found(
        steps in collection::vec(step(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut town = Town::new();
            for step in &steps {
                town.take(step).await;
            }
            flushed(&town.store).await;
            for (account, lost) in town.accounts.take_expired() {
                town.store.post_expiries(account, lost).await.unwrap();
            }
            // What memory has is what the store has.
            for number in 0..2 {
                let account = Town::account(number);
                let stored = town.store.credit(account.clone()).await.unwrap();
                assert_eq!(town.accounts.credit(&account).balance, stored.balance);
                let in_lots: i64 = stored.lots.iter().map(|lot| lot.remaining.nanos()).sum();
                assert_eq!(in_lots, stored.balance.max(NanoUsd::ZERO).nanos());
            }
            let replayed = verified(&town.store).await;
            assert!(replayed.is_right(), "{replayed:?}");
            let unnoticed = town.store.look(unnoticed).await.unwrap();
            assert_eq!(unnoticed, Vec::<String>::new());
            town.store.close().await;
        });
    }
}

/// What a replay says once `sql` has been run behind the daemon's back.
async fn after(store: &Store, sql: &'static str) -> Verified {
    let look = store.look(move |connection: &Connection| {
        connection.execute_batch(NO_TRIGGERS).unwrap();
        connection.execute_batch(sql).unwrap();
        let replayed = verify::verify(connection, |_| {}).unwrap();
        connection
            .execute_batch("ROLLBACK TO spoilt; RELEASE spoilt")
            .unwrap();
        replayed
    });
    look.await.unwrap()
}

#[tokio::test]
async fn what_is_wrong_is_named_with_its_figures() {
    let store = in_memory();
    top_up(&store, 1_000).await;
    post(
        &store,
        [charged(1, 300, &[(1, 300)]), charged(2, 20, &[(1, 20)])],
    );
    flushed(&store).await;
    assert!(verified(&store).await.is_right());
    let mut page = String::new();
    for sql in [
        "UPDATE credit_balances SET balance_nano_usd = 700",
        "UPDATE credit_lots SET remaining_nano_usd = 5000",
        "DELETE FROM credit_balances",
        "UPDATE calls SET cost_nano_usd = -300 WHERE cost_nano_usd = 300",
        "UPDATE calls SET credit_draws = '{\"9\":20}' WHERE cost_nano_usd = 20",
        "UPDATE calls SET credit_draws = 'a' WHERE cost_nano_usd = 20",
        "UPDATE credit_entries SET account = 'bob'",
        "DELETE FROM calls WHERE cost_nano_usd = 20",
        "INSERT INTO credit_lots VALUES (99, 7)",
        // Two figures that are off by as much in both directions do not make up for each other.
        "UPDATE credit_balances SET balance_nano_usd = 690; INSERT INTO credit_balances VALUES ('bob', -10)",
    ] {
        let Verified {
            calls,
            entries,
            difference_nano_usd,
            problems,
        } = after(&store, sql).await;
        assert!(!problems.is_empty(), "{sql}");
        page += &format!(
            "{sql}\n  {calls} calls, {entries} entries, difference {difference_nano_usd}\n"
        );
        for problem in problems {
            page += &format!("  {problem:?}\n");
        }
    }
    insta::assert_snapshot!(page);
    store.close().await;
}

/// What is said of the store after each of the changes.
async fn told_of(store: &Store, changes: &[&'static str]) -> String {
    let mut page = String::new();
    for sql in changes {
        let Verified {
            difference_nano_usd,
            problems,
            ..
        } = after(store, sql).await;
        page += &format!("{sql}\n  difference {difference_nano_usd}\n");
        for problem in problems {
            page += &format!("  {problem:?}\n");
        }
    }
    page
}

#[tokio::test]
async fn a_counter_never_has_more_than_its_calls() {
    let store = in_memory();
    // Two calls of fifteen tokens each; the billing period began long ago, and the hour has one of them.
    let mut postings = [charged(1, 300, &[]), charged(2, 20, &[])];
    for (posting, cost) in postings.iter_mut().zip([300, 20]) {
        posting.credit = None;
        let mut of_money = posting.counters[0].clone();
        of_money.name.unit = Unit::Usd;
        of_money.name.per = Per::Period;
        of_money.window_start = TODAY.plus(Duration::from_secs(3600));
        of_money.add = cost;
        posting.counters.push(of_money);
        for per in [Per::Week, Per::Month] {
            let mut counter = posting.counters[0].clone();
            counter.name.per = per;
            posting.counters.push(counter);
        }
    }
    post(&store, postings);
    flushed(&store).await;
    assert!(verified(&store).await.is_right());
    let changes = [
        "UPDATE counter_sums SET used = used + 1",
        "UPDATE counter_sums SET used = -1 WHERE number = (SELECT sum FROM counter_windows WHERE unit = 'requests')",
        "UPDATE counter_windows SET window_start = '2026-11-19T00:00:00.000Z' WHERE per = 'day'",
        // A window of which calls may have been deleted cannot be compared.
        "UPDATE counter_sums SET used = 99; INSERT INTO kept_since VALUES ('calls', '2026-11-20T08:00:00.001Z')",
        "UPDATE counter_sums SET used = 1; INSERT INTO counter_windows VALUES ('key', 'x', 'minutes', 'day', '2026', 99); INSERT INTO counter_sums VALUES (99, 5)",
    ];
    insta::assert_snapshot!(told_of(&store, &changes).await);
    store.close().await;
}

/// A call at `at` that was counted in windows that began then: requests of the hour and tokens of the day.
fn counted_at(number: u64, at: Timestamp, hour: Timestamp, day: Timestamp) -> Posting {
    let mut posting = posting(number);
    posting.call.at = at;
    posting.counters[0].window_start = day;
    posting.counters[1].window_start = hour;
    posting
}

#[tokio::test]
async fn a_counter_never_has_less_than_the_calls_that_name_it() {
    let store = in_memory();
    let hour = |hours: u64| TODAY.plus(Duration::from_secs(hours * 3600));
    let before = |at: Timestamp| Timestamp::from_millis(at.millis() - 1);
    post(
        &store,
        [
            counted_at(1, hour(8), hour(8), TODAY),
            // They came before a window began, and were counted in it.
            counted_at(2, before(hour(9)), hour(9), TODAY),
            counted_at(3, before(hour(24)), hour(24), hour(24)),
            counted_at(4, hour(24), hour(24), hour(24)),
        ],
    );
    flushed(&store).await;
    assert!(verified(&store).await.is_right());
    let changes = [
        "UPDATE counter_sums SET used = used - 1",
        // Lost from one window of two in a row, and from one by itself.
        "UPDATE counter_sums SET used = 0 WHERE number = (SELECT min(sum) FROM counter_windows WHERE per = 'day')",
        "UPDATE counter_sums SET used = 0 WHERE number = (SELECT max(sum) FROM counter_windows WHERE per = 'hour')",
        "DELETE FROM counter_windows WHERE per = 'day' AND window_start LIKE '2026-11-21%'",
        "DELETE FROM counter_windows WHERE per = 'hour'",
        // A call that names no counter says nothing about any, and neither does one that is not kept.
        "UPDATE calls SET details = NULL; UPDATE counter_sums SET used = 0",
        "UPDATE calls SET details = '{\"counted\":' WHERE at LIKE '2026-11-20T08:00%'",
        "UPDATE counter_sums SET used = 0; INSERT INTO kept_since VALUES ('calls', '2026-11-23T00:00:00.000Z')",
    ];
    insta::assert_snapshot!(told_of(&store, &changes).await);
    store.close().await;
}

/// A clock that was put back by some hours: its calls are counted in the window that had begun, which is later than they are.
#[tokio::test]
async fn calls_before_their_window_are_found_in_it() {
    let store = in_memory();
    let hour = |hours: u64| TODAY.plus(Duration::from_secs(hours * 3600));
    post(
        &store,
        [
            counted_at(1, hour(9), hour(9), TODAY),
            counted_at(2, hour(12), hour(12), TODAY),
            // Of the first one's hour there is a window, of the other's there is none.
            counted_at(3, hour(9), hour(12), TODAY),
            counted_at(4, hour(10), hour(12), TODAY),
        ],
    );
    flushed(&store).await;
    let replayed = verified(&store).await;
    assert!(replayed.is_right(), "{replayed:?}");
    let changes = [
        "UPDATE counter_sums SET used = used + 1 WHERE number = (SELECT max(sum) FROM counter_windows WHERE per = 'hour')",
        "UPDATE counter_sums SET used = used - 1 WHERE number = (SELECT max(sum) FROM counter_windows WHERE per = 'hour')",
    ];
    insta::assert_snapshot!(told_of(&store, &changes).await);
    store.close().await;
}

#[tokio::test]
async fn a_replay_sees_one_instant_while_the_daemon_writes() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    top_up(&store, 1_000_000).await;
    let reader = Reader::open(&bench.file()).unwrap();
    for round in 0..20 {
        post(
            &store,
            (0..50).map(|number| charged(round * 50 + number, 7, &[(1, 7)])),
        );
        let replayed = reader.verify(|_| {}).unwrap();
        assert!(replayed.is_right(), "{replayed:?}");
        flushed(&store).await;
    }
    let mut told = Vec::new();
    // As many at once as a test's store has places for.
    for batch in 0..20 {
        post(
            &store,
            (0..1_000).map(|number| posting(5_000 + batch * 1_000 + number)),
        );
        flushed(&store).await;
    }
    store.close().await;
    let replayed = reader.verify(|rows| told.push(rows)).unwrap();
    assert_eq!((replayed.calls, replayed.entries), (21_000, 1));
    assert_eq!(told, [10_000, 20_000]);
}

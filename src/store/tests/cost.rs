//! What writing costs when many keys of many accounts take turns. `FAREGATE_CALLS=100000` with a release build and
//! `--nocapture` is the full run, for figures; under `valgrind --tool=callgrind` it counts instructions.

use std::{fs, time::Duration};

use rusqlite::Connection;

use crate::{
    accounts::Draw,
    domain::{NanoUsd, Per, RequestId, Unit},
    store::{
        CounterChange, CounterName, Location, Owner, Posting, Reader,
        counters::Counters,
        open, posting,
        tests::{
            Bench, START, TODAY, account_id, call,
            chance::{Chance, rounds},
            key_id,
        },
    },
};

const KEYS: usize = 10_000;
const ACCOUNTS: usize = 1_000;
/// Calls of one transaction: what 11,000 calls a second leave in ten milliseconds.
const GROUP: u64 = 110;
/// Calls after which the log goes into the file, as the writer does it.
const CHECKPOINT: u64 = 4_070;

/// Money of each account, in a lot of its own.
const TOP_UP: &str = "
    INSERT INTO credit_entries (number, id, account, kind, amount_nano_usd, currency, at, author, priority)
    WITH n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
    SELECT i + 1, 'first-' || i, 'account-' || i, 'top_up', 1000000000000000, 'USD', '2026-11-01T00:00:00.000Z', 'cli', 50
    FROM n;
    INSERT INTO credit_lots SELECT number, amount_nano_usd FROM credit_entries;
    INSERT INTO credit_balances SELECT account, amount_nano_usd FROM credit_entries;";

/// A call of some key: two counters of the key, three of the account, and a draw from the account's lot.
fn settled(number: u64, chance: &mut Chance) -> Posting {
    const COST: u64 = 67_200;
    let cost = NanoUsd::from_nanos(COST.cast_signed());
    let key = chance.below(KEYS);
    let account = key % ACCOUNTS;
    let mut call = call(number);
    call.at = START.plus(Duration::from_micros(number * 91));
    call.id = RequestId::new(call.at);
    call.account = account_id(&format!("account-{account}"));
    call.key = key_id(&format!("key-{key}"));
    call.held = Some(NanoUsd::from_nanos(300_000));
    call.cost = Some(cost);
    call.price_version = Some("2026-11-01".into());
    let of_key = Owner::Key(call.key.clone());
    let of_account = Owner::Account(call.account.clone());
    let counters = [
        (&of_key, Unit::Requests, Per::Day, 1),
        (&of_key, Unit::Usd, Per::Month, COST),
        (&of_account, Unit::Tokens, Per::Day, 15),
        (&of_account, Unit::Requests, Per::Month, 1),
        (&of_account, Unit::Usd, Per::Month, COST),
    ]
    .map(|(owner, unit, per, add)| CounterChange {
        name: CounterName {
            owner: owner.clone(),
            unit,
            per,
        },
        window_start: TODAY,
        add,
    });
    let draw = Draw {
        entry: i64::try_from(account).unwrap() + 1,
        amount: cost,
    };
    Posting {
        call,
        counters: counters.into(),
        credit: Some([draw].into_iter().collect()),
    }
}

/// Brings the log into the file and cuts it; how many pages it had.
fn checkpoint(connection: &Connection) -> u64 {
    let run = |pragma: &str| -> i64 {
        let pages = connection.query_row(pragma, [], |row| row.get(1));
        pages.unwrap()
    };
    let pages = run("PRAGMA wal_checkpoint(PASSIVE)");
    run("PRAGMA wal_checkpoint(TRUNCATE)");
    pages.cast_unsigned()
}

/// Time of this thread on a processor.
fn busy() -> Duration {
    let about = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = about.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

#[test]
fn a_call_of_a_key_that_takes_turns_with_thousands_touches_few_pages() {
    let calls = u64::try_from(rounds("FAREGATE_CALLS", 8_140)).unwrap();
    let bench = Bench::new();
    let mut opened = open::open(&Location::File(bench.file())).unwrap();
    let connection = &mut opened.connection;
    connection.execute_batch(TOP_UP).unwrap();
    checkpoint(connection);
    let mut chance = Chance(1);
    let mut counters = Counters::default();
    let (mut written, mut pages, mut took) = (0, 0, Duration::ZERO);
    while written < calls {
        let group: Vec<_> = (written..written + GROUP)
            .map(|number| settled(number, &mut chance))
            .collect();
        let began = busy();
        posting::write(connection, &mut counters, group.iter()).unwrap();
        written += GROUP;
        if written % CHECKPOINT == 0 {
            pages += checkpoint(connection);
        }
        took += busy() - began;
    }
    pages += checkpoint(connection);
    let each = |all: u64| f64::from(u32::try_from(all * 100 / written).unwrap()) / 100.0;
    let figures = format!(
        "{written} calls: {} ns and {} pages of log each, {} bytes of the file",
        u64::try_from(took.as_nanos()).unwrap() / written,
        each(pages),
        each(fs::metadata(bench.file()).unwrap().len()),
    );
    #[expect(clippy::print_stderr, reason = "figures, for whoever asks for them")]
    {
        eprintln!("{figures}");
    }
    // Nearly all of these come to a place of their own for the first time.
    assert!(pages < 3 * written, "{pages} pages for {written} calls");
    drop(opened);
    let verified = Reader::open(&bench.file()).unwrap().verify(|_| ()).unwrap();
    assert!(verified.is_right(), "{:?}", verified.problems.first());
    assert_eq!(verified.calls, written);
}

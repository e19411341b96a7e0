//! The floor with a durable ledger. For each call two positioned writes beside the store, and one row with two
//! counters in SQLite, in groups of 10 ms that are synced. The same tables as Faregate's, and nothing that decides
//! anything: no call is checked, read or metered, and nothing is found again after a crash.
//!
//! `compare-floor-durable <listen> <provider> <folder>`, the first two as address:port, the last for the ledger.

use std::{
    error::Error,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use compare_floor::Ledger;
use rusqlite::{Connection, params};

/// As many places as Faregate has in the comparison, of as many bytes.
const PLACES: u64 = 32_768;
const PLACE: u64 = 1024;

/// Roughly what Faregate writes of a hold and of a settlement.
const HOLD: [u8; 256] = [7; 256];
const SETTLEMENT: [u8; 128] = [9; 128];

/// Calls come from so many accounts in turn, each with two counters.
const ACCOUNTS: u64 = 1000;
const COUNTERS: u64 = 2;

const GATHER: Duration = Duration::from_millis(10);
const LARGEST_GROUP: usize = 512;

/// After so many rows the log is brought into the database.
const CHECKPOINT_AFTER: usize = 4096;

const SCHEMA: [&str; 6] = [
    include_str!("../../../../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../../../../migrations/sqlite/0002_money.sql"),
    include_str!("../../../../../migrations/sqlite/0003_payments.sql"),
    include_str!("../../../../../migrations/sqlite/0004_notifications.sql"),
    include_str!("../../../../../migrations/sqlite/0005_explain.sql"),
    include_str!("../../../../../migrations/sqlite/0006_places.sql"),
];

/// The columns that have to be named.
const INSERT: &str = "INSERT INTO calls (id, chapter, at, account, key, plan, route, provider, model, upstream_model,
        endpoint, stream, outcome, status, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, estimated, overrun, held_tokens, attempt, queue_ms, first_byte_ms, total_ms)
    VALUES (?, ?, ?, ?, ?, 'plan-0', 'openai', 'upstream', 'gpt-4o-mini', 'gpt-4o-mini', 'chat_completions', 0,
        'completed', 200, 120, 0, 0, 64, 0, 0, 0, 1200, 1, 0, 3, 5)
    ON CONFLICT DO NOTHING";

struct Book {
    places: File,
    next: AtomicU64,
    calls: Sender<u64>,
}

impl Book {
    /// A new one in an empty folder.
    fn create(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut options = OpenOptions::new();
        let places = options
            .write(true)
            .create_new(true)
            .open(folder.join("ledger.db.inflight"))?;
        for place in 0..PLACES {
            places.write_all_at(&[0; PLACE as usize], place * PLACE)?;
        }
        let connection = Connection::open(folder.join("ledger.db"))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
            PRAGMA wal_autocheckpoint = 0;",
        )?;
        for part in SCHEMA {
            connection.execute_batch(part)?;
        }
        let counters = ACCOUNTS * COUNTERS;
        connection.execute_batch(&format!(
            "WITH RECURSIVE numbers (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM numbers LIMIT {counters})
            INSERT INTO counter_sums (number, used) SELECT number, 0 FROM numbers"
        ))?;
        let (calls, queue) = channel();
        thread::spawn(move || write(connection, &queue));
        Ok(Self {
            places,
            next: AtomicU64::new(0),
            calls,
        })
    }
}

impl Ledger for Book {
    fn hold(&self) -> io::Result<u64> {
        let call = self.next.fetch_add(1, Ordering::Relaxed);
        self.places.write_all_at(&HOLD, call % PLACES * PLACE)?;
        Ok(call)
    }

    fn settle(&self, call: u64) -> io::Result<()> {
        let half = call % PLACES * PLACE + PLACE / 2;
        self.places.write_all_at(&SETTLEMENT, half)?;
        self.calls
            .send(call)
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Writes groups until nobody is left who could send any, or one cannot be written.
fn write(mut connection: Connection, queue: &Receiver<u64>) {
    let mut in_log = 0;
    while let Ok(first) = queue.recv() {
        thread::sleep(GATHER);
        let group: Vec<u64> = std::iter::once(first)
            .chain(queue.try_iter())
            .take(LARGEST_GROUP)
            .collect();
        in_log += group.len();
        let mut written = write_group(&mut connection, &group);
        if in_log >= CHECKPOINT_AFTER {
            in_log = 0;
            written =
                written.and_then(|()| connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)"));
        }
        if let Err(error) = written {
            eprintln!("the ledger cannot be written: {error}");
            std::process::exit(1);
        }
    }
}

fn write_group(connection: &mut Connection, group: &[u64]) -> rusqlite::Result<()> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare_cached(INSERT)?;
        let mut add = transaction
            .prepare_cached("UPDATE counter_sums SET used = used + ? WHERE number = ?")?;
        for &call in group {
            let id = format!("{:012x}-7000-8000-{:012x}", now.as_millis(), call);
            let at = format!("{}.{:06}", now.as_secs(), now.subsec_micros());
            let account = call % ACCOUNTS;
            let chapter = 1 + call as i64 / 2048;
            let (owner, key) = (
                format!("account-{account}"),
                format!("key-{}", call % 10_000),
            );
            insert.execute(params![id, chapter, at, owner, key])?;
            for counter in 0..COUNTERS {
                add.execute([1, (account * COUNTERS + counter) as i64])?;
            }
        }
    }
    transaction.commit()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, provider, folder] = &arguments[..] else {
        return Err("usage: compare-floor-durable <listen> <provider> <folder>".into());
    };
    compare_floor::run(listen, provider, Book::create(Path::new(folder))?)
}

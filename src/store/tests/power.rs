//! Power cuts: what was synced is on the disk, and of everything else each sector is there or is not.

use std::{fs, path::Path};

use rusqlite::Connection;

use crate::{
    accounts::Draws,
    store::{
        EntryKind, Reader, Settings, Store,
        tests::{
            Bench,
            chance::{Chance, rounds},
            credit::{charged, entry},
            flushed, post,
            recovering::forward,
        },
    },
};

/// Cuts of each kind.
const CUTS: usize = 60;
/// What a disk writes whole.
const SECTOR: usize = 512;

/// The files of a store, as bytes.
#[derive(Clone)]
struct Disk {
    database: Vec<u8>,
    log: Vec<u8>,
    inflight: Vec<u8>,
}

impl Disk {
    fn of(folder: &Path) -> Self {
        let read = |name: &str| fs::read(folder.join(name)).unwrap_or_default();
        Self {
            database: read("faregate.db"),
            log: read("faregate.db-wal"),
            inflight: read("faregate.db.inflight"),
        }
    }

    fn put(&self, bench: &Bench) {
        let write = |name: &str, bytes: &[u8]| {
            fs::write(bench.folder.path().join(name), bytes).unwrap();
        };
        write("faregate.db", &self.database);
        write("faregate.db-wal", &self.log);
        write("faregate.db.inflight", &self.inflight);
    }
}

fn settings(bench: &Bench) -> Settings {
    Settings {
        in_flight: 64,
        ..bench.settings()
    }
}

/// Something between `old` and `new`: each sector is one or the other, and beyond the old end it may be nothing at all.
fn torn(old: &[u8], new: &[u8], chance: &mut Chance) -> Vec<u8> {
    let grown = new.len().saturating_sub(old.len());
    let length = old.len() + chance.below(grown + 1);
    let mut torn = new[..length.min(new.len())].to_vec();
    for (sector, bytes) in torn.chunks_mut(SECTOR).enumerate() {
        let at = sector * SECTOR;
        if chance.below(2) == 0 {
            continue;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = old.get(at + index).copied().unwrap_or(0);
        }
    }
    torn
}

/// Opens what the cut left: so many top-ups and calls are there, and everything adds up.
async fn outlived(disk: &Disk) -> (i64, i64) {
    let bench = Bench::new();
    disk.put(&bench);
    let (store, loaded) = Store::open(&settings(&bench), bench.clock.clone()).unwrap();
    let count = |sql: &'static str| {
        store.look(move |connection: &Connection| connection.query_row(sql, (), |row| row.get(0)))
    };
    let entries: i64 = count("SELECT count(*) FROM credit_entries")
        .await
        .unwrap()
        .unwrap();
    let calls: i64 = count("SELECT count(*) FROM calls WHERE outcome = 'completed'")
        .await
        .unwrap()
        .unwrap();
    let spent: i64 =
        count("SELECT coalesce(sum(cost_nano_usd), 0) FROM calls WHERE credit_charged = 1")
            .await
            .unwrap()
            .unwrap();
    let balance: i64 = loaded.credit.iter().map(|row| row.balance.nanos()).sum();
    assert_eq!(balance, entries * 1_000 - spent);
    store.close().await;
    let verified = Reader::open(&bench.file()).unwrap().verify(|_| {}).unwrap();
    assert!(verified.is_right(), "{verified:?}");
    (entries, calls)
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_cut_between_any_two_commits() {
    let bench = Bench::new();
    let (store, _) = Store::open(&settings(&bench), bench.clock.clone()).unwrap();
    let mut disks = vec![Disk::of(bench.folder.path())];
    for number in 0..10 {
        let top_up = entry(EntryKind::TopUp, 1_000);
        store.post_entry(top_up, Draws::new()).await.unwrap();
        // A call that is under way is nowhere but in the file that nobody syncs.
        let slot = forward(&store, 1_000 + number);
        let mut posting = charged(number, 3, &[(1, 3)]);
        posting.counters.clear();
        post(&store, [posting]);
        flushed(&store).await;
        disks.push(Disk::of(bench.folder.path()));
        slot.void();
    }
    let lengths: Vec<usize> = disks.iter().map(|disk| disk.log.len()).collect();
    assert!(lengths.is_sorted(), "the log began again: {lengths:?}");
    store.close().await;

    let seed = rounds("FAREGATE_SEED", 1) as u64;
    let mut chance = Chance(seed);
    for _ in 0..rounds("FAREGATE_POWER_CUTS", CUTS) {
        let before = chance.below(disks.len() - 1);
        let (old, new) = (&disks[before], &disks[before + 1]);
        let cut = Disk {
            database: old.database.clone(),
            log: torn(&old.log, &new.log, &mut chance),
            inflight: torn(&old.inflight, &new.inflight, &mut chance),
        };
        let (entries, calls) = outlived(&cut).await;
        let before = i64::try_from(before).unwrap();
        let one = before..=before + 1;
        assert!(one.contains(&entries), "seed {seed}: {entries} of {before}");
        assert!(one.contains(&calls), "seed {seed}: {calls} of {before}");
    }
}

#[tokio::test]
async fn a_cut_while_the_log_is_brought_home_loses_nothing() {
    let bench = Bench::new();
    let (store, _) = Store::open(&settings(&bench), bench.clock.clone()).unwrap();
    let old = Disk::of(bench.folder.path()).database;
    for number in 0..20 {
        let top_up = entry(EntryKind::TopUp, 1_000);
        store.post_entry(top_up, Draws::new()).await.unwrap();
        let mut posting = charged(number, 3, &[(1, 3)]);
        posting.counters.clear();
        post(&store, [posting]);
    }
    flushed(&store).await;
    let before = Disk::of(bench.folder.path());
    assert_eq!(before.database, old, "some of the log is home already");
    store.close().await;
    let home = Disk::of(bench.folder.path());
    assert!(home.log.is_empty());

    let mut chance = Chance(rounds("FAREGATE_SEED", 1) as u64);
    for _ in 0..rounds("FAREGATE_POWER_CUTS", CUTS) / 3 {
        let cut = Disk {
            database: torn(&old, &home.database, &mut chance),
            ..before.clone()
        };
        assert_eq!(outlived(&cut).await, (20, 20));
    }
}

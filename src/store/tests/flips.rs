//! One bit of a store that is not what it was: it is noticed, or it changes no amount.

use std::{collections::BTreeSet, fs};

use crate::{
    accounts::Draws,
    store::{
        EntryKind, Loaded, OpenError, Reader, Settings, Store, Verified,
        tests::{
            Bench, account_id,
            chance::{Chance, rounds},
            credit::{charged, entry},
            flushed, post, posting,
        },
    },
};

/// Bits that are turned, one at a time.
const FLIPS: usize = 120;

/// The amounts that a daemon would go on with.
fn amounts(loaded: &Loaded) -> String {
    let mut counters: Vec<String> = loaded
        .counters
        .iter()
        .map(|row| format!("{row:?}"))
        .collect();
    counters.sort();
    let mut credit: Vec<String> = loaded.credit.iter().map(|row| format!("{row:?}")).collect();
    credit.sort();
    format!("{counters:#?}\n{credit:#?}")
}

/// Two accounts with credit, and calls that took of it.
async fn fill(store: &Store) {
    for (id, amount) in [("acme", 1_000_000), ("bob", 70_000)] {
        let grant = entry(EntryKind::TopUp, amount);
        let grant = crate::store::NewEntry {
            account: account_id(id),
            ..grant
        };
        store.post_entry(grant, Draws::new()).await.unwrap();
    }
    post(store, (0..60).map(|number| charged(number, 30, &[(1, 30)])));
    flushed(store).await;
    post(
        store,
        (100..140).map(|number| {
            let mut posting = charged(number, 7, &[(2, 7)]);
            posting.call.account = account_id("bob");
            posting.counters.clear();
            posting
        }),
    );
    flushed(store).await;
    post(store, (200..220).map(posting));
    flushed(store).await;
}

fn settings(bench: &Bench) -> Settings {
    Settings {
        in_flight: 64,
        ..bench.settings()
    }
}

/// Starts a daemon's store on what is there; what it would go on with, and what a replay says of it.
async fn started(bench: &Bench) -> Result<(String, Option<Verified>), OpenError> {
    let (store, loaded) = Store::open(&settings(bench), bench.clock.clone())?;
    let amounts = amounts(&loaded);
    store.close().await;
    let verified = Reader::open(&bench.file()).ok();
    let verified = verified.and_then(|reader| reader.verify(|_| {}).ok());
    Ok((amounts, verified))
}

#[tokio::test]
async fn a_bit_that_changes_in_the_store_is_found_or_changes_no_amount() {
    let bench = Bench::new();
    let (store, _) = Store::open(&settings(&bench), bench.clock.clone()).unwrap();
    fill(&store).await;
    store.close().await;
    let whole = fs::read(bench.file()).unwrap();
    let (right, verified) = started(&bench).await.unwrap();
    assert!(verified.unwrap().is_right());

    let seed = rounds("FAREGATE_SEED", 1) as u64;
    let mut chance = Chance(seed);
    let (mut refused, mut found, mut harmless) = (0, 0, 0);
    for _ in 0..rounds("FAREGATE_FLIPS", FLIPS) {
        let (at, bit) = (chance.below(whole.len()), chance.below(8));
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << bit;
        let flipped = Bench::new();
        fs::write(flipped.file(), &bytes).unwrap();
        match started(&flipped).await {
            Err(error) => {
                refused += 1;
                let words = error.to_string();
                assert!(words.contains("faregate.db"), "{words}");
                assert_eq!(fs::read(flipped.file()).unwrap(), bytes, "{words}");
            }
            Ok((_, verified)) if verified.as_ref().is_none_or(|said| !said.is_right()) => {
                found += 1;
            }
            Ok((amounts, _)) => {
                harmless += 1;
                assert_eq!(amounts, right, "bit {bit} of byte {at}, seed {seed}");
            }
        }
    }
    // Each of the three happens, or the test looks at the wrong file.
    assert!(
        refused > 0 && found > 0 && harmless > 0,
        "{refused} refused, {found} found, {harmless} harmless"
    );
}

#[tokio::test]
async fn a_bit_that_changes_in_the_log_ends_it_there_and_leaves_a_state_that_was() {
    let bench = Bench::new();
    let (store, _) = Store::open(&settings(&bench), bench.clock.clone()).unwrap();
    let mut states = BTreeSet::new();
    let wal = bench.folder.path().join("faregate.db-wal");
    for number in 0..12 {
        let top_up = entry(EntryKind::TopUp, 1_000 + number);
        store.post_entry(top_up, Draws::new()).await.unwrap();
        states.insert(1_000 * (number + 1) + number * (number + 1) / 2);
    }
    let (database, log) = (fs::read(bench.file()).unwrap(), fs::read(wal).unwrap());
    store.close().await;
    states.insert(0);
    let mut chance = Chance(rounds("FAREGATE_SEED", 1) as u64);
    for _ in 0..rounds("FAREGATE_FLIPS", FLIPS) / 4 {
        let (at, bit) = (chance.below(log.len()), chance.below(8));
        let flipped = Bench::new();
        let mut log = log.clone();
        log[at] ^= 1 << bit;
        fs::write(flipped.file(), &database).unwrap();
        fs::write(flipped.folder.path().join("faregate.db-wal"), log).unwrap();
        let (store, loaded) = Store::open(&settings(&flipped), flipped.clock.clone()).unwrap();
        let balance: i64 = loaded.credit.iter().map(|row| row.balance.nanos()).sum();
        assert!(
            states.contains(&balance),
            "bit {bit} of byte {at}: {balance}"
        );
        store.close().await;
        let verified = Reader::open(&flipped.file())
            .unwrap()
            .verify(|_| {})
            .unwrap();
        assert!(verified.is_right(), "bit {bit} of byte {at}: {verified:?}");
    }
}

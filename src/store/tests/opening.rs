use std::{fs, fs::OpenOptions, path::Path};

use rusqlite::Connection;

use crate::store::{
    CallFilter, Location, OpenError, Reader, Store,
    inflight::beside,
    open,
    tests::{Bench, flushed, in_memory, post, posting, recovering::forward},
};

/// Bytes of a page.
const PAGE: u64 = 4096;

/// Puts `bytes` where the store is looked for; its words must leave them as they are.
fn refusal_of(bytes: &[u8]) -> String {
    let bench = Bench::new();
    fs::write(bench.file(), bytes).unwrap();
    let words = bench.refusal();
    assert_eq!(fs::read(bench.file()).unwrap(), bytes);
    words
}

#[tokio::test]
async fn a_second_daemon_is_refused_with_words() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    insta::assert_snapshot!(bench.refusal());
    store.close().await;
    bench.open().0.close().await;
}

/// Whoever takes it for a left one deletes it.
#[tokio::test]
async fn a_second_daemon_is_refused_though_the_lock_was_deleted() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let under_way = forward(&store, 1);
    fs::remove_file(beside(&bench.file(), ".lock")).unwrap();
    let refusal = bench.refusal();
    assert!(refusal.contains("in use"), "{refusal}");
    assert!(refusal.contains("faregate.db.inflight"), "{refusal}");
    under_way.post(posting(1));
    flushed(&store).await;
    let calls = store.calls(CallFilter::default()).await.unwrap().data;
    assert_eq!(calls[0].outcome, posting(1).call.outcome);
    store.close().await;
    // The handle is still there, and holds nothing.
    bench.open().0.close().await;
}

/// As a child has it, between its beginning and its program's.
#[test]
fn a_copy_of_the_lock_does_not_outlast_the_store() {
    let bench = Bench::new();
    let held = open::lock(&bench.file()).unwrap();
    let copy = held.try_clone().unwrap();
    assert!(open::lock(&bench.file()).is_err());
    open::release(held);
    open::release(open::lock(&bench.file()).unwrap());
    drop(copy);
}

#[tokio::test]
async fn another_name_of_the_same_file_is_the_same_store() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let link = bench.folder.path().join("link.db");
    std::os::unix::fs::symlink(bench.file(), &link).unwrap();
    let mut settings = bench.settings();
    settings.location = Location::File(link);
    let error = Store::open(&settings, bench.clock.clone()).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    store.close().await;
}

#[test]
fn what_is_no_store_is_refused_and_left_as_it_is() {
    let foreign = {
        let bench = Bench::new();
        let connection = Connection::open(bench.file()).unwrap();
        connection
            .execute_batch("CREATE TABLE songs (title TEXT)")
            .unwrap();
        drop(connection);
        fs::read(bench.file()).unwrap()
    };
    let words = [
        refusal_of(b""),
        refusal_of(&b"providers:\n  openai: {}\n".repeat(100)),
        refusal_of(&foreign),
    ];
    insta::assert_snapshot!(words.join("\n"));
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    let bench = Bench::new();
    bench.open().0.close().await;
    let connection = Connection::open(bench.file()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    insta::assert_snapshot!(bench.refusal());
    let error = Reader::open(&bench.file()).unwrap_err();
    assert!(
        matches!(error, OpenError::Newer { found: 99, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_refused() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, (0..500).map(posting));
    store.close().await;
    let file = OpenOptions::new().write(true).open(bench.file()).unwrap();
    let pages = file.metadata().unwrap().len() / PAGE;
    file.set_len(pages * PAGE - 1).unwrap();
    assert!(bench.refusal().contains("it ends within a page"));
    file.set_len(pages / 2 * PAGE).unwrap();
    insta::assert_snapshot!(bench.refusal());
}

/// As a program leaves it that is killed while it writes the log back.
#[tokio::test]
async fn half_a_page_that_the_log_has_whole_is_written_again() {
    let (bench, killed) = (Bench::new(), Bench::new());
    let (store, _) = bench.open();
    post(&store, (0..500).map(posting));
    flushed(&store).await;
    for (from, to) in [bench.file(), beside(&bench.file(), "-wal")]
        .into_iter()
        .zip([killed.file(), beside(&killed.file(), "-wal")])
    {
        fs::copy(from, to).unwrap();
    }
    store.close().await;
    let file = OpenOptions::new().write(true).open(killed.file()).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length + PAGE / 2).unwrap();
    killed.open().0.close().await;
    let (connection, _) = open::open_to_read(&killed.file()).unwrap();
    let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    let calls = connection.query_row("SELECT COUNT(*) FROM calls", [], count);
    assert_eq!(calls.unwrap(), 500);
}

#[tokio::test]
async fn a_column_that_somebody_spoilt_is_named() {
    let bench = Bench::new();
    bench.open().0.close().await;
    let connection = Connection::open(bench.file()).unwrap();
    connection
        .execute_batch(
            "INSERT INTO accounts (id, plan, source, created_at, disabled, cancel_at_period_end, limits)
             VALUES ('acme', 'pro', 'api', '2026-11-20T00:00:00.000Z', 0, 0,
                '{\"quotas\":[{\"tokens\":5,\"per\":\"fortnight\"}]}')",
        )
        .unwrap();
    drop(connection);
    insta::assert_snapshot!(bench.refusal());
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let bench = Bench::new();
    let elsewhere = bench.folder.path().join("data/faregate.db");
    let mut settings = bench.settings();
    settings.location = Location::File(elsewhere);
    let error = Store::open(&settings, bench.clock.clone()).unwrap_err();
    let folder = bench.folder.path().to_str().unwrap();
    insta::assert_snapshot!(error.to_string().replace(folder, "/var/lib/faregate"));
}

#[test]
fn a_reader_makes_no_store() {
    let bench = Bench::new();
    let error = Reader::open(&bench.file()).unwrap_err();
    assert!(
        error.to_string().contains("start the daemon once"),
        "{error}"
    );
    assert!(!bench.file().exists());
}

#[tokio::test]
async fn what_is_beside_a_new_store_stays() {
    let bench = Bench::new();
    let other = bench.folder.path().join("faregate.db.new");
    fs::write(&other, b"a copy of somebody's").unwrap();
    let (store, loaded) = bench.open();
    assert!(loaded.accounts.is_empty());
    store.close().await;
    assert_eq!(fs::read(&other).unwrap(), b"a copy of somebody's");
    assert_eq!(
        bench.folder.path().read_dir().unwrap().count(),
        4,
        "the store, its lock, the calls under way, and that"
    );
}

/// SQLite would write the log of the store before into the copy.
#[tokio::test]
async fn a_copy_is_not_opened_with_the_log_of_another_store() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, [posting(1)]);
    flushed(&store).await;
    let copy = bench.folder.path().join("copy.db");
    Reader::open(&bench.file()).unwrap().backup(&copy).unwrap();
    post(&store, [posting(2)]);
    flushed(&store).await;
    let log = bench.folder.path().join("faregate.db-wal");
    let stale = fs::read(&log).unwrap();
    store.close().await;
    fs::rename(&copy, bench.file()).unwrap();
    fs::write(&log, &stale).unwrap();
    let refusal = bench.refusal();
    assert!(Reader::open(&bench.file()).is_err());
    assert_eq!(fs::read(&log).unwrap(), stale, "nothing was changed");
    insta::assert_snapshot!(refusal);
    fs::remove_file(&log).unwrap();
    let (store, _) = bench.open();
    store.close().await;
}

/// After a kill, where the file alone was moved away: SQLite would write the log into the new store.
#[tokio::test]
async fn no_store_is_made_beside_the_log_of_one_that_is_gone() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, [posting(1)]);
    flushed(&store).await;
    let log = beside(&bench.file(), "-wal");
    let stale = fs::read(&log).unwrap();
    store.close().await;
    let elsewhere = bench.folder.path().join("elsewhere.db");
    fs::rename(bench.file(), &elsewhere).unwrap();
    fs::write(&log, &stale).unwrap();
    let refusal = bench.refusal();
    assert!(!bench.file().exists());
    assert_eq!(fs::read(&log).unwrap(), stale, "nothing was changed");
    insta::assert_snapshot!(refusal);
    fs::rename(&elsewhere, bench.file()).unwrap();
    let (store, _) = bench.open();
    let calls = store.calls(CallFilter::default()).await.unwrap();
    assert_eq!(calls.data.len(), 1);
    store.close().await;
}

/// What SQLite leaves beside `file` when it is killed while `change` is written; the file stays as it was.
fn journal_of(file: &Path, change: &str) -> Vec<u8> {
    let before = fs::read(file).unwrap();
    let connection = Connection::open(file).unwrap();
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; BEGIN; {change}; PRAGMA cache_spill = 1"
        ))
        .unwrap();
    // Pages that go into the file before the end have to be in the journal first, synced.
    connection
        .execute_batch(
            "CREATE TABLE spill (x); INSERT INTO spill
             WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 999)
             SELECT randomblob(900) FROM n",
        )
        .unwrap();
    let journal = fs::read(beside(file, "-journal")).unwrap();
    drop(connection);
    fs::write(file, before).unwrap();
    journal
}

/// SQLite would write what the other store had into this one.
#[tokio::test]
async fn a_store_is_not_opened_with_the_journal_of_another() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, [posting(1)]);
    flushed(&store).await;
    let copy = bench.folder.path().join("copy.db");
    Reader::open(&bench.file()).unwrap().backup(&copy).unwrap();
    post(&store, [posting(2)]);
    store.close().await;
    let stale = journal_of(&copy, "UPDATE counter_sums SET used = used + 1");
    let journal = beside(&bench.file(), "-journal");
    let whole = fs::read(bench.file()).unwrap();
    fs::write(&journal, &stale).unwrap();
    let refusal = bench.refusal();
    let looked = Reader::open(&bench.file()).unwrap_err().to_string();
    assert!(looked.contains("journal"), "{looked}");
    assert_eq!(fs::read(&journal).unwrap(), stale, "nothing was changed");
    assert_eq!(fs::read(bench.file()).unwrap(), whole);
    insta::assert_snapshot!(refusal);
    let elsewhere = bench.folder.path().join("elsewhere.db");
    fs::rename(bench.file(), &elsewhere).unwrap();
    bench.refusal();
    assert!(!bench.file().exists(), "nor is one made beside it");
    fs::rename(&elsewhere, bench.file()).unwrap();
    fs::remove_file(&journal).unwrap();
    let (store, _) = bench.open();
    let calls = store.calls(CallFilter::default()).await.unwrap();
    assert_eq!(calls.data.len(), 2);
    store.close().await;
}

/// The beginning of a journal of a store of so many pages, with `records` in its header and the first page behind that
/// (<https://sqlite.org/fileformat2.html>, "The Rollback Journal").
fn journal_with(records: u32, pages: u32, page: &[u8]) -> Vec<u8> {
    let (nonce, mut sum) = (7_u32, 7_u32);
    for at in (1..page.len()).filter(|at| (page.len() - at).is_multiple_of(200)) {
        sum = sum.wrapping_add(page[at].into());
    }
    let mut journal = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7".to_vec();
    for number in [records, nonce, pages, 512, PAGE as u32] {
        journal.extend(number.to_be_bytes());
    }
    journal.resize(512, 0);
    journal.extend(1_u32.to_be_bytes());
    journal.extend(page);
    journal.extend(sum.to_be_bytes());
    journal
}

/// SQLite makes the store as long as a journal without records says, and looks for more records behind the first ones.
#[tokio::test]
async fn a_journal_that_says_little_at_its_beginning_may_be_anothers_too() {
    let bench = Bench::new();
    bench.open().0.close().await;
    let whole = fs::read(bench.file()).unwrap();
    let (page, pages) = (&whole[..PAGE as usize], (whole.len() as u64 / PAGE) as u32);
    let mut parts = journal_with(1, pages, page);
    parts.resize(parts.len().next_multiple_of(512), 0);
    parts.extend(journal_with(1, pages, &[0; PAGE as usize]));
    let journal = beside(&bench.file(), "-journal");
    for anothers in [journal_with(0, 1, page), parts] {
        fs::write(&journal, anothers).unwrap();
        let refusal = bench.refusal();
        assert!(refusal.contains("journal of a change"), "{refusal}");
        assert_eq!(fs::read(bench.file()).unwrap(), whole);
    }
}

/// A copy that is opened for the first time gets a log, which its first page says: killed there, the next start goes on.
#[tokio::test]
async fn a_start_that_was_killed_while_it_gave_a_copy_its_log_is_no_obstacle() {
    const LOGGED: [u8; 2] = [2, 2];
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, [posting(1)]);
    flushed(&store).await;
    let copy = bench.folder.path().join("copy.db");
    Reader::open(&bench.file()).unwrap().backup(&copy).unwrap();
    store.close().await;
    fs::rename(&copy, bench.file()).unwrap();
    let page = fs::read(bench.file()).unwrap()[..PAGE as usize].to_vec();
    let pages = u32::try_from(fs::metadata(bench.file()).unwrap().len() / PAGE).unwrap();
    let journal = journal_with(1, pages, &page);
    let mut changed = fs::read(bench.file()).unwrap();
    changed[18..20].copy_from_slice(&LOGGED);
    changed[27] ^= 1;
    fs::write(bench.file(), changed).unwrap();
    fs::write(beside(&bench.file(), "-journal"), journal).unwrap();
    let (store, _) = bench.open();
    let calls = store.calls(CallFilter::default()).await.unwrap();
    assert_eq!(calls.data.len(), 1);
    store.close().await;
}

#[tokio::test]
async fn a_new_store_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let (store, _) = bench.open();
    let mode = fs::metadata(bench.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    store.close().await;
}

#[tokio::test]
async fn every_commit_is_synced() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let pragma = |name: &'static str| {
        store.look(move |connection| {
            connection
                .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
                .unwrap()
        })
    };
    assert_eq!(
        pragma("journal_mode").await.unwrap(),
        "wal".to_owned().into()
    );
    // 2 is FULL: in a write-ahead log, an fsync at each commit.
    assert_eq!(pragma("synchronous").await.unwrap(), 2_i64.into());
    store.close().await;
}

#[tokio::test]
async fn a_reader_looks_while_the_daemon_writes_and_after() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, [posting(1)]);
    flushed(&store).await;
    let reader = Reader::open(&bench.file()).unwrap();
    assert_eq!(reader.calls(&CallFilter::default()).unwrap().data.len(), 1);
    drop(reader);
    store.close().await;
    let reader = Reader::open(&bench.file()).unwrap();
    assert_eq!(reader.calls(&CallFilter::default()).unwrap().data.len(), 1);
    assert!(reader.accounts().unwrap().is_empty());
    assert!(reader.keys().unwrap().is_empty());
}

#[tokio::test]
async fn stores_in_memory_are_strangers() {
    let (one, other) = (in_memory(), in_memory());
    post(&one, [posting(1)]);
    assert_eq!(
        one.calls(CallFilter::default()).await.unwrap().data.len(),
        1
    );
    assert_eq!(
        other.calls(CallFilter::default()).await.unwrap().data.len(),
        0
    );
    one.close().await;
    other.close().await;
}

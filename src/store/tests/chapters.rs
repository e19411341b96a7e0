//! Calls stand in chapters of time, and whoever asks does not notice.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    domain::{RequestId, Timestamp},
    store::{
        CallFilter, CallRecord, ExportFilter, ExportFormat, GroupBy, Posting, Reader, Store,
        UsageQuery,
        tests::{Bench, START, account_id, chance::Chance, flushed, key_id, post, posting},
    },
};

const CALLS: u64 = 9_000;

/// Calls of a few accounts and keys, a millisecond apart; some are long under way, and for a while the clock is hours
/// ahead.
fn postings() -> Vec<Posting> {
    let mut chance = Chance(7);
    let mut some = |number: u64| {
        let mut posting = posting(number);
        let late = match chance.below(10) {
            0 => u64::try_from(chance.below(6_000)).unwrap(),
            _ => 0,
        };
        let ahead = if (2_000..2_500).contains(&number) {
            7_200_000
        } else {
            0
        };
        posting.call.at = START.plus(Duration::from_millis(
            10_000 + number / 3 * 3 + ahead - late,
        ));
        posting.call.id = RequestId::new(posting.call.at);
        posting.call.account = account_id(["acme", "bob", "carol"][chance.below(3)]);
        posting.call.key = key_id(["one", "two", "three", "four"][chance.below(4)]);
        posting.counters.clear();
        posting
    };
    (0..CALLS).map(&mut some).collect()
}

/// All that `filter` asks for, page by page, as instants and ids.
async fn listed(store: &Store, filter: CallFilter) -> Vec<(Timestamp, RequestId)> {
    let (mut listed, mut filter) = (Vec::new(), filter);
    loop {
        let page = store.calls(filter.clone()).await.unwrap();
        listed.extend(page.data.iter().map(|call| (call.at, call.id)));
        if page.next_cursor.is_none() {
            return listed;
        }
        filter.cursor = page.next_cursor;
    }
}

#[tokio::test]
async fn calls_are_listed_in_the_order_of_time_whatever_chapter_they_are_in() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let postings = postings();
    for some in postings.chunks(500) {
        post(&store, some.to_vec());
        flushed(&store).await;
    }
    let minute = |from: u64| Some(START.plus(Duration::from_millis(from)));
    let times = [
        (None, None),
        (minute(12_000), None),
        (None, minute(14_500)),
        (minute(11_000), minute(17_000)),
        (minute(3_000_000), None),
        (minute(9_000_000), None),
    ];
    for account in [None, Some("bob")] {
        for key in [None, Some("three"), Some("another")] {
            for (since, until) in times {
                let filter = CallFilter {
                    account: account.map(account_id),
                    key: key.map(key_id),
                    since,
                    until,
                    limit: 700,
                    ..CallFilter::default()
                };
                let asked = |call: &&CallRecord| {
                    account.is_none_or(|account| call.account.as_str() == account)
                        && key.is_none_or(|key| call.key.as_str() == key)
                        && since.is_none_or(|since| call.at >= since)
                        && until.is_none_or(|until| call.at < until)
                };
                let calls = postings.iter().map(|posting| &posting.call);
                let mut right: Vec<_> =
                    calls.filter(asked).map(|call| (call.at, call.id)).collect();
                right.sort_by(|one, other| other.cmp(one));
                assert_eq!(listed(&store, filter.clone()).await, right, "{filter:?}");
                let usage = UsageQuery {
                    account: filter.account,
                    key: filter.key,
                    since,
                    until,
                    ..UsageQuery::by(GroupBy::Outcome)
                };
                let rows = store.usage(usage).await.unwrap();
                let counted: u64 = rows.iter().map(|row| row.calls).sum();
                assert_eq!(usize::try_from(counted).unwrap(), right.len());
            }
        }
    }
    let look = store.look(|connection| {
        let one = |sql: &str| {
            connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        let elsewhere = one("SELECT count(*) FROM calls WHERE chapter <> (
            SELECT number FROM call_chapters WHERE since <= at ORDER BY since DESC LIMIT 1)");
        let sizes = one("SELECT count(*) FROM call_chapters AS chapters
            WHERE size <> (SELECT count(*) FROM calls WHERE chapter = chapters.number)");
        let longest = one("SELECT max(size) FROM call_chapters");
        (
            elsewhere,
            sizes,
            longest,
            one("SELECT count(*) FROM call_chapters"),
        )
    });
    let (elsewhere, sizes, longest, chapters) = look.await.unwrap();
    assert_eq!((elsewhere, sizes), (0, 0));
    assert!(
        chapters >= 4 && longest < 4_096,
        "{chapters} chapters, {longest} calls"
    );
    store.close().await;

    let reader = Reader::open(&bench.file()).unwrap();
    let mut out = Vec::new();
    let all = ExportFilter {
        account: None,
        since: None,
        until: minute(14_500),
    };
    reader
        .export(ExportFormat::JsonLines, &all, &mut out)
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    let exported: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let place = |row: &serde_json::Value| -> (Timestamp, RequestId) {
        let text = |name: &str| row[name].as_str().unwrap();
        (text("at").parse().unwrap(), text("id").parse().unwrap())
    };
    let places: Vec<_> = exported.iter().map(place).collect();
    assert!(places.is_sorted());
    let before = postings
        .iter()
        .filter(|posting| posting.call.at < minute(14_500).unwrap());
    assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), before.count());
}

#[tokio::test]
async fn a_call_in_a_chapter_of_another_time_is_found() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, (0..3).map(posting));
    flushed(&store).await;
    store.close().await;
    let found = |spoil: &str, repair: &str| {
        let connection = rusqlite::Connection::open(bench.file()).unwrap();
        connection.execute_batch(spoil).unwrap();
        let replayed = Reader::open(&bench.file()).unwrap().verify(|_| {}).unwrap();
        connection.execute_batch(repair).unwrap();
        let problems = replayed.problems.into_iter();
        let figures = problems.map(|problem| (problem.stored, problem.derived));
        figures.collect::<Vec<_>>()
    };
    assert_eq!(found("", ""), []);
    let begin = "INSERT INTO call_chapters VALUES (9, '2000-01-01T00:00:00.000Z', 'z', 0)";
    let end = "DELETE FROM call_chapters WHERE number = 9";
    assert_eq!(found(begin, end), [(Some(1), 9); 3]);
    let early = "UPDATE call_chapters SET last_at = ''";
    let late = "UPDATE call_chapters SET last_at = (SELECT max(at) FROM calls)";
    assert_eq!(found(early, late), [(Some(0), 1); 3]);
    assert_eq!(found("", ""), []);
}

//! Exports as their readers get them.

use std::time::Duration;

use crate::{
    accounts::Draws,
    domain::Timestamp,
    store::{
        EntryKind, ExportError, ExportFilter, ExportFormat, NewEntry, Reader,
        tests::{
            Bench, START, account_id,
            credit::{charged, entry},
            post, posting,
        },
    },
};

const ALL: ExportFilter = ExportFilter {
    account: None,
    since: None,
    until: None,
};

/// A top-up, a call that it pays for, one of another account, one that is not paid from credit, and a correction.
async fn filled() -> Bench {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let mut top_up = entry(EntryKind::TopUp, 12_500_000_000);
    top_up.id = Some("invoice-7".to_owned());
    top_up.reason = Some("paid, \"by wire\"".to_owned());
    top_up.expires_at = Some("2027-01-01T00:00:00Z".parse().unwrap());
    store.post_entry(top_up, Draws::new()).await.unwrap();
    let mut bobs = charged(2, 4_350_000, &[]);
    bobs.call.account = account_id("bob");
    let mut plain = posting(3);
    plain.call.model = None;
    plain.call.upstream_model = None;
    plain.call.first_byte_ms = None;
    post(&store, [charged(1, 435_000, &[(1, 435_000)]), bobs, plain]);
    bench.clock.advance(Duration::from_millis(2));
    let grant = NewEntry {
        id: Some("sorry".to_owned()),
        account: account_id("bob"),
        ..entry(EntryKind::Grant, 5_000_000)
    };
    store.post_entry(grant, Draws::new()).await.unwrap();
    store.close().await;
    bench
}

fn exported(bench: &Bench, format: ExportFormat, filter: &ExportFilter) -> (u64, String) {
    let mut out = Vec::new();
    let reader = Reader::open(&bench.file()).unwrap();
    let rows = reader.export(format, filter, &mut out).unwrap();
    (rows, String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn every_format_has_all_rows() {
    let bench = filled().await;
    for format in ExportFormat::ALL {
        let (rows, text) = exported(&bench, format, &ALL);
        assert_eq!(rows, 5);
        assert_eq!(ExportFormat::parse(format.as_str()), Some(format));
        insta::assert_snapshot!(format.as_str(), text);
    }
}

#[tokio::test]
async fn only_what_is_asked_for() {
    let bench = filled().await;
    let count = |filter: ExportFilter| exported(&bench, ExportFormat::JsonLines, &filter).0;
    let at = |millis: u64| Some::<Timestamp>(START.plus(Duration::from_millis(millis)));
    assert_eq!(
        count(ExportFilter {
            account: Some(account_id("bob")),
            ..ALL
        }),
        2
    );
    assert_eq!(
        count(ExportFilter {
            since: at(2),
            ..ALL
        }),
        3
    );
    assert_eq!(
        count(ExportFilter {
            until: at(2),
            ..ALL
        }),
        2
    );
    assert_eq!(
        count(ExportFilter {
            since: at(1),
            until: at(2),
            ..ALL
        }),
        1
    );
    assert_eq!(
        count(ExportFilter {
            account: Some(account_id("eve")),
            ..ALL
        }),
        0
    );
}

#[tokio::test]
async fn rows_of_both_kinds_have_the_same_members() {
    let bench = filled().await;
    let (_, text) = exported(&bench, ExportFormat::JsonLines, &ALL);
    let members = |line: &str| {
        let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        row.keys().cloned().collect::<Vec<_>>()
    };
    let mut lines = text.lines();
    let (entry, call) = (
        members(lines.next().unwrap()),
        members(lines.next().unwrap()),
    );
    assert!(
        call.iter().all(|name| entry.contains(name)),
        "{entry:?} {call:?}"
    );
    let (_, csv) = exported(&bench, ExportFormat::Csv, &ALL);
    let commas = |line: &str| line.matches(',').count();
    let heading = commas(csv.lines().next().unwrap());
    assert_eq!(commas(csv.lines().nth(2).unwrap()), heading);
}

/// Takes so many bytes.
struct Narrow(usize);

impl std::io::Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_reader_that_leaves_ends_it() {
    let bench = filled().await;
    let reader = Reader::open(&bench.file()).unwrap();
    for format in ExportFormat::ALL {
        for room in [0, 100, 900] {
            let ended = reader.export(format, &ALL, &mut Narrow(room));
            assert!(
                matches!(ended, Err(ExportError::Write(_))),
                "{format:?} {room}"
            );
        }
    }
}

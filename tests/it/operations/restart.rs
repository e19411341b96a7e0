//! A kill, and a start on a store that many calls are in. `FAREGATE_ROWS=1000000` is the full run: a million calls, and the
//! first answer within two seconds.

use std::time::{Duration, Instant};

use faregate::store::Reader;

use super::{ANSWER, stream, yaml};
use crate::harness::{
    Call, Daemon, Gate, Gateway, LIMITED, Step, TOKEN, Upstream, json, notice, number_of, sse,
    within,
};

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

/// Writes the one call of a store again and again, over the days before.
fn multiply(folder: &std::path::Path, rows: u64) {
    let store = rusqlite::Connection::open(folder.join("faregate.db")).unwrap();
    let columns: Vec<String> = store
        .prepare("SELECT name FROM pragma_table_info('calls')")
        .unwrap()
        .query_map((), |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let values: Vec<String> = columns
        .iter()
        .map(|column| match column.as_str() {
            "number" => "NULL".to_owned(),
            "chapter" => "2 + n % 2600000 / 2048".to_owned(),
            "id" => "printf('%08x-0000-7000-8000-%012x', n, n)".to_owned(),
            // Before any window that is compared with its calls, and not so old that they are deleted.
            "at" => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-2 days', '-' || (n % 2600000) || ' seconds')".to_owned(),
            _ => column.clone(),
        })
        .collect();
    let sql = format!(
        "INSERT INTO calls ({}) WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})
         SELECT {} FROM numbers, (SELECT * FROM calls LIMIT 1);
         -- The one call that was there is later than all of them.
         UPDATE call_chapters SET since = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 days');
         INSERT INTO call_chapters SELECT chapter, min(at), max(at), count(*) FROM calls WHERE chapter > 1 GROUP BY chapter;
         INSERT INTO call_chapters (since, last_at, size) VALUES ('', '', 0);",
        columns.join(", "),
        values.join(", ")
    );
    store.execute_batch(&sql).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_a_verb_that_is_writing() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("faregate.db");
    // A verb that works on the store of a stopped daemon holds this for a fraction of a second.
    let verb = std::fs::File::create(folder.path().join("faregate.db.lock")).unwrap();
    verb.lock().unwrap();
    let ends = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        verb.unlock().unwrap();
    };
    let file = format!("store: {{url: \"sqlite:{}\"}}\n", store.display());
    let (gateway, ()) = tokio::join!(Gateway::start(&file), ends);
    tokio::time::resume();
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_under_load_and_a_start_on_many_calls() {
    let asked = number_of("FAREGATE_ROWS");
    let rows = asked.unwrap_or(20_000);
    let upstream = Upstream::start(|seen| {
        if seen.json()["stream"] == true {
            let mut steps = sse(&[
                "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n",
                "data: [DONE]\n\n",
            ]);
            steps.insert(2, Step::Wait(Gate::default()));
            return steps;
        }
        json("200 OK", ANSWER)
    })
    .await;
    let daemon = Daemon::start(&yaml(&upstream.url(), "")).await;
    assert_eq!(daemon.chat(LIMITED, CHAT).send().await.status, 200);
    daemon.signal("TERM");
    let (_, folder) = daemon.ended().await;
    multiply(folder.path(), rows);

    let daemon = Daemon::start_in(folder).await;
    let mut open = Vec::new();
    for name in 0..20 {
        let mut body = daemon.chat(LIMITED, &stream(name)).open().await.into_body();
        within("an event", http_body_util::BodyExt::frame(&mut body))
            .await
            .unwrap()
            .unwrap();
        open.push(body);
    }
    for _ in 0..20 {
        assert_eq!(daemon.chat(LIMITED, CHAT).send().await.status, 200);
    }
    let folder = daemon.killed();
    drop(open);
    let started = Instant::now();
    let daemon = Daemon::start_in(folder).await;
    assert_eq!(daemon.chat(LIMITED, CHAT).send().await.status, 200);
    let took = started.elapsed();
    notice(&format!(
        "{rows} calls in the store: {} ms from the start to the first answer",
        took.as_millis()
    ));
    if asked.is_some() {
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    // Whoever asks for lists gets a page, however many there are.
    for query in [
        "calls?limit=1000",
        "calls?limit=1000&account=tight&model=m&outcome=completed",
        "calls?limit=1000&since=2026-01-02T00:00:00Z&until=2026-01-03T00:00:00Z",
        "calls?limit=1000&model=nope",
        "usage?by=account",
        "usage?by=day",
        "ledger?limit=1000",
    ] {
        let started = Instant::now();
        let list = Call::new(daemon.admin, "GET", &format!("/admin/v1/{query}")).bearer(TOKEN);
        let list = list.send().await;
        assert_eq!(list.status, 200, "{query}: {}", list.text());
        assert!(
            list.value()["data"].as_array().unwrap().len() <= 1000,
            "{query}"
        );
        if asked.is_some() {
            notice(&format!("  {query}: {} ms", started.elapsed().as_millis()));
        }
    }
    daemon.signal("TERM");
    let (status, folder) = daemon.ended().await;
    assert_eq!(status.code(), Some(0));
    let verified = Reader::open(&folder.path().join("faregate.db"))
        .unwrap()
        .verify(|_| ())
        .unwrap();
    assert!(verified.is_right(), "{verified:?}");
    // The first, the twenty that were answered, the twenty that the kill cut off, the last.
    assert_eq!(verified.calls, rows + 42);
}

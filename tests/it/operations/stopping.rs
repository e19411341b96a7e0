//! The end of a program that has five hundred streams under way.

use std::time::Duration;

use faregate::store::Reader;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{net::TcpStream, task::JoinSet};

use super::{Gates, stream, yaml};
use crate::harness::{Call, Daemon, LIMITED, Upstream, within};

const STREAMS: usize = 500;

/// Waits until the log says that nothing new is taken.
async fn draining(daemon: &mut Daemon) {
    let drains =
        |line: &serde_json::Value| line["message"].as_str().unwrap().starts_with("draining");
    daemon.logs(drains).await;
}

/// Opens so many streams, and reads the first event of each.
async fn opened(daemon: &Daemon, streams: usize) -> Vec<Incoming> {
    let mut opening = JoinSet::new();
    for name in 0..streams {
        let call = daemon.chat(LIMITED, &stream(name));
        opening.spawn(async move {
            let mut body = call.open().await.into_body();
            let first = within("an event", body.frame()).await.unwrap().unwrap();
            assert!(first.data_ref().unwrap().starts_with(b"data: {\"choices\""));
            body
        });
    }
    opening.join_all().await
}

async fn rest(body: Incoming) -> String {
    let rest = within("the rest of a stream", body.collect())
        .await
        .unwrap();
    String::from_utf8(rest.to_bytes().to_vec()).unwrap()
}

/// Outcomes of all calls in the store that a program left behind, where the ledger adds up.
fn outcomes(folder: &std::path::Path) -> Vec<(String, i64)> {
    let file = folder.join("faregate.db");
    let verified = Reader::open(&file).unwrap().verify(|_| ()).unwrap();
    assert!(verified.is_right(), "{verified:?}");
    let rows = rusqlite::Connection::open(file).unwrap();
    let mut select = rows
        .prepare("SELECT outcome, count(*) FROM calls GROUP BY outcome ORDER BY outcome")
        .unwrap();
    let found = select.query_map((), |row| Ok((row.get(0)?, row.get(1)?)));
    found.unwrap().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_it_lets_five_hundred_streams_finish() {
    faregate::listener::raise_descriptor_limit().unwrap();
    let gates = std::sync::Arc::new(Gates::of(STREAMS));
    let script = std::sync::Arc::clone(&gates);
    let upstream = Upstream::start(move |seen| script.answer(seen, 1)).await;
    let mut daemon = Daemon::start(&yaml(&upstream.url(), "")).await;
    let streams = opened(&daemon, STREAMS).await;
    daemon.signal("TERM");
    draining(&mut daemon).await;
    // Whoever asks for health is told, and nothing new comes in.
    let ready = Call::new(daemon.admin, "GET", "/readyz").send().await;
    assert_eq!(ready.status, 503);
    within("the listener closed", async {
        while TcpStream::connect(daemon.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let reading: JoinSet<String> = streams.into_iter().map(rest).collect();
    gates.open();
    gates.open();
    // The second step may have met a gate whose stream was not there yet.
    let mut reading = reading;
    let mut finished = 0;
    within("every stream finished", async {
        loop {
            tokio::select! {
                biased;
                ended = reading.join_next() => match ended {
                    Some(text) => {
                        let text = text.unwrap();
                        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
                        finished += 1;
                    }
                    None => return,
                },
                () = tokio::time::sleep(Duration::from_millis(20)) => gates.open(),
            }
        }
    })
    .await;
    assert_eq!(finished, STREAMS);
    let (status, folder) = daemon.ended().await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(
        outcomes(folder.path()),
        [("completed".to_owned(), STREAMS as i64)]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_finish_in_time_is_told_settled_and_no_reason_to_stay() {
    const OPEN: usize = 50;
    let gates = Gates::of(OPEN);
    let upstream = Upstream::start(move |seen| gates.answer(seen, 1)).await;
    let mut daemon = Daemon::start(&yaml(&upstream.url(), ", drain: 1s")).await;
    let streams = opened(&daemon, OPEN).await;
    daemon.signal("TERM");
    draining(&mut daemon).await;
    let reading: JoinSet<String> = streams.into_iter().map(rest).collect();
    for text in reading.join_all().await {
        assert!(text.contains("\"code\":\"draining\""), "{text}");
        assert!(text.ends_with("\n\n") && !text.contains("[DONE]"), "{text}");
    }
    let (status, folder) = daemon.ended().await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(
        outcomes(folder.path()),
        [("indeterminate".to_owned(), OPEN as i64)]
    );
    within("the provider was let go", upstream.all_closed()).await;
}

use std::{fs, time::Duration};

use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{error::Elapsed, timeout},
};

use crate::store::{
    Store,
    tests::{Bench, flushed, post, posting},
};

/// A read that sees the file as it is when it begins, until it is told to end.
struct Read {
    begun: oneshot::Receiver<()>,
    end: oneshot::Sender<()>,
    task: JoinSet<()>,
}

impl Read {
    fn of(store: &Store) -> Self {
        let (begin, begun) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let store = store.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let read = store.read(move |connection| {
                let mut calls = connection.prepare("SELECT id FROM calls")?;
                let mut calls = calls.query(())?;
                assert!(calls.next()?.is_some());
                begin.send(()).unwrap();
                ended.blocking_recv().unwrap();
                Ok(())
            });
            read.await.unwrap();
        });
        Self { begun, end, task }
    }

    /// Gives it time to begin, which it does not use while it has to wait.
    async fn begins(&mut self) -> Result<(), Elapsed> {
        let begun = timeout(Duration::from_millis(100), &mut self.begun).await;
        begun.map(|begun| begun.unwrap())
    }

    async fn end(self) {
        self.end.send(()).unwrap();
        self.task.join_all().await;
    }
}

#[tokio::test]
async fn the_log_begins_anew_although_there_is_always_somebody_who_reads() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let mut log = bench.file().into_os_string();
    log.push("-wal");
    let mut calls = (0..).map(posting);
    let mut first = None;
    post(&store, calls.next());
    flushed(&store).await;
    let mut reading = Read::of(&store);
    reading.begins().await.unwrap();
    let mut waited = 0;
    for _ in 0..6 {
        post(&store, calls.by_ref().take(5_000));
        flushed(&store).await;
        first.get_or_insert_with(|| fs::metadata(&log).unwrap().len());
        let mut next = Read::of(&store);
        let begun = next.begins().await;
        reading.end().await;
        post(&store, calls.next());
        flushed(&store).await;
        if begun.is_err() {
            waited += 1;
            (&mut next.begun).await.unwrap();
        }
        reading = next;
    }
    reading.end().await;
    let last = fs::metadata(&log).unwrap().len();
    assert!(waited > 0);
    assert!(last < 3 * first.unwrap(), "{first:?} {last}");
    store.close().await;
}

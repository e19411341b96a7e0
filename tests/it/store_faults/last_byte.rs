use std::sync::{Arc, Mutex};

use bytes::Bytes;
use faregate::store::{Recovered, read_slot};
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use rusqlite::{Connection, OptionalExtension};

use super::{
    ANSWER, CHAT, DELTA, DONE, Daemon, Gate, KEY, Path, STREAM, Step, USAGE, Upstream, replay, sse,
    whole, within, yaml,
};
use crate::harness::{end, head, piece};

/// How an answer comes.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// With its length.
    Sized,
    /// Without, its end in a packet of its own.
    Chunked,
    /// A stream whose last event and end come together.
    Stream,
    /// A stream whose transfer goes on after its last event.
    Open,
}

const FORMS: [Form; 4] = [Form::Sized, Form::Chunked, Form::Stream, Form::Open];

impl Form {
    fn steps(self) -> Vec<Step> {
        match self {
            Self::Sized => whole("200 OK", ANSWER),
            Self::Chunked => {
                let (first, rest) = ANSWER.split_at(50);
                vec![head("application/json"), piece(first), piece(rest), end()]
            }
            Self::Stream => {
                let mut steps = sse(&[DELTA, USAGE]);
                let end = format!("{:x}\r\n{DONE}\r\n0\r\n\r\n", DONE.len());
                *steps.last_mut().unwrap() = Step::Send(end.into());
                steps
            }
            Self::Open => {
                let mut steps = sse(&[DELTA, USAGE, DONE]);
                steps.pop();
                steps.push(Step::Wait(Gate::default()));
                steps
            }
        }
    }

    fn body(self) -> &'static str {
        match self {
            Self::Sized | Self::Chunked => CHAT,
            Self::Stream | Self::Open => STREAM,
        }
    }

    /// Reads until there is nothing left that a client would wait for; the call's id.
    async fn read(self, answer: &mut Response<Incoming>) -> String {
        assert_eq!(answer.status(), 200);
        let mut read = Vec::new();
        let wanted = match self {
            Self::Sized => Some(ANSWER),
            Self::Chunked => None,
            Self::Stream | Self::Open => Some(DONE),
        };
        while wanted.is_none_or(|wanted| !read.ends_with(wanted.as_bytes())) {
            let Some(frame) = within("a frame", answer.frame()).await else {
                break;
            };
            let frame: Bytes = frame.unwrap().into_data().unwrap();
            read.extend_from_slice(&frame);
        }
        let end = wanted.unwrap_or(ANSWER);
        assert!(read.ends_with(end.as_bytes()), "{self:?}: {read:?}");
        answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned()
    }
}

/// How the call ended, and its cost, where it is recorded.
fn recorded(folder: &Path, id: &str) -> Option<(String, i64)> {
    let store = Connection::open(folder.join("faregate.db")).unwrap();
    let sql = "SELECT outcome, cost_nano_usd FROM calls WHERE id = ?";
    let row = store.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?)));
    row.optional().unwrap()
}

/// Nine tokens at a dollar a million, and two at three.
fn completed() -> Option<(String, i64)> {
    Some(("completed".to_owned(), 15_000))
}

/// Calls that are held in the file of calls under way.
fn held(folder: &Path) -> Vec<String> {
    let file = std::fs::read(folder.join("faregate.db.inflight")).unwrap();
    let slots = (0..).zip(file[4096..].chunks_exact(1024));
    let found = slots.filter_map(|(slot, bytes)| match read_slot(slot, bytes)? {
        Recovered::Open(hold, _) => Some(hold.id.to_string()),
        Recovered::Settled(_) => None,
    });
    found.collect()
}

#[tokio::test]
async fn where_the_store_is_strict_the_record_is_there_before_the_last_byte() {
    for form in FORMS {
        let folder = Arc::new(Mutex::new(None));
        let holds = Arc::new(Mutex::new(Vec::new()));
        let upstream = {
            let (folder, holds) = (Arc::clone(&folder), Arc::clone(&holds));
            Upstream::start(move |_| {
                let folder = folder.lock().unwrap();
                let folder: &std::path::PathBuf = folder.as_ref().unwrap();
                *holds.lock().unwrap() = held(folder);
                form.steps()
            })
            .await
        };
        let daemon = Daemon::start(&yaml(&upstream, "in_flight: 64, durability: strict")).await;
        *folder.lock().unwrap() = Some(daemon.folder.path().to_owned());
        for _ in 0..5 {
            let mut answer = daemon.chat(KEY, form.body()).open().await;
            let id = form.read(&mut answer).await;
            assert_eq!(recorded(daemon.folder.path(), &id), completed(), "{form:?}");
            assert_eq!(*holds.lock().unwrap(), [id], "{form:?}");
        }
    }
}

#[tokio::test]
async fn a_kill_right_after_the_last_byte_loses_no_record() {
    for form in FORMS {
        let upstream = Upstream::start(move |_| form.steps()).await;
        let mut daemon = Daemon::start(&yaml(&upstream, "in_flight: 64")).await;
        for _ in 0..5 {
            let mut answer = daemon.chat(KEY, form.body()).open().await;
            let id = form.read(&mut answer).await;
            daemon = Daemon::start_in(daemon.killed()).await;
            assert_eq!(recorded(daemon.folder.path(), &id), completed(), "{form:?}");
        }
        replay(daemon.folder.path(), 5);
    }
}

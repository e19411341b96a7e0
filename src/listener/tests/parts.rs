//! The parts that need no socket.

use std::{
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use proptest::prelude::{any, prop, proptest};
use tokio::io::AsyncWriteExt;

use super::harness::within;
use crate::listener::{
    ShutdownHandle, Tasks,
    accept::back_off,
    protocol::{Version, negotiated, sniff},
    signal::Signal,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Default)]
struct Rings(AtomicUsize);

impl Wake for Rings {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// What `sniff` says of bytes that arrive in these pieces, and all that can be read afterwards.
async fn sniffed(pieces: &[Vec<u8>]) -> (Option<Version>, Vec<u8>) {
    let (mut client, mut server) = tokio::io::duplex(1 << 16);
    let send = async {
        for piece in pieces {
            client.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(client);
    };
    let (sniffed, ()) = tokio::join!(sniff(&mut server), send);
    let (version, read) = sniffed.unwrap().unzip();
    let mut all = read.map_or_else(Vec::new, |read| read.to_vec());
    tokio::io::AsyncReadExt::read_to_end(&mut server, &mut all)
        .await
        .unwrap();
    (version, all)
}

proptest! {
    #[test]
    fn sniffing_loses_nothing(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..30), 0..5)) {
        let whole = pieces.concat();
        let (version, all) = runtime().block_on(sniffed(&pieces));
        assert_eq!(all, whole);
        let expected = if whole.is_empty() {
            None
        } else if whole.starts_with(PREFACE) {
            Some(Version::Http2)
        } else {
            Some(Version::Http1)
        };
        assert_eq!(version, expected);
    }

    #[test]
    fn a_preface_is_known_however_it_is_cut(at in 1..24_usize, tail in prop::collection::vec(any::<u8>(), 0..9)) {
        let whole = [PREFACE, &tail].concat();
        let (head, rest) = whole.split_at(at);
        let (version, all) = runtime().block_on(sniffed(&[head.to_vec(), rest.to_vec()]));
        assert_eq!((version, all), (Some(Version::Http2), whole));
    }
}

#[test]
fn alpn_chooses_the_protocol() {
    assert_eq!(negotiated(Some(b"h2")), Version::Http2);
    assert_eq!(negotiated(Some(b"http/1.1")), Version::Http1);
    assert_eq!(negotiated(None), Version::Http1);
}

#[test]
fn pauses_grow_to_a_second() {
    let exhausted = io::Error::from_raw_os_error(24);
    let mut pauses = vec![];
    let mut last = None;
    for _ in 0..10 {
        last = back_off(&exhausted, last);
        pauses.push(last.unwrap().as_millis());
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000]);
    let aborted = io::ErrorKind::ConnectionAborted.into();
    assert_eq!(back_off(&aborted, Some(Duration::from_secs(1))), None);
}

#[test]
fn a_signal_wakes_each_waiter_once() {
    let signal = Arc::new(Signal::default());
    let rings = Arc::new(Rings::default());
    let waker = Waker::from(Arc::clone(&rings));
    let mut cx = Context::from_waker(&waker);
    let mut first = signal.wait();
    let mut second = signal.wait();
    for _ in 0..3 {
        assert!(Pin::new(&mut first).poll(&mut cx).is_pending());
        assert!(Pin::new(&mut second).poll(&mut cx).is_pending());
    }
    assert_eq!(signal.waiters(), 2);
    drop(second);
    assert_eq!(signal.waiters(), 1);
    // The place is taken again.
    let mut third = signal.wait();
    assert!(Pin::new(&mut third).poll(&mut cx).is_pending());
    assert_eq!(signal.waiters(), 2);

    signal.raise();
    assert_eq!(rings.0.load(Ordering::Relaxed), 2);
    assert!(Pin::new(&mut first).poll(&mut cx).is_ready());
    assert!(Pin::new(&mut first).poll(&mut cx).is_ready());
    assert!(Pin::new(&mut signal.wait()).poll(&mut cx).is_ready());
    signal.raise();
    assert_eq!(rings.0.load(Ordering::Relaxed), 2);
}

#[test]
fn a_signal_wakes_the_last_task_that_polled() {
    let signal = Arc::new(Signal::default());
    let (one, two) = (Arc::new(Rings::default()), Arc::new(Rings::default()));
    let mut until = signal.wait();
    for rings in [&one, &two] {
        let waker = Waker::from(Arc::clone(rings));
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut until).poll(&mut cx).is_pending());
    }
    signal.raise();
    assert_eq!(one.0.load(Ordering::Relaxed), 0);
    assert_eq!(two.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_shutdown_drains_before_it_cuts_off() {
    let (handle, shutdown) = ShutdownHandle::new();
    assert!(!shutdown.is_draining() && !shutdown.is_cut_off());
    handle.begin();
    assert!(shutdown.is_draining() && !shutdown.is_cut_off());
    handle.force();
    assert!(shutdown.is_cut_off());
    let (handle, shutdown) = ShutdownHandle::new();
    handle.force();
    assert!(shutdown.is_draining() && shutdown.is_cut_off());
}

#[tokio::test]
async fn tasks_are_waited_for() {
    let tasks = Tasks::default();
    within(tasks.wait()).await;
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let inner = tasks.clone();
    tasks.spawn(async move {
        let _ = wait.await;
        inner.spawn(async { panic!("asked for") });
    });
    {
        let mut waiting = pin!(tasks.wait());
        let pending = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(waiting.as_mut().poll(cx).is_pending())
        });
        assert!(pending.await);
        go.send(()).unwrap();
        within(waiting).await;
    }
    assert_eq!(tasks.running(), 0);
}

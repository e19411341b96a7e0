//! HTTP/2 connections, each of which carries many calls.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::TcpStream,
    time::{Duration, Instant},
};
use tokio_rustls::client::TlsStream;

use super::Outgoing;

/// One connection.
pub(super) struct Shared {
    sender: http2::SendRequest<Outgoing>,
    streams: AtomicUsize,
    connection: Weak<Mutex<Http2>>,
    retired: AtomicBool,
    idle_since: Mutex<Instant>,
}

/// What drives the frames of one. Its task alone keeps it.
pub(super) type Http2 = http2::Connection<TokioIo<TlsStream<TcpStream>>, Outgoing, TokioExecutor>;

/// One call's place on a connection.
pub(super) struct Stream(Arc<Shared>);

impl Shared {
    /// Calls on one connection at most, whatever the peer allows: a lost packet delays all of them.
    pub(super) const MAX_STREAMS: u32 = 100;

    pub(super) fn new(
        sender: http2::SendRequest<Outgoing>,
        connection: Weak<Mutex<Http2>>,
    ) -> Self {
        Self {
            sender,
            connection,
            streams: AtomicUsize::new(0),
            retired: AtomicBool::new(false),
            idle_since: Mutex::new(Instant::now()),
        }
    }

    /// Whether new calls may come.
    pub(super) fn is_open(&self) -> bool {
        !self.retired.load(Ordering::Relaxed) && !self.sender.is_closed()
    }

    /// Since when it carries nothing; a connection in use is idle from now on at the earliest.
    pub(super) fn idle_since(&self) -> Instant {
        if self.streams.load(Ordering::Acquire) > 0 {
            return Instant::now();
        }
        *self
            .idle_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn idle_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.idle_since())
    }

    /// How many calls fit. `SETTINGS_MAX_CONCURRENT_STREAMS` of the peer (RFC 9113 §6.5.2) may change at any time;
    /// before it is known, h2 assumes the 100 that the RFC recommends.
    fn room(&self) -> usize {
        let Some(connection) = self.connection.upgrade() else {
            return 0;
        };
        let allowed = connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .current_max_send_streams();
        allowed.min(Self::MAX_STREAMS as usize)
    }
}

impl Stream {
    /// A place, where there is room.
    pub(super) fn on(shared: &Arc<Shared>) -> Option<Self> {
        let room = shared.room();
        shared
            .streams
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |streams| {
                (streams < room).then_some(streams + 1)
            })
            .ok()?;
        Some(Self(Arc::clone(shared)))
    }

    /// The place of the call that opened the connection.
    pub(super) fn first(shared: &Arc<Shared>) -> Self {
        shared.streams.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(shared))
    }

    pub(super) fn sender(&self) -> http2::SendRequest<Outgoing> {
        self.0.sender.clone()
    }

    /// No new call goes to this connection; those on it run on.
    pub(super) fn retire(&self) {
        self.0.retired.store(true, Ordering::Relaxed);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        *self
            .0
            .idle_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.streams.fetch_sub(1, Ordering::AcqRel);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("streams", &self.streams)
            .field("retired", &self.retired)
            .finish_non_exhaustive()
    }
}

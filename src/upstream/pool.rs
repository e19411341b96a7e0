//! The open connections of one provider. They are never shared with another: a connection belongs to a credential.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::Either;
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::AbortHandle,
    time::{Duration, Instant, sleep_until, timeout},
};

use super::{
    Outgoing,
    shared::{Shared, Stream},
    socket::Watch,
};

/// Idle HTTP/1 connections that are kept.
const MAX_IDLE: usize = 256;
/// How long a connection may lie idle. Providers and the balancers before them close after 60 s and more.
const IDLE: Duration = Duration::from_secs(60);
/// How often the age of connections in use is looked at.
const REAP_EVERY: Duration = Duration::from_secs(1);
/// An answer can end a moment before the task of its connection has noticed. One that needs longer is still busy with
/// a request body that nobody wants any more.
const SETTLE: Duration = Duration::from_millis(20);

/// The connections.
#[derive(Debug)]
pub(super) struct Pool {
    kept: Mutex<Kept>,
    /// One call at a time opens a connection while all could share what it is about to get.
    opening: Semaphore,
    /// Whether the provider speaks no HTTP/2, as far as the last connection showed.
    only_h1: AtomicBool,
}

#[derive(Debug, Default)]
struct Kept {
    /// Oldest first; the newest is used first, so that the others can grow old.
    idle: VecDeque<Idle>,
    shared: Vec<Arc<Shared>>,
    reaping: bool,
}

#[derive(Debug)]
struct Idle {
    connection: Single,
    since: Instant,
}

/// A new connection.
pub(super) enum Connection {
    /// One call at a time.
    H1(Single),
    /// Many.
    H2(Arc<Shared>),
}

/// An HTTP/1 connection. Dropped in the middle of a call, it is cut at once: that is how a provider learns that nobody
/// listens any more.
pub(super) struct Single {
    sender: http1::SendRequest<Outgoing>,
    task: AbortHandle,
    watch: Watch,
    in_use: bool,
}

/// A connection, or a place on one, in the hands of one call.
pub(super) struct Lease {
    pool: Arc<Pool>,
    held: Held,
    /// Whether an earlier call had the connection, which may be closing by now.
    used_before: bool,
    reusable: bool,
}

enum Held {
    H1(Single),
    H2(Stream),
}

impl Pool {
    pub(super) fn new(https: bool) -> Self {
        Self {
            kept: Mutex::default(),
            opening: Semaphore::new(1),
            only_h1: AtomicBool::new(!https),
        }
    }

    /// An open connection with room, if there is one.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Lease> {
        if let Some(lease) = self.take_shared() {
            return Some(lease);
        }
        let mut settling: Option<Idle> = None;
        while let Some(idle) = self.pop() {
            let Single { sender, watch, .. } = &idle.connection;
            if !watch.is_quiet() {
                continue;
            }
            if sender.is_ready() {
                if let Some(settling) = settling {
                    self.lock().idle.push_back(settling);
                }
                return Some(self.lend(Held::H1(idle.connection), true));
            }
            if !sender.is_closed() && settling.is_none() {
                settling = Some(idle);
            }
        }
        let mut lease = self.lend(Held::H1(settling?.connection), true);
        let Held::H1(single) = &mut lease.held else {
            return None;
        };
        match timeout(SETTLE, single.sender.ready()).await {
            Ok(Ok(())) => Some(lease),
            _ => None,
        }
    }

    /// A place on a connection that many share.
    pub(super) fn take_shared(self: &Arc<Self>) -> Option<Lease> {
        if self.only_h1() {
            return None;
        }
        let mut kept = self.lock();
        kept.shared.retain(|shared| shared.is_open());
        let stream = kept.shared.iter().find_map(Stream::on)?;
        Some(self.lend(Held::H2(stream), true))
    }

    /// Waits for the turn to open a connection; `None` where every call needs one of its own.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        if self.only_h1() {
            return None;
        }
        let permit = self.opening.acquire().await.ok()?;
        (!self.only_h1()).then_some(permit)
    }

    /// Takes in a new connection, for the call that opened it first.
    pub(super) fn opened(self: &Arc<Self>, connection: Connection) -> Lease {
        let held = match connection {
            Connection::H1(single) => {
                self.only_h1.store(true, Ordering::Relaxed);
                Held::H1(single)
            }
            Connection::H2(shared) => {
                self.only_h1.store(false, Ordering::Relaxed);
                let stream = Stream::first(&shared);
                let mut kept = self.lock();
                kept.shared.push(shared);
                self.reap(&mut kept);
                Held::H2(stream)
            }
        };
        self.lend(held, false)
    }

    fn only_h1(&self) -> bool {
        self.only_h1.load(Ordering::Relaxed)
    }

    fn lend(self: &Arc<Self>, mut held: Held, used_before: bool) -> Lease {
        if let Held::H1(single) = &mut held {
            single.in_use = true;
        }
        Lease {
            pool: Arc::clone(self),
            held,
            used_before,
            reusable: true,
        }
    }

    fn pop(&self) -> Option<Idle> {
        let mut kept = self.lock();
        kept.expire(Instant::now());
        kept.idle.pop_back()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing that runs under this lock can panic half-way through a change.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(self: &Arc<Self>, mut connection: Single) {
        connection.in_use = false;
        if connection.sender.is_closed() {
            return;
        }
        let since = Instant::now();
        let mut kept = self.lock();
        if kept.idle.len() >= MAX_IDLE {
            kept.idle.pop_front();
        }
        kept.idle.push_back(Idle { connection, since });
        self.reap(&mut kept);
    }

    fn reap(self: &Arc<Self>, kept: &mut Kept) {
        if !kept.reaping {
            kept.reaping = true;
            spawn_reaper(Arc::downgrade(self));
        }
    }
}

impl Kept {
    fn expire(&mut self, now: Instant) {
        while self
            .idle
            .front()
            .is_some_and(|idle| now.saturating_duration_since(idle.since) >= IDLE)
        {
            self.idle.pop_front();
        }
        self.shared
            .retain(|shared| shared.is_open() && shared.idle_for(now) < IDLE);
    }

    /// When the next connection is too old.
    fn next_expiry(&self) -> Option<Instant> {
        let shared = self.shared.iter().map(|shared| shared.idle_since());
        let idle = self.idle.front().map(|idle| idle.since);
        shared.chain(idle).min().map(|since| since + IDLE)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the task keeps nothing alive and ends with the last connection that lies idle"
)]
fn spawn_reaper(pool: Weak<Pool>) {
    tokio::spawn(async move {
        let mut next = Instant::now() + IDLE;
        loop {
            sleep_until(next).await;
            let Some(pool) = pool.upgrade() else { return };
            let now = Instant::now();
            let mut kept = pool.lock();
            kept.expire(now);
            match kept.next_expiry() {
                Some(expiry) => next = expiry.max(now + REAP_EVERY),
                None => {
                    kept.reaping = false;
                    return;
                }
            }
        }
    });
}

impl Single {
    /// A connection that `task` drives.
    pub(super) const fn new(
        sender: http1::SendRequest<Outgoing>,
        task: AbortHandle,
        watch: Watch,
    ) -> Self {
        Self {
            sender,
            task,
            watch,
            in_use: true,
        }
    }
}

impl Drop for Single {
    fn drop(&mut self) {
        if self.in_use {
            self.task.abort();
        }
    }
}

impl Lease {
    pub(super) const fn is_h2(&self) -> bool {
        matches!(self.held, Held::H2(_))
    }

    pub(super) const fn used_before(&self) -> bool {
        self.used_before
    }

    /// Hands the request to the connection. What comes back as a message has not been begun with.
    pub(super) fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Outgoing>>>> + use<>
    {
        match &mut self.held {
            Held::H1(single) => {
                single.watch.awaits_head();
                Either::Left(single.sender.try_send_request(request))
            }
            Held::H2(stream) => Either::Right(stream.sender().try_send_request(request)),
        }
    }

    /// The head of the answer has come.
    pub(super) fn answered(&self) {
        if let Held::H1(single) = &self.held {
            single.watch.has_head();
        }
    }

    /// No call after this one may have the connection.
    pub(super) fn make_last(&mut self) {
        self.reusable = false;
        if let Held::H2(stream) = &self.held {
            stream.retire();
        }
    }

    /// The call has ended as it should. A lease that is dropped instead cuts its HTTP/1 connection.
    pub(super) fn give_back(self) {
        match self.held {
            Held::H1(single) if self.reusable => self.pool.keep(single),
            Held::H1(_) | Held::H2(_) => {}
        }
    }
}

// === impl Debug: hyper's senders say nothing of interest ===

impl fmt::Debug for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Single")
            .field("in_use", &self.in_use)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.held {
            Held::H1(_) => "Lease(HTTP/1)",
            Held::H2(_) => "Lease(HTTP/2)",
        })
    }
}

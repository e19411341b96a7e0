//! The open connections of one provider. They are never shared with another: a connection belongs to a credential.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Duration, Instant, sleep_until},
};

use super::{
    h1::Wire,
    shared::{Shared, Stream},
};

/// Idle HTTP/1 connections that are kept.
const MAX_IDLE: usize = 256;
/// How long a connection may lie idle. Providers and the balancers before them close after 60 s and more.
const IDLE: Duration = Duration::from_secs(60);
/// How often connections that are too old, or that the provider has closed, are looked for.
const REAP_EVERY: Duration = Duration::from_secs(1);

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
    connection: Box<Wire>,
    since: Instant,
}

/// A new connection.
pub(super) enum Connection {
    /// One call at a time.
    H1(Box<Wire>),
    /// Many.
    H2(Arc<Shared>),
}

/// A connection, or a place on one, in the hands of one call.
pub(super) struct Lease {
    pool: Arc<Pool>,
    held: Held,
    /// Whether an earlier call had the connection, which may be closing by now.
    used_before: bool,
    reusable: bool,
}

/// What a call has.
pub(super) enum Held {
    /// A connection. Dropped in the middle of a call, it is closed at once: that is how a provider learns that nobody
    /// listens any more.
    H1(Box<Wire>),
    /// A place on one.
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
    pub(super) fn take(self: &Arc<Self>) -> Option<Lease> {
        if let Some(lease) = self.take_shared() {
            return Some(lease);
        }
        // A request that is written to a connection that is being closed is lost, and one that may have been processed is
        // not sent again.
        let quiet = std::iter::from_fn(|| self.pop()).find(|idle| idle.connection.is_quiet());
        Some(self.lend(Held::H1(quiet?.connection), true))
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
            Connection::H1(wire) => {
                self.only_h1.store(true, Ordering::Relaxed);
                Held::H1(wire)
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

    fn lend(self: &Arc<Self>, held: Held, used_before: bool) -> Lease {
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

    fn keep(self: &Arc<Self>, mut connection: Box<Wire>) {
        if connection.has_more_than_its_answer() {
            return;
        }
        connection.rest();
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

    /// When to look again. Nobody reads a connection of HTTP/1 that lies idle, so it is looked at more often: the provider
    /// may have closed it.
    fn next_look(&self, now: Instant) -> Option<Instant> {
        if !self.idle.is_empty() {
            return Some(now + REAP_EVERY);
        }
        let since = self.shared.iter().map(|shared| shared.idle_since()).min()?;
        Some((since + IDLE).max(now + REAP_EVERY))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the task keeps nothing alive and ends with the last connection that lies idle"
)]
fn spawn_reaper(pool: Weak<Pool>) {
    tokio::spawn(async move {
        let mut next = Instant::now() + REAP_EVERY;
        loop {
            sleep_until(next).await;
            let Some(pool) = pool.upgrade() else { return };
            let now = Instant::now();
            let mut kept = pool.lock();
            kept.expire(now);
            kept.idle.retain(|idle| idle.connection.is_quiet());
            match kept.next_look(now) {
                Some(look) => next = look,
                None => {
                    kept.reaping = false;
                    return;
                }
            }
        }
    });
}

impl Lease {
    pub(super) const fn is_h2(&self) -> bool {
        matches!(self.held, Held::H2(_))
    }

    pub(super) const fn used_before(&self) -> bool {
        self.used_before
    }

    pub(super) fn held(&mut self) -> &mut Held {
        &mut self.held
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
            Held::H1(wire) if self.reusable => self.pool.keep(wire),
            Held::H1(_) | Held::H2(_) => {}
        }
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

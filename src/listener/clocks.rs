//! What a connection is at, and since when.
//!
//! Written by the stream wrapper, the service wrapper and the in-flight guards, read by the driver. All but the guards
//! run in the connection's own task; the guards of HTTP/2 streams run anywhere, hence the atomics. `active` must be seen
//! by whoever sees that the last guard has gone, which is what release and acquire are for; the rest is relaxed.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{settings::Settings, stream::Stream, streams::Progress};

/// No deadline, or nothing pending.
const NEVER: u64 = u64::MAX;

/// HTTP/2 requests that a client may take back young before it is a flood.
const YOUNG_RESETS: u32 = 100;
/// What counts as young.
const YOUNG: Duration = Duration::from_secs(1);

/// Instants are microseconds since the accept.
#[derive(Debug)]
pub(super) struct Clocks {
    accepted: Instant,
    /// How long a head may take.
    head: Duration,
    /// When the request head that is arriving, or the first one, must be complete.
    head_due: AtomicU64,
    /// Since when a write or a flush waits for the client.
    stalled: AtomicU64,
    /// When the last request ended, or the last byte was written.
    active: AtomicU64,
    /// Guards that are alive.
    in_flight: AtomicUsize,
    /// A head has arrived and its exchange is not over.
    busy: AtomicBool,
    /// Request bytes may be on their way that nobody will read.
    unread: AtomicBool,
    /// The client has closed its side.
    ended: AtomicBool,
    /// HTTP/2: the service's `call` is running, so that an exchange that begins is its stream's.
    calling: AtomicBool,
    /// HTTP/2: the progress of the stream whose `call` has just returned.
    progress: Mutex<Option<Arc<Progress>>>,
    /// HTTP/2: the number of the head that has begun and is not complete, or [`NEVER`].
    head_open: AtomicU64,
    heads: AtomicU32,
    /// When the connection is old enough to close.
    retires: u64,
    /// The request after which an HTTP/1 connection closes.
    last: u32,
    young_resets: AtomicU32,
    /// HTTP/2: the client sends little else than frames that ask for nothing.
    idle_flood: AtomicBool,
    /// Where the stream wrapper puts the stream when hyper lets go of it.
    returned: Mutex<Option<Stream>>,
}

impl Clocks {
    /// A connection accepted now.
    pub(super) fn start(settings: &Settings) -> Self {
        let head = settings.timeouts.head;
        let age = settings.timeouts.connection_age;
        let age = age.map(|age| jittered(age, RandomState::new().build_hasher().finish()));
        Self {
            accepted: Instant::now(),
            head,
            head_due: AtomicU64::new(micros(head)),
            stalled: AtomicU64::new(NEVER),
            active: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            busy: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            calling: AtomicBool::new(false),
            progress: Mutex::new(None),
            head_open: AtomicU64::new(NEVER),
            heads: AtomicU32::new(0),
            retires: age.map_or(NEVER, micros),
            last: settings.connection_requests,
            young_resets: AtomicU32::new(0),
            idle_flood: AtomicBool::new(false),
            returned: Mutex::new(None),
        }
    }

    // --- what happens ---

    /// HTTP/1: bytes were read. Outside an exchange these are the first or further bytes of a head, which has to be
    /// complete in time from here. A head whose first bytes came while the last request was under way is bounded by the
    /// time of idleness instead: no better for the client than sending nothing.
    pub(super) fn bytes_arrived(&self) {
        if self.busy.load(Relaxed) {
            return;
        }
        self.unread.store(true, Relaxed);
        if self.head_due.load(Relaxed) == NEVER {
            self.head_due_from_now();
        }
    }

    /// HTTP/2: frames were read, which leave a head `open` or none, whatever streams are under way. Each has its time, the
    /// first of a connection from the accept.
    pub(super) fn frames_arrived(&self, open: Option<u32>, flood: bool) {
        if !self.busy.load(Relaxed) {
            self.unread.store(true, Relaxed);
        }
        if flood {
            self.idle_flood.store(true, Relaxed);
        }
        let number = open.map_or(NEVER, u64::from);
        if self.head_open.load(Relaxed) == number {
            return;
        }
        self.head_open.store(number, Relaxed);
        if self.heads.load(Relaxed) == 0 {
            return;
        }
        match open {
            Some(_) => self.head_due_from_now(),
            None => self.head_due.store(NEVER, Relaxed),
        }
    }

    fn head_due_from_now(&self) {
        let due = self.now().saturating_add(micros(self.head));
        self.head_due.store(due, Relaxed);
    }

    pub(super) fn end_arrived(&self) {
        self.ended.store(true, Relaxed);
    }

    /// A request head is complete. Over HTTP/2 the next may have begun by now.
    pub(super) fn head_arrived(&self, with_body: bool) {
        if self.head_open.load(Relaxed) == NEVER {
            self.head_due.store(NEVER, Relaxed);
        } else if self.heads.load(Relaxed) == 0 {
            self.head_due_from_now();
        }
        self.busy.store(true, Relaxed);
        let heads = self.heads.fetch_add(1, Relaxed).saturating_add(1);
        // After the last one, whatever the client has sent behind it will not be read.
        self.unread.store(with_body || heads >= self.last, Relaxed);
    }

    /// The service's `call` begins or ends on a connection whose streams run by themselves.
    pub(super) fn calling(&self, calling: bool) {
        self.calling.store(calling, Relaxed);
    }

    /// Returns where the exchange notes its progress, if it is a stream of its own.
    pub(super) fn exchange_began(&self, arrived: Instant) -> Option<Arc<Progress>> {
        self.in_flight.fetch_add(1, Relaxed);
        self.calling.load(Relaxed).then(|| {
            let progress = Arc::new(Progress::start(arrived));
            *lock(&self.progress) = Some(Arc::clone(&progress));
            progress
        })
    }

    /// `unanswered_since` is the arrival of a request that was dropped before it had an answer.
    pub(super) fn exchange_ended(&self, unanswered_since: Option<Instant>) {
        if unanswered_since.is_some_and(|arrived| arrived.elapsed() < YOUNG) {
            self.young_resets.fetch_add(1, Relaxed);
        }
        self.active.store(self.now(), Relaxed);
        if self.in_flight.fetch_sub(1, AcqRel) == 1 {
            self.busy.store(false, Release);
        }
    }

    pub(super) fn write_waits(&self) {
        if self.stalled.load(Relaxed) == NEVER {
            self.stalled.store(self.now(), Relaxed);
        }
    }

    pub(super) fn write_went_on(&self) {
        // The plain load keeps the common case, in which nothing had stalled, free of a clock reading.
        if self.stalled.load(Relaxed) != NEVER {
            self.stalled.store(NEVER, Relaxed);
            self.active.store(self.now(), Relaxed);
        }
    }

    /// The connection is told to close. One that waits for a request of which nothing has arrived has nothing to read.
    pub(super) fn closing(&self) {
        if !self.busy.load(Relaxed) && self.head_due.load(Relaxed) == NEVER {
            self.unread.store(false, Relaxed);
        }
    }

    // --- what follows ---

    /// Whether a head has arrived and its exchange is not over.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Relaxed)
    }

    /// When the connection was accepted.
    pub(super) const fn accepted(&self) -> Instant {
        self.accepted
    }

    /// When the head that is arriving must be complete.
    pub(super) fn head_due(&self) -> Option<Instant> {
        self.instant(self.head_due.load(Relaxed))
    }

    /// When the connection is old enough to close.
    pub(super) fn retires(&self) -> Option<Instant> {
        self.instant(self.retires)
    }

    /// Requests so far.
    pub(super) fn heads(&self) -> u32 {
        self.heads.load(Relaxed)
    }

    /// Whether the request under way is the last one of an HTTP/1 connection.
    pub(super) fn is_last(&self) -> bool {
        self.heads() >= self.last
    }

    /// Since when the client has taken nothing.
    pub(super) fn stalled_since(&self) -> Option<Instant> {
        self.instant(self.stalled.load(Relaxed))
    }

    /// Since when there has been no request and nothing to write; `None` while there is.
    pub(super) fn quiet_since(&self) -> Option<Instant> {
        let active = self.busy.load(Acquire)
            || self.in_flight.load(Acquire) > 0
            || self.stalled.load(Relaxed) != NEVER;
        if active {
            return None;
        }
        self.instant(self.active.load(Relaxed))
    }

    /// Whether the client may still be sending what nobody will read, so that closing now could destroy our answer on
    /// its way.
    pub(super) fn is_client_sending(&self) -> bool {
        self.unread.load(Relaxed) && !self.ended.load(Relaxed)
    }

    /// Whether the client takes back most of what it asks, or asks for nothing all the time: either costs it nothing and
    /// us a lot.
    pub(super) fn is_flooded(&self) -> bool {
        if self.idle_flood.load(Relaxed) {
            return true;
        }
        let young = self.young_resets.load(Relaxed);
        young >= YOUNG_RESETS && young > self.heads.load(Relaxed) / 2
    }

    // --- what is handed over ---

    pub(super) fn take_progress(&self) -> Option<Arc<Progress>> {
        lock(&self.progress).take()
    }

    pub(super) fn return_stream(&self, stream: Stream) {
        *lock(&self.returned) = Some(stream);
    }

    pub(super) fn take_stream(&self) -> Option<Stream> {
        lock(&self.returned).take()
    }

    fn now(&self) -> u64 {
        micros(self.accepted.elapsed())
    }

    fn instant(&self, micros: u64) -> Option<Instant> {
        if micros == NEVER {
            return None;
        }
        self.accepted.checked_add(Duration::from_micros(micros))
    }
}

/// A value is put or taken whole, so a panic elsewhere cannot have spoilt it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An age, a tenth more or less, so that connections that were opened together do not all come again together.
pub(super) fn jittered(age: Duration, random: u64) -> Duration {
    let fifth = age / 5;
    let share = u32::try_from(random % 1024).unwrap_or_default();
    age - age / 10 + fifth / 1024 * share
}

/// Saturates far beyond any clock of ours.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(NEVER)
}

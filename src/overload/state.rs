//! What is under way, counted, and the level that follows.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{Settings, buffers::SpareBuffers, gauge::Gauge, level::Level, room::SMALL};
use crate::{
    accounts::{Book, UnderWay},
    listener::Pressure,
};

/// Memory refuses calls only while at least so many are under way.
const FEW: u64 = 16;

/// The part of the memory that is kept for what grows between two looks.
const SPARE: u64 = 10;

/// The part of the room for bodies that there is besides for those that belong to no account: whoever sends one has shown no key,
/// and takes nothing from those who have.
const UNOWNED_SHARE: u64 = 8;

/// The bit beside the level that says that connections are not kept.
const CLOSES: u8 = 4;

/// Everything that is counted. Cloning is shallow.
#[derive(Debug, Clone)]
pub struct Overload(Arc<State>);

#[derive(Debug)]
struct State {
    /// The level, and whether connections are kept: all that a request looks at.
    standing: AtomicU8,
    calls: Gauge,
    bodies: Gauge,
    /// Bytes of bodies that belong to no account.
    unowned: Gauge,
    connections: Gauge,
    /// Bytes and microseconds; what is not measured has the largest.
    most_memory: AtomicU64,
    most_late: AtomicU64,
    /// Levels that are sampled.
    memory: AtomicU8,
    lateness: AtomicU8,
    /// Accounts with calls under way.
    accounts: AtomicU64,
    /// Whoever changes a level works it out under this, so that the last one to do so has seen all changes.
    turn: Mutex<()>,
    pressure: Pressure,
    shed: [AtomicU64; 3],
    buffers: SpareBuffers,
}

/// Why a call is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shed {
    /// No call is.
    All,
    /// Its account has more than its share under way.
    Share,
    /// There is no room for its body.
    Body,
}

/// There is no room for so many bytes more, or not for this account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

/// An open connection; closed when dropped.
#[derive(Debug)]
#[must_use = "a connection that is dropped is counted as closed"]
pub struct OpenConnection(Overload);

/// What is to be told of all this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// The level.
    pub level: Level,
    /// Bytes of request bodies and of kept answers in memory.
    pub bodies: u64,
    /// Calls refused so far because none was taken.
    pub shed_all: u64,
    /// Calls refused so far because their account had more than its share.
    pub shed_share: u64,
    /// Calls refused so far because there was no room for their body.
    pub shed_body: u64,
}

// === impl Overload ===

impl Overload {
    /// Nothing is under way. `pressure` is set while connections are not kept.
    pub fn new(settings: &Settings, pressure: Pressure) -> Self {
        let overload = Self(Arc::new(State {
            standing: AtomicU8::new(0),
            calls: Gauge::new(settings.calls),
            bodies: Gauge::new(settings.bodies),
            unowned: Gauge::new(settings.bodies / UNOWNED_SHARE),
            connections: Gauge::new(settings.connections),
            most_memory: AtomicU64::new(u64::MAX),
            most_late: AtomicU64::new(u64::MAX),
            memory: AtomicU8::new(0),
            lateness: AtomicU8::new(0),
            accounts: AtomicU64::new(0),
            turn: Mutex::new(()),
            pressure,
            shed: Default::default(),
            buffers: SpareBuffers::default(),
        }));
        overload.change(settings);
        overload
    }

    /// One without limits, which never refuses anything.
    pub fn unlimited() -> Self {
        let settings = Settings {
            calls: u64::MAX,
            connections: u64::MAX,
            bodies: u64::MAX,
            memory: None,
            lateness: None,
        };
        Self::new(&settings, Pressure::default())
    }

    /// Measures against other limits from now on, but for calls and connections, whose limits are the store's and the
    /// listener's. What is held stays.
    pub fn change(&self, settings: &Settings) {
        let state = &*self.0;
        state.bodies.change(settings.bodies);
        state.unowned.change(settings.bodies / UNOWNED_SHARE);
        let memory = settings.memory.unwrap_or(u64::MAX);
        state.most_memory.store(memory, Relaxed);
        let late = settings.lateness.map(|most| most.as_micros());
        let late = late.and_then(|most| u64::try_from(most).ok());
        state.most_late.store(late.unwrap_or(u64::MAX), Relaxed);
        self.settle();
    }

    /// The level.
    #[must_use]
    pub fn level(&self) -> Level {
        Level::from_number(self.0.standing.load(Relaxed) & !CLOSES)
    }

    /// Whether answers are to say that their connection is not kept.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.0.standing.load(Relaxed) & CLOSES != 0
    }

    /// Whether any call is taken. To be asked before anything of the call is looked at.
    ///
    /// # Errors
    /// None is.
    pub fn opens(&self) -> Result<(), Shed> {
        if self.level() < Level::Full {
            return Ok(());
        }
        let state = &*self.0;
        if self.level_of_calls() < Level::Full && state.bodies.level() < Level::Full {
            return Ok(());
        }
        Err(self.shed(Shed::All))
    }

    /// Lets a call of this account in, which ends with [`Self::let_out`].
    ///
    /// # Errors
    /// The account has more than its share of what is scarce.
    pub fn let_in(&self, account: &Book) -> Result<(), Shed> {
        let state = &*self.0;
        let under_way = account.under_way();
        if self.level() >= Level::Scarce {
            let calls = self.level_of_calls() >= Level::Scarce
                && under_way.calls() > self.share(&state.calls);
            let bodies = state.bodies.level() >= Level::Scarce
                && under_way.bytes() > self.share(&state.bodies);
            if calls || bodies {
                return Err(self.shed(Shed::Share));
            }
        }
        if under_way.begin() {
            state.accounts.fetch_add(1, Relaxed);
        }
        if state.calls.add(1) {
            self.settle();
        }
        Ok(())
    }

    /// A call that was let in is over.
    pub fn let_out(&self, account: &Book) {
        let state = &*self.0;
        if account.under_way().end() {
            state.accounts.fetch_sub(1, Relaxed);
        }
        if state.calls.sub(1) {
            self.settle();
        }
    }

    /// Counts a connection.
    pub fn connected(&self) -> OpenConnection {
        if self.0.connections.add(1) {
            self.settle();
        }
        OpenConnection(self.clone())
    }

    /// What is to be told.
    pub fn figures(&self) -> Figures {
        let shed = |why: Shed| self.0.shed[why as usize].load(Relaxed);
        Figures {
            level: self.level(),
            bodies: self.0.bodies.used() + self.0.unowned.used(),
            shed_all: shed(Shed::All),
            shed_share: shed(Shed::Share),
            shed_body: shed(Shed::Body),
        }
    }

    /// Memory of bodies that are gone.
    pub(super) fn buffers(&self) -> &SpareBuffers {
        &self.0.buffers
    }

    /// Takes room for so many bytes more of an account's body, or of one that belongs to no account.
    pub(super) fn hold(&self, account: Option<&UnderWay>, bytes: u64) -> Result<(), Shed> {
        let held = self.try_hold(account, bytes);
        held.map_err(|NoRoom| self.shed(Shed::Body))
    }

    /// The same for what sheds no call where there is no room.
    pub(super) fn try_hold(&self, account: Option<&UnderWay>, bytes: u64) -> Result<(), NoRoom> {
        let Some(of) = account else {
            let unowned = &self.0.unowned;
            unowned.add(bytes);
            if unowned.used() <= unowned.limit() {
                return Ok(());
            }
            unowned.sub(bytes);
            return Err(NoRoom);
        };
        let bodies = &self.0.bodies;
        let changed = bodies.add(bytes);
        let own = of.hold(bytes);
        let memory = Level::from_number(self.0.memory.load(Relaxed));
        let scarce = bodies.level() >= Level::Scarce || memory >= Level::Busy;
        let above = scarce && own > self.share(bodies);
        // A small body costs less than to refuse it.
        let none = bodies.used() > bodies.limit() || memory >= Level::Scarce && own > SMALL as u64;
        if none || above {
            self.release(account, bytes);
            return Err(NoRoom);
        }
        if changed {
            self.settle();
        }
        Ok(())
    }

    /// Takes room whether there is any or not.
    pub(super) fn take(&self, account: Option<&UnderWay>, bytes: u64) {
        let Some(account) = account else {
            self.0.unowned.add(bytes);
            return;
        };
        account.hold(bytes);
        if self.0.bodies.add(bytes) {
            self.settle();
        }
    }

    /// Gives room back.
    pub(super) fn release(&self, account: Option<&UnderWay>, bytes: u64) {
        let Some(account) = account else {
            self.0.unowned.sub(bytes);
            return;
        };
        account.release(bytes);
        if self.0.bodies.sub(bytes) {
            self.settle();
        }
    }

    /// Notes what was sampled: bytes of memory, and how late timers are.
    pub(super) fn sampled(&self, memory: u64, late: Duration) {
        let state = &*self.0;
        let most = state.most_memory.load(Relaxed);
        // What is freed is not given back at once, and what is under way still grows.
        let memory = Level::of(memory, most - most / SPARE);
        if memory != Level::Calm {
            state.buffers.clear();
        }
        let late = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        let lateness = lateness(late, state.most_late.load(Relaxed));
        let mut changed = false;
        for (kept, level) in [(&state.memory, memory), (&state.lateness, lateness)] {
            changed |= kept.swap(level.number(), Relaxed) != level.number();
        }
        if changed {
            self.settle();
        }
    }

    /// What each account may have of something scarce: its part, if one more came.
    fn share(&self, of: &Gauge) -> u64 {
        of.used() / self.0.accounts.load(Relaxed).saturating_add(1)
    }

    /// The level of what fewer calls would lower.
    fn level_of_calls(&self) -> Level {
        let state = &*self.0;
        let kept = |level: &AtomicU8| Level::from_number(level.load(Relaxed));
        let memory = if state.calls.used() < FEW {
            Level::Calm
        } else {
            kept(&state.memory)
        };
        let late = kept(&state.lateness);
        state.calls.level().max(late).max(memory)
    }

    fn shed(&self, why: Shed) -> Shed {
        self.0.shed[why as usize].fetch_add(1, Relaxed);
        why
    }

    /// Works the level out.
    fn settle(&self) {
        let state = &*self.0;
        let _turn = state.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = |level: &AtomicU8| Level::from_number(level.load(Relaxed));
        let connections = state.connections.level().min(Level::Busy);
        let closing = [
            state.calls.level(),
            state.bodies.level(),
            kept(&state.memory),
        ];
        let closing = closing.into_iter().fold(connections, Level::max);
        let closes = closing >= Level::Busy;
        let bit = if closes { CLOSES } else { 0 };
        let level = closing.max(kept(&state.lateness)).number();
        state.standing.store(level | bit, Relaxed);
        state.pressure.set(closes);
    }
}

/// The level of a lateness: half of what may be is scarce, all of it is full.
fn lateness(late: u64, most: u64) -> Level {
    if late >= most {
        Level::Full
    } else if late >= most / 2 {
        Level::Scarce
    } else {
        Level::Calm
    }
}

// === impl OpenConnection ===

impl Drop for OpenConnection {
    fn drop(&mut self) {
        if self.0.0.connections.sub(1) {
            self.0.settle();
        }
    }
}

//! The state of all limits of one account, under one short mutex.
//!
//! Everything a call takes, it takes under one lock: from every level that applies, or from none. Nothing is
//! awaited, written or allocated for long while the lock is held.

mod enter;
mod hold;
mod list;
mod moved;
mod read;
mod weigh;

use std::{
    collections::HashMap,
    num::{NonZeroU32, NonZeroU64},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use enter::Seat;
pub use hold::{Counted, Taken};
pub use weigh::Weighed;

use list::{List, Named};

use super::{
    Binding, CounterName, CounterRow, Credit, CreditRow, Draw, Draws, Levels, Lot, Owner, Reason,
    binding::{binding, indebted},
    bucket::Bucket,
    counter::Counter,
    credit::CreditState,
    levels::RateName,
    rate::Rate,
    under_way::UnderWay,
};
use crate::domain::{Anchor, Clock, KeyId, NanoUsd, Timestamp};

/// The books of one account: how much of each limit is used and held, and what is left of its credit. It outlives every
/// change of configuration.
#[derive(Debug, Default)]
pub struct Book {
    state: Mutex<State>,
    under_way: UnderWay,
}

/// What the mutex guards.
#[derive(Debug, Default)]
struct State {
    counters: List<Counter>,
    rates: List<(RateName, Rate)>,
    buckets: List<(RateName, Bucket)>,
    seats: List<(RateName, u32)>,
    credit: CreditState,
    /// Keys that others pay for now, and where what they use is counted since.
    moved: HashMap<KeyId, Arc<Book>>,
    /// The newest directory whose limits were seen.
    generation: u64,
}

impl Book {
    /// A book that continues stored credit.
    pub(super) fn with_credit(row: &CreditRow) -> Self {
        Self {
            state: Mutex::new(State {
                credit: CreditState::restore(row),
                ..State::default()
            }),
            under_way: UnderWay::default(),
        }
    }

    /// A panic elsewhere leaves plain integers behind; refusing everybody for ever would be worse.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the account has under way.
    pub fn under_way(&self) -> &UnderWay {
        &self.under_way
    }

    /// Whether limits of the directory of this number are the newest that were seen. A call may have looked into a
    /// directory that was replaced meanwhile; limits of the past must not take the place of present ones.
    pub(super) fn is_current(&self, generation: u64) -> bool {
        let state = &mut *self.state();
        let current = generation >= state.generation;
        state.generation = state.generation.max(generation);
        current
    }

    /// The place of a counter, which is made on first sight.
    pub(super) fn counter(
        &self,
        name: CounterName,
        stored: &dyn Fn(&CounterName) -> Vec<CounterRow>,
        now: Timestamp,
        anchor: Anchor,
    ) -> usize {
        self.state().counters.place(&name, || {
            let rows = stored(&name);
            Counter::restore(name.clone(), &rows, now, anchor)
        })
    }

    /// Whether anything that the key uses is counted.
    pub(super) fn counts(&self, key: &KeyId) -> bool {
        let state = self.state();
        let mut counters = state.counters.iter();
        counters.any(|counter| matches!(&counter.name.owner, Owner::Key(id) if id == key))
    }

    /// The place of a rate. A changed limit starts fresh, where it is `current`.
    pub(super) fn rate(
        &self,
        name: &RateName,
        limit: NonZeroU32,
        clock: &Clock,
        current: bool,
    ) -> usize {
        let state = &mut *self.state();
        let new = || Rate::new(limit, clock.clone());
        let slot = state.rates.place(name, || (Arc::clone(name), new()));
        if current && state.rates[slot].1.per_minute != limit {
            state.rates[slot].1 = new();
        }
        slot
    }

    /// The place of a bucket. A changed limit starts fresh, where it is `current`.
    pub(super) fn bucket(
        &self,
        name: &RateName,
        limit: NonZeroU64,
        clock: &Clock,
        current: bool,
    ) -> usize {
        let state = &mut *self.state();
        let new = || Bucket::full(limit, clock.elapsed());
        let slot = state.buckets.place(name, || (Arc::clone(name), new()));
        if current && state.buckets[slot].1.capacity != limit {
            state.buckets[slot].1 = new();
        }
        slot
    }

    /// The place of a count of calls at once.
    pub(super) fn seats(&self, name: &RateName) -> usize {
        self.state().seats.place(name, || (Arc::clone(name), 0))
    }

    /// The first limit of which nothing is left, whatever the call is.
    pub fn spent(&self, levels: &Levels, now: Timestamp, anchor: Anchor) -> Option<Binding> {
        let state = &mut *self.state();
        let spent = levels
            .quotas
            .iter()
            .filter(|level| level.is_enforced())
            .find_map(|level| {
                let counter = &mut state.counters[level.slot];
                counter.roll(now, anchor);
                (counter.used >= level.quota.limit)
                    .then(|| binding(Reason::Spent, level, counter, 1))
            });
        spent.or_else(|| {
            let credit = levels.credit.then(|| state.credit(now))?;
            let empty = credit.balance <= NanoUsd::ZERO;
            empty.then(|| indebted(Reason::Spent, credit, NanoUsd::ZERO))
        })
    }

    /// The account's credit at `now`.
    pub fn credit(&self, now: Timestamp) -> Credit {
        self.state().credit(now)
    }

    /// Adds credit that is in the store.
    pub(super) fn add_lot(&self, lot: Lot) {
        self.state().credit.add(lot);
    }

    /// Puts what is left of some lots into another, as the store has done.
    pub(super) fn renew(&self, lots: &[i64], lot: Lot) {
        self.state().credit.renew(lots, lot);
    }

    /// Takes credit away, from some lots before all others, for an entry that is on its way to the store.
    pub(super) fn draw(&self, first: &[i64], amount: NanoUsd, now: Timestamp) -> Draws {
        let state = &mut *self.state();
        state.credit.roll(now);
        let mut draws = Draws::new();
        state.credit.draw_first(first, amount, &mut draws);
        // It holds nothing, but a lot that is empty now has to be found again when it is given back.
        state.credit.set_aside(NanoUsd::ZERO);
        draws
    }

    /// Takes what is left of some lots and no call holds.
    pub(super) fn empty(&self, lots: &[i64], now: Timestamp) -> Draws {
        let state = &mut *self.state();
        state.credit.roll(now);
        state.credit.set_aside(NanoUsd::ZERO);
        let mut draws = Draws::new();
        state.credit.empty(lots, &mut draws);
        draws
    }

    /// Gives back what [`Self::draw`] took, because the store has no entry of it.
    pub(super) fn give_back(&self, amount: NanoUsd, draws: &Draws) {
        let state = &mut *self.state();
        state.credit.give_back(amount, draws);
        state.credit.release(NanoUsd::ZERO);
    }

    /// Says that the entry of what [`Self::draw`] took is in the store: it will not be given back.
    pub(super) fn drawn(&self) {
        self.state().credit.release(NanoUsd::ZERO);
    }

    /// Credit that was lost by `now` and is not in the store yet, whoever asks sees to that; and whether more of the
    /// same lots may follow.
    pub(super) fn take_expired(&self, now: Timestamp) -> (Vec<Draw>, bool) {
        let state = &mut *self.state();
        state.credit.roll(now);
        let expired = state.credit.take_expired();
        (expired, state.credit.may_lose_more(now))
    }

    /// Says that the store could not take what [`Self::take_expired`] gave.
    pub(super) fn put_back_expired(&self, draws: Vec<Draw>) {
        self.state().credit.put_back_expired(draws);
    }
}

impl State {
    fn credit(&mut self, now: Timestamp) -> Credit {
        self.credit.roll(now);
        self.credit.read()
    }
}

impl Named for Counter {
    type Name = CounterName;

    fn name(&self) -> &CounterName {
        &self.name
    }
}

impl<T> Named for (RateName, T) {
    type Name = RateName;

    fn name(&self) -> &RateName {
        &self.0
    }
}

#[cfg(test)]
mod tests;

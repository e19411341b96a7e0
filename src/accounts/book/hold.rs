//! What a call holds of quotas, budgets and credit, and what it gives back.
//!
//! Two kinds of limit: a request and a price per request are exact, and taken as used at once; tokens and what they cost
//! are bounds, held until the call has ended.

use std::time::Duration;

use smallvec::SmallVec;

use super::{
    Book, State,
    moved::Onward,
    weigh::{Asked, Weighed},
};
use crate::{
    accounts::{
        Binding, CounterChange, Draws, Levels, Moved, Owner, Settled, Wanted, counter::Counter,
    },
    domain::{Anchor, Clock, NanoUsd, Per, Timestamp, Unit},
};

/// What a call has taken. Only a book makes it; giving it back consumes it.
#[derive(Debug)]
#[must_use = "what is dropped stays held for ever; only `Book::settle` gives it back"]
pub struct Taken {
    holds: SmallVec<[Hold; 4]>,
    buckets: SmallVec<[usize; 2]>,
    asked: Asked,
    answers: u64,
    bucket_tokens: u64,
    /// The lots that paid the exact part, where the call takes credit.
    credit: Option<Draws>,
    /// The output limit that the hold allows for, for each answer.
    pub output: u64,
    /// Whether a level made that less than it would have been.
    pub lowered: bool,
    /// A limit in shadow mode that would have refused the call.
    pub shadow: Option<Binding>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Hold {
    pub(super) slot: usize,
    pub(super) counted: Counted,
}

/// A counter that a call moves when it ends, in the window that it was admitted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Whether it is the key's; else it is the account's, over all its keys.
    pub of_key: bool,
    /// Of what.
    pub unit: Unit,
    /// Per which window.
    pub per: Per,
    /// The start of the window.
    pub window_start: Timestamp,
}

impl Book {
    /// Takes from every quota, budget and bucket that applies and from credit, or from none.
    ///
    /// # Errors
    /// The level that binds, as [`Self::weigh`] finds it.
    pub(crate) fn hold(
        &self,
        levels: &Levels,
        wanted: &Wanted,
        clock: &Clock,
        anchor: Anchor,
    ) -> Result<Taken, Binding> {
        let mut onward = Vec::new();
        let taken = {
            let state = &mut *self.state();
            let weighed = state.weigh(levels, wanted, clock, anchor)?;
            let taken = state.take(levels, wanted, &weighed);
            state.pass_on(&taken, &mut onward);
            taken
        };
        for onward in onward {
            onward.pass(clock.now());
        }
        Ok(taken)
    }

    /// Replaces what was taken by what was used, and says what moves in the store. A hold of a window that was left
    /// longer ago than the last one moves only the stored counter of that window.
    pub(crate) fn settle(&self, taken: Taken, settled: Settled, clock: &Clock) -> Moved {
        let elapsed = clock.elapsed();
        let mut onward = Vec::new();
        let moved = self.state().settle(taken, settled, elapsed, &mut onward);
        for onward in onward {
            onward.pass(clock.now());
        }
        moved
    }
}

impl State {
    fn settle(
        &mut self,
        taken: Taken,
        settled: Settled,
        elapsed: Duration,
        onward: &mut Vec<Onward>,
    ) -> Moved {
        let (used, cost) = match settled {
            Settled::Used { tokens, cost } => (tokens, cost),
            Settled::Void => (0, NanoUsd::ZERO),
        };
        for slot in &taken.buckets {
            self.buckets[*slot]
                .1
                .correct(taken.bucket_tokens, used, elapsed);
        }
        let counts = matches!(settled, Settled::Used { .. });
        let mut counters = Vec::with_capacity(taken.holds.len());
        // No key of most accounts has ever moved.
        let keys_moved = !self.moved.is_empty();
        for hold in &taken.holds {
            let (exact, bound) = taken.asked.of_unit(hold.counted.unit);
            let add = match hold.counted.unit {
                Unit::Requests => u64::from(counts),
                Unit::Tokens => used,
                Unit::Usd => cost.counted(),
            };
            if keys_moved {
                onward.extend(self.onward(hold, (exact, bound), (add, 0)));
            }
            let counter = &mut self.counters[hold.slot];
            counter.replace(hold.counted.window_start, (exact, bound), (add, 0));
            if add > 0 {
                counters.push(CounterChange {
                    name: counter.name.clone(),
                    window_start: hold.counted.window_start,
                    add,
                });
            }
        }
        let credit = taken.credit.and_then(|mut draws| {
            // The exact part is paid already; what it and the hold did not need goes back before anything is taken.
            let more = cost.saturating_sub(taken.asked.fixed);
            if more.is_negative() {
                self.credit.give_back(taken.asked.fixed, &draws);
                draws.clear();
                self.credit.draw(cost, &mut draws);
            } else {
                let credit = &self.credit;
                draws
                    .iter_mut()
                    .for_each(|draw| draw.entry = credit.present(draw.entry));
                self.credit.draw(more, &mut draws);
            }
            self.credit.release(taken.asked.held);
            counts.then_some(draws)
        });
        Moved { counters, credit }
    }

    /// Adds what a call has taken of counters that are another book's now.
    fn pass_on(&self, taken: &Taken, onward: &mut Vec<Onward>) {
        if self.moved.is_empty() {
            return;
        }
        for hold in &taken.holds {
            let asked = taken.asked.of_unit(hold.counted.unit);
            onward.extend(self.onward(hold, (0, 0), asked));
        }
    }

    /// Takes what was weighed under the same lock.
    fn take(&mut self, levels: &Levels, wanted: &Wanted, weighed: &Weighed) -> Taken {
        let Weighed {
            asked,
            bucket_tokens,
            charged,
            output,
            lowered,
            shadow,
        } = *weighed;
        let mut holds: SmallVec<[Hold; 4]> = SmallVec::new();
        for level in wanted.quotas_of(levels) {
            if holds.iter().any(|hold| hold.slot == level.slot) {
                continue;
            }
            let counter = &mut self.counters[level.slot];
            let (exact, bound) = asked.of_unit(level.quota.unit);
            counter.used = counter.used.saturating_add(exact);
            counter.held = counter.held.saturating_add(bound);
            holds.push(Hold {
                slot: level.slot,
                counted: Counted {
                    of_key: matches!(counter.name.owner, Owner::Key(_)),
                    unit: level.quota.unit,
                    per: level.quota.per,
                    window_start: counter.window.start,
                },
            });
        }
        let buckets: SmallVec<[usize; 2]> = levels.tokens.iter().map(|level| level.slot).collect();
        for slot in &buckets {
            self.buckets[*slot].1.take(bucket_tokens);
        }
        let credit = charged.then(|| {
            let mut draws = Draws::new();
            self.credit.set_aside(asked.held);
            self.credit.draw(asked.fixed, &mut draws);
            draws
        });
        Taken {
            holds,
            buckets,
            asked,
            answers: wanted.answers,
            bucket_tokens,
            credit,
            output,
            lowered,
            shadow,
        }
    }
}

impl Taken {
    /// How much of what the counter in this place has held in its present window is the call's.
    pub(super) fn held_of(&self, slot: usize, counter: &Counter) -> u64 {
        let mut holds = self.holds.iter();
        let holds = holds
            .any(|hold| hold.slot == slot && hold.counted.window_start == counter.window.start);
        let (_, bound) = self.asked.of_unit(counter.name.unit);
        if holds { bound } else { 0 }
    }

    /// Tokens held in every token quota.
    pub fn tokens(&self) -> u64 {
        self.asked.tokens
    }

    /// Every counter that the call moves.
    pub fn counters(&self) -> impl Iterator<Item = Counted> + '_ {
        self.holds.iter().map(|hold| hold.counted)
    }

    /// How many answers are held for.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// Output tokens that are held for, over all answers.
    pub fn output_of_all(&self) -> u64 {
        self.output.saturating_mul(self.answers)
    }

    /// Money taken and held in every budget and of credit.
    pub fn money(&self) -> NanoUsd {
        self.asked.money()
    }

    /// Whether the call is charged to prepaid credit.
    pub fn is_charged(&self) -> bool {
        self.credit.is_some()
    }
}

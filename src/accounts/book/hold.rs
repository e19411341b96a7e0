//! What a call holds of quotas, budgets and credit, and what it gives back.
//!
//! Two kinds of limit: a request and a price per request are exact, and taken as used at once; tokens and what they cost
//! are bounds, held until the call has ended.

use smallvec::SmallVec;

use super::{Book, Pages};
use crate::{
    accounts::{
        Binding, CounterChange, Draws, Levels, Moved, Output, Owner, QuotaLevel, Reason, Settled,
        Wanted,
        binding::{binding, indebted, timed},
    },
    domain::{Anchor, Clock, Mode, NanoUsd, Per, Timestamp, Unit},
    prices::Quote,
};

/// What a call has taken. Only a book makes it; giving it back consumes it.
#[derive(Debug)]
#[must_use = "what is dropped stays held for ever; only `Book::settle` gives it back"]
pub struct Taken {
    holds: SmallVec<[Hold; 4]>,
    buckets: SmallVec<[usize; 2]>,
    tokens: u64,
    answers: u64,
    bucket_tokens: u64,
    /// What was taken of money as used, and what is held beside it.
    fixed: NanoUsd,
    held: NanoUsd,
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
struct Hold {
    slot: usize,
    generation: u32,
    counted: Counted,
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

/// What one call asks of every level, once its output limit is known.
#[derive(Debug, Clone, Copy)]
struct Asked {
    tokens: u64,
    fixed: NanoUsd,
    held: NanoUsd,
}

impl Book {
    /// Takes from every quota, budget and bucket that applies and from credit, or from none.
    ///
    /// # Errors
    /// The level that binds. A spent one is named before one that is too small, that before one on hold, that before a
    /// bucket: what only a person can lift comes before what time lifts.
    pub(crate) fn hold(
        &self,
        levels: &Levels,
        wanted: &Wanted,
        clock: &Clock,
        anchor: Anchor,
    ) -> Result<Taken, Binding> {
        let (now, elapsed) = (clock.now(), clock.elapsed());
        let pages = &mut *self.pages();
        let quotas: &[QuotaLevel] = if wanted.quotas { &levels.quotas } else { &[] };
        let charged = levels.credit && wanted.quotas;
        for level in quotas {
            pages.counters[level.slot].roll(now, anchor);
        }
        if charged {
            pages.purse.roll(now);
        }
        let output = pages.output(quotas, charged, wanted);
        let asked = Asked::of(wanted, output);
        // A minute's bucket expects a usual answer, not the longest: it is corrected when the call ends.
        let bucket_tokens = wanted
            .bucket_input
            .saturating_add(output.min(1024).saturating_mul(wanted.answers));

        let mut shadow = None;
        let mut binds: Option<Binding> = None;
        let mut bind = |found: Binding| {
            if binds.is_none_or(|first| found.reason < first.reason) {
                binds = Some(found);
            }
        };
        for level in quotas {
            if let Some(found) = pages.binds(level, &asked) {
                match level.quota.mode {
                    Mode::Shadow => shadow = shadow.or(Some(found)),
                    Mode::Enforce => bind(found),
                }
            }
        }
        if charged && let Some(found) = pages.credit_binds(&asked) {
            let affordable = pages.room(quotas, charged, wanted).unwrap_or(0);
            bind(Binding {
                affordable: Some(affordable.min(wanted.output.most())),
                ..found
            });
        }
        if let Some(binding) = binds {
            return Err(binding);
        }
        for level in &levels.tokens {
            let bucket = &mut pages.buckets[level.slot].1;
            let wait = bucket.wait(bucket_tokens, elapsed);
            // What has no tokens, such as counting them, waits for none.
            if bucket_tokens > 0 && !wait.is_zero() {
                let used = level.limit.saturating_sub(bucket.remaining(elapsed));
                let facts = timed(Reason::Rate, level, used, wait);
                return Err(Binding {
                    unit: Unit::Tokens,
                    asked: bucket_tokens,
                    ..facts
                });
            }
        }

        let mut holds: SmallVec<[Hold; 4]> = SmallVec::new();
        for level in quotas {
            if holds.iter().any(|hold| hold.slot == level.slot) {
                continue;
            }
            let counter = &mut pages.counters[level.slot];
            let (exact, bound) = asked.of_unit(level.quota.unit);
            counter.used = counter.used.saturating_add(exact);
            counter.held = counter.held.saturating_add(bound);
            holds.push(Hold {
                slot: level.slot,
                generation: counter.generation,
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
            pages.buckets[*slot].1.take(bucket_tokens);
        }
        let credit = charged.then(|| {
            let mut draws = Draws::new();
            pages.purse.set_aside(asked.held);
            pages.purse.draw(asked.fixed, &mut draws);
            draws
        });
        Ok(Taken {
            holds,
            buckets,
            tokens: asked.tokens,
            answers: wanted.answers,
            bucket_tokens,
            fixed: asked.fixed,
            held: asked.held,
            credit,
            output,
            lowered: output < wanted.output.most(),
            shadow,
        })
    }

    /// Replaces what was taken by what was used, and says what moves in the store. A hold of a window that has passed
    /// since moves only the stored counter of that window.
    pub(crate) fn settle(&self, taken: Taken, settled: Settled, clock: &Clock) -> Moved {
        let elapsed = clock.elapsed();
        let pages = &mut *self.pages();
        let (used, cost) = match settled {
            Settled::Used { tokens, cost } => (tokens, cost),
            Settled::Void => (0, NanoUsd::ZERO),
        };
        for slot in &taken.buckets {
            pages.buckets[*slot]
                .1
                .correct(taken.bucket_tokens, used, elapsed);
        }
        let counts = matches!(settled, Settled::Used { .. });
        let was = Asked {
            tokens: taken.tokens,
            fixed: taken.fixed,
            held: taken.held,
        };
        let mut counters = Vec::with_capacity(taken.holds.len());
        for hold in &taken.holds {
            let counter = &mut pages.counters[hold.slot];
            let (exact, bound) = was.of_unit(hold.counted.unit);
            let add = match hold.counted.unit {
                Unit::Requests => u64::from(counts),
                Unit::Tokens => used,
                Unit::Usd => whole(cost),
            };
            if counter.generation == hold.generation {
                counter.held = counter.held.saturating_sub(bound);
                counter.used = counter.used.saturating_sub(exact).saturating_add(add);
            }
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
            let more = cost.saturating_sub(taken.fixed);
            if more.is_negative() {
                pages.purse.give_back(taken.fixed, &draws);
                draws.clear();
                pages.purse.draw(cost, &mut draws);
            } else {
                pages.purse.draw(more, &mut draws);
            }
            pages.purse.release(taken.held);
            counts.then_some(draws)
        });
        Moved { counters, credit }
    }
}

impl Pages {
    /// The output limit that the call gets.
    fn output(&self, quotas: &[QuotaLevel], charged: bool, wanted: &Wanted) -> u64 {
        let (most, floor, room) = match wanted.output {
            Output::Fixed(output) => return output,
            Output::UpTo { most, floor } => (most, floor, self.room(quotas, charged, wanted)),
            Output::Clamp(most) => (most, 1, self.room(&[], charged, wanted)),
        };
        most.min(room.unwrap_or(0).max(floor.min(most)))
    }

    /// The largest output limit, for each answer, that every level can hold now; `None` where the input alone is too much
    /// for one.
    fn room(&self, quotas: &[QuotaLevel], charged: bool, wanted: &Wanted) -> Option<u64> {
        let answers = wanted.answers.max(1);
        let mut least = u64::MAX;
        for level in quotas.iter().filter(|level| level.is_enforced()) {
            let counter = &self.counters[level.slot];
            let left = level
                .quota
                .limit
                .saturating_sub(counter.used)
                .saturating_sub(counter.held);
            let room = match level.quota.unit {
                Unit::Requests => continue,
                Unit::Tokens => left.checked_sub(wanted.input)? / answers,
                Unit::Usd => afford(&wanted.quote, left)?,
            };
            least = least.min(room);
        }
        if charged {
            let available = self.purse.credit().available();
            least = least.min(afford(&wanted.quote, whole(available))?);
        }
        Some(least)
    }

    /// Whether `level` binds a call, and why.
    fn binds(&self, level: &QuotaLevel, asked: &Asked) -> Option<Binding> {
        let counter = &self.counters[level.slot];
        let limit = level.quota.limit;
        let (exact, bound) = asked.of_unit(level.quota.unit);
        let asked = exact.saturating_add(bound);
        let settled = counter.used.saturating_add(asked);
        let reason = if counter.used >= limit {
            Reason::Spent
        } else if settled > limit {
            Reason::TooLarge
        } else if settled.saturating_add(counter.held) > limit {
            Reason::OnHold
        } else {
            return None;
        };
        Some(binding(reason, level, counter, asked))
    }

    /// Whether the credit binds a call, and why.
    fn credit_binds(&self, asked: &Asked) -> Option<Binding> {
        let credit = self.purse.credit();
        let asked = asked.fixed.saturating_add(asked.held);
        let reason = if credit.balance <= NanoUsd::ZERO {
            Reason::Spent
        } else if asked > credit.balance {
            Reason::TooLarge
        } else if asked > credit.available() {
            Reason::OnHold
        } else {
            return None;
        };
        Some(indebted(reason, credit, asked))
    }
}

impl Asked {
    fn of(wanted: &Wanted, output: u64) -> Self {
        Self {
            tokens: wanted
                .input
                .saturating_add(output.saturating_mul(wanted.answers)),
            fixed: wanted.quote.fixed(),
            held: wanted.quote.hold_for(output),
        }
    }

    /// What is taken of a unit as used, and what is held of it.
    fn of_unit(&self, unit: Unit) -> (u64, u64) {
        match unit {
            Unit::Requests => (1, 0),
            Unit::Tokens => (0, self.tokens),
            Unit::Usd => (whole(self.fixed), whole(self.held)),
        }
    }
}

impl Taken {
    /// Tokens held in every token quota.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Every counter that the call moves.
    pub fn counters(&self) -> impl Iterator<Item = Counted> + '_ {
        self.holds.iter().map(|hold| hold.counted)
    }

    /// Output tokens that are held for, over all answers.
    pub fn output_of_all(&self) -> u64 {
        self.output.saturating_mul(self.answers)
    }

    /// Money taken and held in every budget and of credit.
    pub fn money(&self) -> NanoUsd {
        self.fixed.saturating_add(self.held)
    }

    /// Whether the call is charged to prepaid credit.
    pub fn is_charged(&self) -> bool {
        self.credit.is_some()
    }
}

/// Billionths of a dollar as counters have them, which are never below zero.
fn whole(amount: NanoUsd) -> u64 {
    u64::try_from(amount.nanos()).unwrap_or(0)
}

fn afford(quote: &Quote, left: u64) -> Option<u64> {
    quote.affordable(NanoUsd::from_nanos(i64::try_from(left).unwrap_or(i64::MAX)))
}

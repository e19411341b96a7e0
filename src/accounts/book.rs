//! The state of all limits of one account, under one short mutex.
//!
//! Everything a call takes, it takes under one lock: from every level that applies, or from none. Nothing is
//! awaited, written or allocated for long while the lock is held.

use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use smallvec::SmallVec;

use super::{
    Binding, CounterChange, CounterName, CounterRow, Levels, Output, Owner, QuotaLevel, Reading,
    Reason, Settled, Wanted,
    binding::{binding, timed},
    bucket::Bucket,
    counter::Counter,
    levels::RateLevel,
    rate::Rate,
};
use crate::domain::{Anchor, Clock, Mode, Timestamp, Unit};

/// The limits' state of one account. It outlives every change of configuration.
#[derive(Debug, Default)]
pub struct Book(Mutex<Pages>);

/// Who a rate belongs to, and which of the owner's limits it is.
type RateName = Arc<(&'static str, Owner)>;

#[derive(Debug, Default)]
struct Pages {
    counters: Vec<Counter>,
    rates: Vec<(RateName, Rate)>,
    buckets: Vec<(RateName, Bucket)>,
    seats: Vec<(RateName, u32)>,
}

/// A seat among the calls at once; free again when dropped.
#[derive(Debug)]
pub struct Seat {
    book: Arc<Book>,
    slots: SmallVec<[usize; 4]>,
}

/// What passing the rates leaves behind.
#[derive(Debug)]
pub struct Entry {
    /// The call's seat.
    pub seat: Seat,
}

/// What a call has taken. Only a book makes it; giving it back consumes it.
#[derive(Debug)]
#[must_use = "what is dropped stays held for ever; only `Book::settle` gives it back"]
pub struct Taken {
    holds: SmallVec<[Hold; 4]>,
    buckets: SmallVec<[usize; 2]>,
    tokens: u64,
    bucket_tokens: u64,
    /// The output limit that the hold allows for, for each answer.
    pub output: u64,
    /// A limit in shadow mode that would have refused the call.
    pub shadow: Option<Binding>,
}

#[derive(Debug, Clone, Copy)]
struct Hold {
    slot: usize,
    generation: u32,
    window_start: Timestamp,
    unit: Unit,
}

// === impl Book ===

impl Book {
    /// A panic elsewhere leaves plain integers behind; refusing everybody for ever would be worse.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of a counter, which is made on first sight.
    pub(super) fn counter(
        &self,
        name: CounterName,
        stored: &dyn Fn(&CounterName) -> Option<CounterRow>,
        now: Timestamp,
        anchor: Anchor,
    ) -> usize {
        let pages = &mut *self.pages();
        pages
            .counters
            .iter()
            .position(|counter| counter.name == name)
            .unwrap_or_else(|| {
                let row = stored(&name);
                pages
                    .counters
                    .push(Counter::restore(name, row.as_ref(), now, anchor));
                pages.counters.len() - 1
            })
    }

    /// The place of a rate. A changed limit starts fresh.
    pub(super) fn rate(&self, name: &RateName, limit: NonZeroU32, clock: &Clock) -> usize {
        let pages = &mut *self.pages();
        let slot = place(&mut pages.rates, name, || Rate::new(limit, clock.clone()));
        if pages.rates[slot].1.per_minute != limit {
            pages.rates[slot].1 = Rate::new(limit, clock.clone());
        }
        slot
    }

    /// The place of a bucket. A changed limit starts fresh.
    pub(super) fn bucket(&self, name: &RateName, limit: NonZeroU64, clock: &Clock) -> usize {
        let pages = &mut *self.pages();
        let slot = place(&mut pages.buckets, name, || {
            Bucket::full(limit, clock.elapsed())
        });
        if pages.buckets[slot].1.capacity != limit {
            pages.buckets[slot].1 = Bucket::full(limit, clock.elapsed());
        }
        slot
    }

    /// The place of a count of calls at once.
    pub(super) fn seats(&self, name: &RateName) -> usize {
        place(&mut self.pages().seats, name, || 0)
    }

    /// The first limit of which nothing is left, whatever the call is.
    pub fn spent(&self, levels: &Levels, now: Timestamp, anchor: Anchor) -> Option<Binding> {
        let pages = &mut *self.pages();
        levels
            .quotas
            .iter()
            .filter(|level| level.quota.mode == Mode::Enforce)
            .find_map(|level| {
                let counter = &mut pages.counters[level.slot];
                counter.roll(now, anchor);
                (counter.used >= level.quota.limit)
                    .then(|| binding(Reason::Spent, level, counter, 1))
            })
    }

    /// Takes one call from every rate, and a seat where it is `seated`, or nothing.
    ///
    /// # Errors
    /// The rate, or the number of calls at once, that is used up.
    pub(crate) fn enter(self: &Arc<Self>, levels: &Levels, seated: bool) -> Result<Entry, Binding> {
        let concurrent: &[RateLevel] = if seated { &levels.concurrent } else { &[] };
        let pages = &mut *self.pages();
        for level in concurrent {
            let taken = u64::from(pages.seats[level.slot].1);
            if taken >= level.limit {
                return Err(timed(
                    Reason::Concurrency,
                    level,
                    taken,
                    Duration::from_secs(1),
                ));
            }
        }
        let mut passed: SmallVec<[_; 4]> = SmallVec::new();
        for level in &levels.requests {
            match pages.rates[level.slot].1.take() {
                Ok(before) => passed.push((level.slot, before)),
                Err(wait) => {
                    for (slot, before) in passed.into_iter().rev() {
                        pages.rates[slot].1.restore(before);
                    }
                    return Err(timed(Reason::Rate, level, level.limit, wait));
                }
            }
        }
        let slots: SmallVec<[usize; 4]> = concurrent.iter().map(|level| level.slot).collect();
        for slot in &slots {
            pages.seats[*slot].1 += 1;
        }
        Ok(Entry {
            seat: Seat {
                book: Arc::clone(self),
                slots,
            },
        })
    }

    /// Takes from every quota and bucket that applies, or from none.
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
        for level in quotas {
            pages.counters[level.slot].roll(now, anchor);
        }
        let output = pages.output(quotas, wanted);
        let tokens = wanted
            .input
            .saturating_add(output.saturating_mul(wanted.answers));
        // A minute's bucket expects a usual answer, not the longest: it is corrected when the call ends.
        let bucket_tokens = wanted
            .bucket_input
            .saturating_add(output.min(1024).saturating_mul(wanted.answers));

        let mut binds: Option<Binding> = None;
        let mut shadow = None;
        for level in quotas {
            if let Some(found) = pages.binds(level, tokens) {
                match level.quota.mode {
                    Mode::Shadow => shadow = shadow.or(Some(found)),
                    Mode::Enforce if binds.is_none_or(|first| found.reason < first.reason) => {
                        binds = Some(found)
                    }
                    Mode::Enforce => {}
                }
            }
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
            match level.quota.unit {
                Unit::Requests => counter.used = counter.used.saturating_add(1),
                Unit::Tokens => counter.held = counter.held.saturating_add(tokens),
            }
            let (generation, window_start) = (counter.generation, counter.window.start);
            holds.push(Hold {
                slot: level.slot,
                generation,
                window_start,
                unit: level.quota.unit,
            });
        }
        let buckets: SmallVec<[usize; 2]> = levels.tokens.iter().map(|level| level.slot).collect();
        for slot in &buckets {
            pages.buckets[*slot].1.take(bucket_tokens);
        }
        Ok(Taken {
            holds,
            buckets,
            tokens,
            bucket_tokens,
            output,
            shadow,
        })
    }

    /// Replaces what was taken by what was used, and says which stored counters move. A hold of a window that has
    /// passed since moves only the stored counter of that window.
    pub(crate) fn settle(
        &self,
        taken: Taken,
        settled: Settled,
        clock: &Clock,
    ) -> Vec<CounterChange> {
        let elapsed = clock.elapsed();
        let pages = &mut *self.pages();
        let used = match settled {
            Settled::Used(tokens) => tokens,
            Settled::Void => 0,
        };
        for slot in &taken.buckets {
            pages.buckets[*slot]
                .1
                .correct(taken.bucket_tokens, used, elapsed);
        }
        let mut changes = Vec::with_capacity(taken.holds.len());
        for hold in &taken.holds {
            let counter = &mut pages.counters[hold.slot];
            let present = counter.generation == hold.generation;
            let add = match (hold.unit, settled) {
                (Unit::Requests, Settled::Used(_)) => 1,
                (Unit::Requests, Settled::Void) => {
                    if present {
                        counter.used = counter.used.saturating_sub(1);
                    }
                    0
                }
                (Unit::Tokens, _) => {
                    if present {
                        counter.held = counter.held.saturating_sub(taken.tokens);
                        counter.used = counter.used.saturating_add(used);
                    }
                    used
                }
            };
            if add > 0 {
                changes.push(CounterChange {
                    name: counter.name.clone(),
                    window_start: hold.window_start,
                    add,
                });
            }
        }
        changes
    }

    /// Shows every limit of `levels` as it stands.
    pub fn read(
        &self,
        levels: &Levels,
        clock: &Clock,
        anchor: Anchor,
        mut show: impl FnMut(Reading),
    ) {
        let (now, elapsed) = (clock.now(), clock.elapsed());
        let pages = &mut *self.pages();
        let minute = Duration::from_secs(60);
        for level in &levels.requests {
            let rate = &pages.rates[level.slot].1;
            let used = level.limit.saturating_sub(rate.remaining().into());
            let figures = timed(Reason::Rate, level, used, rate.until_full());
            show(Reading {
                figures,
                mode: Mode::Enforce,
                window: minute,
            });
        }
        for level in &levels.tokens {
            let bucket = &mut pages.buckets[level.slot].1;
            let used = level.limit.saturating_sub(bucket.remaining(elapsed));
            let figures = timed(Reason::Rate, level, used, bucket.wait(level.limit, elapsed));
            let figures = Binding {
                unit: Unit::Tokens,
                ..figures
            };
            show(Reading {
                figures,
                mode: Mode::Enforce,
                window: minute,
            });
        }
        for level in &levels.concurrent {
            let taken = u64::from(pages.seats[level.slot].1);
            let figures = timed(Reason::Concurrency, level, taken, Duration::ZERO);
            show(Reading {
                figures,
                mode: Mode::Enforce,
                window: Duration::ZERO,
            });
        }
        for level in &levels.quotas {
            let counter = &mut pages.counters[level.slot];
            counter.roll(now, anchor);
            let window = counter.window.start.until(counter.window.end);
            let figures = binding(Reason::Spent, level, counter, 0);
            show(Reading {
                figures,
                mode: level.quota.mode,
                window,
            });
        }
    }
}

// === impl Pages ===

impl Pages {
    /// The output limit that every token quota can hold.
    fn output(&self, quotas: &[QuotaLevel], wanted: &Wanted) -> u64 {
        let (most, floor) = match wanted.output {
            Output::Fixed(output) => return output,
            Output::UpTo { most, floor } => (most, floor),
        };
        let bounds = quotas.iter().filter(|level| level.bounds_tokens());
        let least = bounds.map(|level| {
            let counter = &self.counters[level.slot];
            let left = level
                .quota
                .limit
                .saturating_sub(counter.used)
                .saturating_sub(counter.held);
            left.saturating_sub(wanted.input) / wanted.answers.max(1)
        });
        most.min(least.min().unwrap_or(most).max(floor.min(most)))
    }

    /// Whether `level` binds a call of `tokens`, and why.
    fn binds(&self, level: &QuotaLevel, tokens: u64) -> Option<Binding> {
        let counter = &self.counters[level.slot];
        let limit = level.quota.limit;
        let asked = match level.quota.unit {
            Unit::Requests => 1,
            Unit::Tokens => tokens,
        };
        let reason = if counter.used >= limit {
            Reason::Spent
        } else if counter.used.saturating_add(asked) > limit {
            Reason::TooLarge
        } else if counter
            .used
            .saturating_add(counter.held)
            .saturating_add(asked)
            > limit
        {
            Reason::OnHold
        } else {
            return None;
        };
        Some(binding(reason, level, counter, asked))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.slots.is_empty() {
            return;
        }
        let pages = &mut *self.book.pages();
        for slot in &self.slots {
            let seats = &mut pages.seats[*slot].1;
            *seats = seats.saturating_sub(1);
        }
    }
}

impl Taken {
    /// Tokens held in every token quota.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }
}

fn place<T>(pages: &mut Vec<(RateName, T)>, name: &RateName, make: impl FnOnce() -> T) -> usize {
    pages
        .iter()
        .position(|(other, _)| other == name)
        .unwrap_or_else(|| {
            pages.push((Arc::clone(name), make()));
            pages.len() - 1
        })
}

#[cfg(test)]
mod tests;

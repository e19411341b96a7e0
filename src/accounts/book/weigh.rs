//! Whether a call fits every quota, every budget, every bucket and the credit, and how much output it may have.

use super::{Book, State};
use crate::{
    accounts::{
        Binding, Levels, Output, QuotaLevel, Reason, Wanted,
        binding::{binding, indebted, timed},
    },
    domain::{Anchor, Clock, Mode, NanoUsd, Timestamp, Unit},
    prices::Quote,
};

/// What a call would take of every level, none of which refuses it. Nothing is taken yet.
#[derive(Debug, Clone, Copy)]
pub struct Weighed {
    pub(super) asked: Asked,
    pub(super) bucket_tokens: u64,
    /// Whether the call takes credit.
    pub(super) charged: bool,
    /// The output limit that a hold would allow for, for each answer.
    pub output: u64,
    /// Whether a level makes that less than it would be.
    pub lowered: bool,
    /// A limit in shadow mode that would have refused the call.
    pub shadow: Option<Binding>,
}

/// What one call asks of every level, once its output limit is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// Held in every token quota.
    pub(super) tokens: u64,
    /// Taken of money as used.
    pub(super) fixed: NanoUsd,
    /// Held of money beside it.
    pub(super) held: NanoUsd,
}

impl Book {
    /// Weighs a call against every quota, budget and bucket that applies and against credit, and takes nothing.
    ///
    /// # Errors
    /// The level that binds. A spent one is named before one that is too small, that before one on hold, that before a
    /// bucket: what only a person can lift comes before what time lifts.
    pub(crate) fn weigh(
        &self,
        levels: &Levels,
        wanted: &Wanted,
        clock: &Clock,
        anchor: Anchor,
    ) -> Result<Weighed, Binding> {
        self.state().weigh(levels, wanted, clock, anchor)
    }

    /// The output limit, for each answer, with which a call would fit every quota, every budget and the credit now; 0 where
    /// its input alone does not.
    pub(crate) fn affordable(
        &self,
        levels: &Levels,
        wanted: &Wanted,
        now: Timestamp,
        anchor: Anchor,
    ) -> u64 {
        let state = &mut *self.state();
        let quotas = wanted.quotas_of(levels);
        for level in quotas {
            state.counters[level.slot].roll(now, anchor);
        }
        state.credit.roll(now);
        let room = state.room(quotas, levels.credit && wanted.quotas, wanted);
        room.unwrap_or(0).min(wanted.output.most())
    }
}

impl State {
    pub(super) fn weigh(
        &mut self,
        levels: &Levels,
        wanted: &Wanted,
        clock: &Clock,
        anchor: Anchor,
    ) -> Result<Weighed, Binding> {
        let (now, elapsed) = (clock.now(), clock.elapsed());
        let quotas = wanted.quotas_of(levels);
        let charged = levels.credit && wanted.quotas;
        for level in quotas {
            self.counters[level.slot].roll(now, anchor);
        }
        if charged {
            self.credit.roll(now);
        }
        let output = self.output(quotas, charged, wanted);
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
            if let Some(found) = self.binds(level, &asked) {
                match level.quota.mode {
                    Mode::Shadow => shadow = shadow.or(Some(found)),
                    Mode::Enforce => bind(found),
                }
            }
        }
        if charged && let Some(found) = self.credit_binds(&asked) {
            let affordable = self.room(quotas, charged, wanted).unwrap_or(0);
            bind(Binding {
                affordable: Some(affordable.min(wanted.output.most())),
                ..found
            });
        }
        if let Some(binding) = binds {
            return Err(binding);
        }
        for level in &levels.tokens {
            let bucket = &mut self.buckets[level.slot].1;
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
        Ok(Weighed {
            asked,
            bucket_tokens,
            charged,
            output,
            lowered: output < wanted.output.most(),
            shadow,
        })
    }

    /// The output limit that the call gets.
    fn output(&self, quotas: &[QuotaLevel], charged: bool, wanted: &Wanted) -> u64 {
        let (most, floor, room) = match wanted.output {
            Output::Fixed(output) => return output,
            Output::UpTo { most, floor } => (most, floor, self.room(quotas, charged, wanted)),
            Output::Clamp { most, floor } => (most, floor, self.room(&[], charged, wanted)),
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
            let available = self.credit.read().available();
            least = least.min(wanted.quote.affordable(available)?);
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
        let credit = self.credit.read();
        let asked = asked.money();
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

    /// Money in all.
    pub(super) fn money(&self) -> NanoUsd {
        self.fixed.saturating_add(self.held)
    }

    /// What is taken of a unit as used, and what is held of it.
    pub(super) fn of_unit(&self, unit: Unit) -> (u64, u64) {
        match unit {
            Unit::Requests => (1, 0),
            Unit::Tokens => (0, self.tokens),
            Unit::Usd => (self.fixed.counted(), self.held.counted()),
        }
    }
}

impl Weighed {
    /// Tokens that a hold would take of every token quota.
    pub fn tokens(&self) -> u64 {
        self.asked.tokens
    }

    /// Money that a hold would take of every budget and of credit.
    pub fn money(&self) -> NanoUsd {
        self.asked.money()
    }
}

impl Wanted {
    /// The quotas and budgets that the call is weighed against.
    pub(super) fn quotas_of<'a>(&self, levels: &'a Levels) -> &'a [QuotaLevel] {
        if self.quotas { &levels.quotas } else { &[] }
    }
}

fn afford(quote: &Quote, left: u64) -> Option<u64> {
    quote.affordable(NanoUsd::from_nanos(i64::try_from(left).unwrap_or(i64::MAX)))
}

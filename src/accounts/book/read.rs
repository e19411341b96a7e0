//! Every limit as a reader sees it.

use std::time::Duration;

use super::Book;
use crate::{
    accounts::{
        Binding, Levels, Reading, Reason, Taken,
        binding::{binding, timed},
    },
    domain::{Anchor, Clock, Mode, Unit},
};

impl Book {
    /// Shows every limit of `levels` as it stands.
    pub fn read(&self, levels: &Levels, clock: &Clock, anchor: Anchor, show: impl FnMut(Reading)) {
        self.read_beside(None, levels, clock, anchor, show);
    }

    /// The same, without what `own` holds in the windows that are shown.
    pub(crate) fn read_beside(
        &self,
        own: Option<&Taken>,
        levels: &Levels,
        clock: &Clock,
        anchor: Anchor,
        mut show: impl FnMut(Reading),
    ) {
        let (now, elapsed) = (clock.now(), clock.elapsed());
        let state = &mut *self.state();
        let minute = Duration::from_secs(60);
        for level in &levels.requests {
            let rate = &state.rates[level.slot].1;
            let used = level.limit.saturating_sub(rate.remaining().into());
            let figures = timed(Reason::Rate, level, used, rate.until_full());
            show(Reading {
                figures,
                mode: Mode::Enforce,
                window: minute,
            });
        }
        for level in &levels.tokens {
            let bucket = &mut state.buckets[level.slot].1;
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
            let taken = u64::from(state.seats[level.slot].1);
            let figures = timed(Reason::Concurrency, level, taken, Duration::ZERO);
            show(Reading {
                figures,
                mode: Mode::Enforce,
                window: Duration::ZERO,
            });
        }
        for level in &levels.quotas {
            let counter = &mut state.counters[level.slot];
            counter.roll(now, anchor);
            let window = counter.window.start.until(counter.window.end);
            let mut figures = binding(Reason::Spent, level, counter, 0);
            let own = own.map_or(0, |own| own.held_of(level.slot, counter));
            figures.held = figures.held.saturating_sub(own);
            show(Reading {
                figures,
                mode: level.quota.mode,
                window,
            });
        }
    }
}

//! Limits that only time lifts: calls per minute and calls at once.

use std::{sync::Arc, time::Duration};

use smallvec::SmallVec;

use super::{Book, State};
use crate::accounts::{Binding, Levels, Reason, binding::timed, levels::RateLevel};

/// A seat among the calls at once; free again when dropped.
#[derive(Debug)]
pub struct Seat {
    book: Arc<Book>,
    slots: SmallVec<[usize; 4]>,
}

impl Book {
    /// Takes one call from every rate and a seat, or nothing.
    ///
    /// # Errors
    /// The rate, or the number of calls at once, that is used up.
    pub(crate) fn enter(self: &Arc<Self>, levels: &Levels) -> Result<Seat, Binding> {
        self.take(levels, &levels.concurrent)
    }

    /// Takes one call from every rate, or nothing.
    ///
    /// # Errors
    /// The rate that is used up.
    pub(crate) fn enter_unseated(self: &Arc<Self>, levels: &Levels) -> Result<Seat, Binding> {
        self.take(levels, &[])
    }

    fn take(self: &Arc<Self>, levels: &Levels, concurrent: &[RateLevel]) -> Result<Seat, Binding> {
        let state = &mut *self.state();
        state.seat(concurrent)?;
        let mut passed: SmallVec<[_; 4]> = SmallVec::new();
        for level in &levels.requests {
            match state.rates[level.slot].1.take() {
                Ok(before) => passed.push((level.slot, before)),
                Err(wait) => {
                    for (slot, before) in passed.into_iter().rev() {
                        state.rates[slot].1.restore(before);
                    }
                    return Err(timed(Reason::Rate, level, level.limit, wait));
                }
            }
        }
        let slots: SmallVec<[usize; 4]> = concurrent.iter().map(|level| level.slot).collect();
        for slot in &slots {
            state.seats[*slot].1 += 1;
        }
        Ok(Seat {
            book: Arc::clone(self),
            slots,
        })
    }

    /// Looks for a free seat, and leaves it free.
    ///
    /// # Errors
    /// The number of calls at once that is used up.
    pub(crate) fn seat(&self, levels: &Levels) -> Result<(), Binding> {
        self.state().seat(&levels.concurrent)
    }
}

impl State {
    fn seat(&self, concurrent: &[RateLevel]) -> Result<(), Binding> {
        let wait = Duration::from_secs(1);
        for level in concurrent {
            let taken = u64::from(self.seats[level.slot].1);
            if taken >= level.limit {
                return Err(timed(Reason::Concurrency, level, taken, wait));
            }
        }
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.slots.is_empty() {
            return;
        }
        let state = &mut *self.book.state();
        for slot in &self.slots {
            let seats = &mut state.seats[*slot].1;
            *seats = seats.saturating_sub(1);
        }
    }
}

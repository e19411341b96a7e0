//! [`Subscriber`] → [`Admitted`]: requests per minute, and a seat among the calls at once.

use super::{Caller, Subscriber, binding};
use crate::{accounts::Seat, call::Requirement, domain::Clock, refusal::Refusal};

/// A caller who may call now. A seat is free again when this, or what it became, is dropped.
#[derive(Debug)]
pub struct Admitted {
    subscriber: Subscriber,
    seat: Seat,
}

impl Admitted {
    /// Who is calling.
    pub fn caller(&self) -> &Caller {
        self.subscriber.caller()
    }

    /// Another standing of the same caller, who has passed the rates already.
    pub(super) fn standing(
        self,
        again: impl FnOnce(Caller) -> Result<Subscriber, Refusal>,
    ) -> Result<Self, Refusal> {
        let Self { subscriber, seat } = self;
        let subscriber = again(subscriber.into_caller())?;
        Ok(Self { subscriber, seat })
    }

    /// The evidence before, and the seat.
    pub(super) fn into_parts(self) -> (Subscriber, Seat) {
        (self.subscriber, self.seat)
    }
}

/// Takes one call from every rate and a seat, or nothing from any. What is free of quotas, such as counting tokens or
/// asking for the limits, takes no seat: it counts against the requests per minute alone.
///
/// # Errors
/// 429, naming the rate or the number of calls at once that is used up.
pub fn rate(
    subscriber: Subscriber,
    requirement: Requirement,
    clock: &Clock,
) -> Result<Admitted, Refusal> {
    let caller = subscriber.caller();
    let (book, levels) = (&caller.account().book, &caller.key().levels);
    let entered = match requirement {
        Requirement::Full => book.enter(levels),
        _ => book.enter_unseated(levels),
    };
    match entered {
        Ok(seat) => Ok(Admitted { subscriber, seat }),
        Err(bound) => Err(binding::refuse(&bound, caller.subject(), clock.now())),
    }
}

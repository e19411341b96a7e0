//! No check takes what a later one gives.

use faregate::{
    admission::{Caller, Subscriber, rate, standing},
    call::Requirement,
    domain::{Clock, SubscriptionPolicy},
    refusal::Refusal,
};

fn swapped(
    caller: Caller,
    policy: SubscriptionPolicy,
    clock: &Clock,
) -> Result<Subscriber, Refusal> {
    let admitted = rate(caller, Requirement::Full, clock)?;
    standing(admitted, Requirement::Full, policy, clock)
}

fn main() {}

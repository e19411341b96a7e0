//! No check takes what a later one gives.

use faregate::{
    admission::{Caller, Subscriber, rate, standing},
    call::Toll,
    domain::{Clock, SubscriptionPolicy},
    refusal::Refusal,
};

fn swapped(
    caller: Caller,
    policy: SubscriptionPolicy,
    clock: &Clock,
) -> Result<Subscriber, Refusal> {
    let admitted = rate(caller, Toll::Full, clock)?;
    standing(admitted, Toll::Full, policy, clock)
}

fn main() {}

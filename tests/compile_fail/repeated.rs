//! A passed check is good for one call: it can neither be copied nor used twice.

use faregate::{
    admission::{Admitted, Subscriber, rate},
    call::Requirement,
    domain::Clock,
    metering::{Charge, Reservation},
    store::Outcome,
};

fn admitted_twice(subscriber: Subscriber, clock: &Clock) {
    let _first = rate(subscriber, Requirement::Full, clock);
    let _second = rate(subscriber, Requirement::Full, clock);
}

fn settled_twice(reservation: Reservation) {
    reservation.settle(Outcome::Completed, 200, Charge::Void);
    reservation.settle(Outcome::Completed, 200, Charge::Void);
}

fn copied(admitted: &Admitted) {
    let _: Admitted = Clone::clone(admitted);
}

fn main() {}

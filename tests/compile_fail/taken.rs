//! Nothing is taken, and nothing is sent, but by the checks and the gateway.

use std::sync::Arc;

use faregate::{
    accounts::{Book, Key, Seat, Taken, Wanted},
    domain::Clock,
    metering::{Draft, MeteringContext, Reservation},
    store::{Ledger, Slot},
    upstream::{Encoding, Outgoing, Upstream},
};

fn hold(book: &Book, key: &Key, wanted: &Wanted, clock: &Clock) {
    let _ = book.hold(&key.levels, wanted, clock, key.account.anchor);
}

fn enter(book: &Arc<Book>, key: &Key) {
    let _ = book.enter(&key.levels, true);
}

fn place(ledger: &Ledger) {
    let _ = ledger.reserve();
}

fn open(metering: &Arc<MeteringContext>, taken: Taken, seat: Seat, slot: Slot, draft: Draft) {
    let _ = Reservation::open(metering, taken, seat, slot, draft);
}

fn send(upstream: &Upstream, head: http::request::Parts) {
    let _ = upstream.send(head, "/v1/models", Encoding::AsAsked, Outgoing::empty());
}

fn main() {}

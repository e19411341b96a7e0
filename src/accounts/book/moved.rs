//! Keys that move to another account.
//!
//! A key's counters go along, with what calls under way hold of them. Such a call is settled where it was admitted, and
//! what it moves of its key's counters is moved where the key is now as well.

use std::sync::Arc;

use super::{Book, State, hold::Hold};
use crate::{
    accounts::{CounterName, Owner, counter::Counter},
    domain::{KeyId, Timestamp},
};

/// What a call has moved of a counter that is another book's now: used and held, before and after.
#[derive(Debug)]
pub(super) struct Onward {
    book: Arc<Book>,
    name: CounterName,
    window_start: Timestamp,
    was: (u64, u64),
    is: (u64, u64),
}

impl Book {
    /// Takes over what a key has used, and what its calls hold, from the account of another book. One key must move at a
    /// time.
    pub(in crate::accounts) fn adopt(self: &Arc<Self>, key: &KeyId, other: &Self) {
        if std::ptr::eq(&**self, other) {
            return;
        }
        // Both at once, so that nothing is settled in between. Nobody else ever has two.
        let (theirs, ours) = (&mut *other.state(), &mut *self.state());
        let of_key =
            |counter: &&Counter| matches!(&counter.name.owner, Owner::Key(id) if id == key);
        for counter in theirs.counters.iter().filter(of_key) {
            let place = ours.counters.place(&counter.name, || counter.clone());
            ours.counters[place].catch_up(counter);
        }
        ours.moved.remove(key);
        theirs.moved.insert(key.clone(), Arc::clone(self));
    }
}

impl State {
    /// What a call has moved of a counter, where that is another book's now.
    pub(super) fn onward(&self, hold: &Hold, was: (u64, u64), is: (u64, u64)) -> Option<Onward> {
        let name = &self.counters[hold.slot].name;
        let Owner::Key(key) = &name.owner else {
            return None;
        };
        Some(Onward {
            book: Arc::clone(self.moved.get(key)?),
            name: name.clone(),
            window_start: hold.counted.window_start,
            was,
            is,
        })
    }
}

impl Onward {
    /// Moves it there, and where the key may have gone from there.
    pub(super) fn pass(self, now: Timestamp) {
        let Self {
            mut book,
            name,
            window_start,
            was,
            is,
        } = self;
        loop {
            let next = {
                let state = &mut *book.state();
                if let Some(place) = state.counters.find(&name) {
                    state.counters[place].replace_at(now, window_start, was, is);
                }
                match &name.owner {
                    Owner::Key(key) => state.moved.get(key).cloned(),
                    Owner::Account(_) => None,
                }
            };
            match next {
                Some(next) => book = next,
                None => return,
            }
        }
    }
}

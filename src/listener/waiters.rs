//! Tasks that wait for a flag, each in a place of its own. Must not know what they wait for.

use std::task::Waker;

/// Their wakers. A place stays its owner's when its waker is taken, until it is left.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    places: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Waiters {
    /// Puts a waker into the `place` that its owner has, or into a free one; which that is.
    pub(super) fn put(&mut self, place: Option<usize>, waker: Waker) -> usize {
        let place = place.or_else(|| self.free.pop());
        match place.and_then(|at| self.places.get_mut(at).map(|slot| (at, slot))) {
            Some((at, slot)) => {
                *slot = Some(waker);
                at
            }
            None => {
                self.places.push(Some(waker));
                self.places.len() - 1
            }
        }
    }

    /// Takes all wakers, to be woken when the lock is free.
    pub(super) fn take(&mut self) -> Vec<Waker> {
        self.places.iter_mut().filter_map(Option::take).collect()
    }

    /// Gives a place back.
    pub(super) fn leave(&mut self, at: usize) {
        if let Some(slot) = self.places.get_mut(at) {
            *slot = None;
            self.free.push(at);
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.places.iter().flatten().count()
    }
}

//! The way of a posting to the writer: a place is taken before the call, so that a later post cannot fail.

use std::sync::Arc;

use tokio::sync::mpsc::{self, OwnedPermit, error::TrySendError};

use super::{health::Monitor, record::Posting};

/// Where calls are posted. Cloning is shallow.
#[derive(Debug, Clone)]
pub struct Ledger {
    queue: mpsc::Sender<Posting>,
    monitor: Arc<Monitor>,
}

/// A place in the writer's queue. Dropping it gives the place back.
#[derive(Debug)]
#[must_use = "a slot that is dropped posts nothing"]
pub struct Slot(OwnedPermit<Posting>);

/// Why no place was to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerBusy {
    /// All places are taken by calls under way or by postings that wait to be written.
    #[error("the store's queue is full")]
    Full,
    /// The store cannot be written, or is closed.
    #[error("the store cannot be written")]
    Broken,
}

impl Ledger {
    /// A ledger with `places` places, and the writer's end of it.
    pub(super) fn new(places: usize, monitor: Arc<Monitor>) -> (Self, mpsc::Receiver<Posting>) {
        let (queue, postings) = mpsc::channel(places);
        (Self { queue, monitor }, postings)
    }

    /// Takes a place. Neither waits nor allocates.
    ///
    /// # Errors
    /// There is no place, or the store cannot be written. Nothing may be forwarded then.
    pub(crate) fn reserve(&self) -> Result<Slot, LedgerBusy> {
        if self.monitor.is_broken() {
            return Err(LedgerBusy::Broken);
        }
        match self.queue.clone().try_reserve_owned() {
            Ok(permit) => Ok(Slot(permit)),
            Err(TrySendError::Full(_)) => Err(LedgerBusy::Full),
            Err(TrySendError::Closed(_)) => Err(LedgerBusy::Broken),
        }
    }

    /// Places that are taken, by calls under way and by postings that wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

impl Slot {
    /// Hands a posting to the writer, which writes it within the next group, or as soon as the store can be written.
    pub fn post(self, posting: Posting) {
        self.0.send(posting);
    }
}

#[cfg(test)]
mod tests;

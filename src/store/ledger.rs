//! The way of a posting to the writer: places are taken before the call, so that a later post cannot fail.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{
        mpsc::{self, OwnedPermit, error::TrySendError},
        oneshot,
    },
    time::timeout,
};

use super::{
    health::{self, Fault, Monitor},
    inflight::{Checkpoint, HoldRecord, Inflight, Place, Unwritten},
    record::Posting,
    settings::Durability,
};

/// Where calls are posted. Cloning is shallow.
#[derive(Debug, Clone)]
pub struct Ledger {
    queue: mpsc::Sender<Queued>,
    inflight: Inflight,
    durability: Durability,
    monitor: Arc<Monitor>,
}

/// A call's place in the file of calls under way, and one in the writer's queue. Dropping it gives both back, unless
/// something was written to the file: that stays for the next start to record.
#[derive(Debug)]
#[must_use = "a slot that is dropped posts nothing"]
pub struct Slot {
    permit: OwnedPermit<Queued>,
    place: Place,
    monitor: Arc<Monitor>,
}

/// A posting on its way, with what is to be done when it is in the store.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) posting: Posting,
    place: Place,
    synced: Option<oneshot::Sender<()>>,
}

/// Why no place was to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerBusy {
    /// All places are taken by calls under way or by postings that wait to be written.
    #[error("the store's queue is full")]
    Full,
    /// The file of calls under way has no free slot.
    #[error("as many calls are under way as store.in_flight allows")]
    Overloaded,
    /// The store cannot be written, or is closed.
    #[error("the store cannot be written")]
    Broken,
}

impl Ledger {
    /// A ledger with `places` places in its queue, and the writer's end of it.
    pub(super) fn new(
        places: usize,
        inflight: Inflight,
        durability: Durability,
        monitor: Arc<Monitor>,
    ) -> (Self, mpsc::Receiver<Queued>) {
        let (queue, postings) = mpsc::channel(places);
        let ledger = Self {
            queue,
            inflight,
            durability,
            monitor,
        };
        (ledger, postings)
    }

    /// What is waited for.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// The slots for calls under way.
    pub fn inflight(&self) -> &Inflight {
        &self.inflight
    }

    /// Takes a place. Neither waits nor allocates.
    ///
    /// # Errors
    /// There is no place, or the store cannot be written. Nothing may be forwarded then.
    pub(crate) fn reserve(&self) -> Result<Slot, LedgerBusy> {
        if self.monitor.is_broken() {
            return Err(LedgerBusy::Broken);
        }
        let permit = match self.queue.clone().try_reserve_owned() {
            Ok(permit) => permit,
            Err(TrySendError::Full(_)) => return Err(LedgerBusy::Full),
            Err(TrySendError::Closed(_)) => return Err(LedgerBusy::Broken),
        };
        Ok(Slot {
            permit,
            place: self.inflight.take().ok_or(LedgerBusy::Overloaded)?,
            monitor: Arc::clone(&self.monitor),
        })
    }

    /// Places that are taken, by calls under way and by postings that wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

impl Slot {
    /// Writes what the call holds, right before it is sent. Where the store is strict, [`Self::held_on_disk`] is to be
    /// waited for as well.
    ///
    /// # Errors
    /// It could not be written, and the call must be refused: dropping the slot is all that is left to do.
    pub fn write_hold(&mut self, hold: &HoldRecord) -> Result<(), Unwritten> {
        self.place.write_hold(hold)
    }

    /// Waits until the hold is on the disk, where the store is strict; else it is ready at once.
    ///
    /// # Errors
    /// The disk did not confirm it, or not in time. The call must be refused, with [`Self::void`]. After a refusal of the
    /// disk the store has failed; one that is late may still come to it.
    pub fn held_on_disk(&self) -> impl Future<Output = Result<(), Unwritten>> + Send + use<> {
        let on_disk = self.place.on_disk();
        let monitor = Arc::clone(&self.monitor);
        async move {
            let Ok(done) = timeout(health::PATIENCE, on_disk).await else {
                return Err(Unwritten::Late);
            };
            if let Err(unwritten) = &done {
                monitor.failed(Fault {
                    words: unwritten.to_string(),
                    fatal: true,
                });
            }
            done
        }
    }

    /// Notes how far the answer is at `now`, on the clock that never goes back, with so many tokens of output so far. To
    /// be called for every piece of the answer: it is written, and `seen` is asked, every second or thousand tokens.
    pub fn checkpoint(&mut self, now: Duration, output: u64, seen: impl FnOnce() -> Checkpoint) {
        self.place.checkpoint(now, output, seen);
    }

    /// Ends a call that was held and not sent: it never happened.
    pub fn void(self) {
        self.place.void();
    }

    /// Writes the posting to the file of calls under way, then hands it to the writer, which writes it within the next
    /// group, or as soon as the store can be written. The end of the answer must not go out before.
    ///
    /// Where the file cannot be written, the store is broken until the writer succeeds.
    pub fn post(self, posting: Posting) {
        self.send(posting, None);
    }

    /// As [`Self::post`], to be waited for: the answer comes when the posting is on the disk, and an error when the store
    /// was closed without it. A disk that hangs says neither, so whoever waits does so for [`health::PATIENCE`] at most.
    pub fn post_synced(self, posting: Posting) -> oneshot::Receiver<()> {
        let (synced, done) = oneshot::channel();
        self.send(posting, Some(synced));
        done
    }

    fn send(self, posting: Posting, synced: Option<oneshot::Sender<()>>) {
        let Self {
            permit,
            mut place,
            monitor,
        } = self;
        if let Err(unwritten) = place.settle(&posting) {
            monitor.failed(Fault {
                words: unwritten.to_string(),
                fatal: false,
            });
        }
        permit.send(Queued {
            posting,
            place,
            synced,
        });
    }
}

impl Queued {
    /// A posting whose slot has no file.
    #[cfg(test)]
    pub(super) fn of(posting: Posting) -> Self {
        let place = Inflight::in_memory(1).take();
        Self {
            posting,
            place: place.expect("the only slot is free"),
            synced: None,
        }
    }

    /// The posting is in the store and synced: its slot is free, and whoever waits is told.
    pub(super) fn done(self) {
        self.place.recorded();
        if let Some(synced) = self.synced {
            // It may have left.
            let _ = synced.send(());
        }
    }
}

#[cfg(test)]
mod tests;

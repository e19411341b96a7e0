//! Slots, and the calls that have them.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::{
    domain::RequestId,
    store::{file_identity::FileIdentity, record::Posting},
};

use super::{
    checkpoint::{self, Checkpoint},
    failure::Unwritten,
    frame::{CHECKPOINTS, HEAD, HOLD, SETTLEMENT, SLOT, Stay},
    hold::{self, HoldRecord},
    settlement,
    sync::Syncer,
};

/// A checkpoint is written this long after the last one,
const CHECKPOINT_AFTER: Duration = Duration::from_secs(1);

/// or after so many more output tokens.
const CHECKPOINT_TOKENS: u64 = 1000;

const NOT_EMPTIED: &str = "the slot of a call that has ended could not be emptied";

/// The slots for calls under way, with a file behind them or, where the store is in memory, without. Cloning is shallow.
#[derive(Debug, Clone)]
pub struct Inflight(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    slots: u32,
    free: Mutex<Free>,
    generation: AtomicU32,
    medium: Option<Medium>,
    /// Whether it has been said that something could not be written and does not have to be.
    complained: AtomicBool,
}

/// Slots that nobody has.
#[derive(Debug)]
struct Free {
    /// The one that was given back last is on top: its page is the most likely to be at hand.
    slots: Vec<u32>,
    /// So many from the first on have been taken at least once.
    taken_once: u32,
}

#[derive(Debug)]
struct Medium {
    file: File,
    path: PathBuf,
    identity: Option<FileIdentity>,
    /// Where holds are waited for.
    syncer: Option<Syncer>,
}

/// One call's slot. A place without a hold is free again when it is dropped. One with a hold is free only after
/// [`Self::recorded`] or [`Self::void`]; dropped without them, the slot stays as it is for the next start to find.
#[derive(Debug)]
#[must_use = "a place that is dropped is free again"]
pub struct Place {
    shared: Arc<Shared>,
    slot: u32,
    generation: u32,
    id: Option<RequestId>,
    /// Whether there may be something of this call in the file.
    written: bool,
    checkpoints: u16,
    /// When the last checkpoint was, and at how many tokens.
    paced: Option<(Duration, u64)>,
}

// === impl Inflight ===

impl Inflight {
    /// So many slots without a file.
    pub(in crate::store) fn in_memory(slots: u32) -> Self {
        Self::new(slots, None)
    }

    /// The slots of an empty file. Where `strict`, a thread is started that syncs holds.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(in crate::store) fn in_file(
        file: File,
        path: PathBuf,
        slots: u32,
        strict: bool,
    ) -> io::Result<Self> {
        let syncer = if strict {
            Some(Syncer::start(file.try_clone()?)?)
        } else {
            None
        };
        let identity = FileIdentity::of(&path)?;
        let medium = Medium {
            file,
            path,
            identity: Some(identity),
            syncer,
        };
        Ok(Self::new(slots, Some(medium)))
    }

    fn new(slots: u32, medium: Option<Medium>) -> Self {
        Self(Arc::new(Shared {
            slots,
            free: Mutex::new(Free {
                slots: (0..slots).rev().collect(),
                taken_once: 0,
            }),
            generation: AtomicU32::new(1),
            medium,
            complained: AtomicBool::new(false),
        }))
    }

    /// Takes a slot; `None` where all are taken, and then nothing may be forwarded. Neither waits for I/O nor allocates.
    pub fn take(&self) -> Option<Place> {
        let slot = self.0.free().pop()?;
        Some(Place {
            shared: Arc::clone(&self.0),
            slot,
            generation: self.0.generation.fetch_add(1, Ordering::Relaxed),
            id: None,
            written: false,
            checkpoints: 0,
            paced: None,
        })
    }

    /// How many slots there are.
    pub fn slots(&self) -> u32 {
        self.0.slots
    }

    /// How many of them are taken, by calls under way and by postings that wait to be written.
    pub fn taken(&self) -> usize {
        (self.0.slots as usize).saturating_sub(self.0.free().slots.len())
    }

    /// Empties what recorded calls have left in slots that nobody has; to be called when no more calls come. A slot that
    /// cannot be emptied does no harm: the next start finds that its call is in the store.
    pub(in crate::store) fn wipe(&self) {
        let free = self.0.free();
        for slot in free.slots.iter().filter(|slot| **slot < free.taken_once) {
            if let Err(unwritten) = self.0.empty(*slot) {
                self.0.complain(&unwritten, NOT_EMPTIED);
            }
        }
    }

    /// Lets the next one have the file. Handles of it may be there still, in this process and in children of it.
    pub(in crate::store) fn release(&self) {
        if let Some(medium) = &self.0.medium
            && let Err(error) = medium.file.unlock()
        {
            tracing::warn!(%error, "the file of calls under way is released when this process ends");
        }
    }

    /// Where the file was, when it has been moved away or deleted meanwhile.
    pub(in crate::store) fn moved(&self) -> Option<crate::store::health::Fault> {
        self.0.medium.as_ref()?.identity.as_ref()?.fault()
    }

    #[cfg(test)]
    pub(super) fn set_generation(&self, generation: u32) {
        self.0.generation.store(generation, Ordering::Relaxed);
    }
}

// === impl Shared ===

impl Shared {
    /// A list of numbers is whole whatever panicked.
    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn empty(&self, slot: u32) -> Result<(), Unwritten> {
        self.write(slot, 0, &[0; SLOT])
    }

    fn write(&self, slot: u32, at: usize, bytes: &[u8]) -> Result<(), Unwritten> {
        let Some(medium) = &self.medium else {
            return Ok(());
        };
        let at = HEAD as u64 + u64::from(slot) * SLOT as u64 + at as u64;
        let written = medium.file.write_all_at(bytes, at);
        written.map_err(|error| Unwritten::Disk {
            file: medium.path.display().to_string(),
            words: error.to_string(),
        })
    }

    /// Says once what nobody has to do anything about; the next call under way finds out about the disk.
    fn complain(&self, unwritten: &Unwritten, what: &str) {
        if !self.complained.swap(true, Ordering::Relaxed) {
            tracing::error!(words = %unwritten, "{what}");
        }
    }
}

// === impl Free ===

impl Free {
    fn pop(&mut self) -> Option<u32> {
        let slot = self.slots.pop()?;
        self.taken_once = self.taken_once.max(slot + 1);
        Some(slot)
    }
}

// === impl Place ===

impl Place {
    /// Writes what the call holds; it must not be sent before. It may be written again for another try.
    ///
    /// # Errors
    /// It is not written, and the call must be refused.
    pub fn write_hold(&mut self, record: &HoldRecord) -> Result<(), Unwritten> {
        if self.shared.medium.is_none() {
            return Ok(());
        }
        let mut area = [0; HOLD.end];
        let bytes = hold::seal(&mut area, record, self.stay(record.id))?;
        self.written = true;
        self.id = Some(record.id);
        let written = self.shared.write(self.slot, HOLD.start, bytes);
        if written.is_err() {
            // A part of it may be there, and a call that was not sent must not be found.
            self.clear();
        }
        written
    }

    /// Waits until all that was written so far is on the disk, where the store is strict; else it does not wait.
    ///
    /// # Errors
    /// The disk does not confirm, now or ever again; the call must be refused, and the store has failed.
    pub fn on_disk(&self) -> impl Future<Output = Result<(), Unwritten>> + Send + use<> {
        let medium = self.shared.medium.as_ref();
        let syncer = medium.and_then(|medium| medium.syncer.as_ref());
        let asked = syncer.map(Syncer::ask);
        let shared = Arc::clone(&self.shared);
        async move {
            let Some(asked) = asked else { return Ok(()) };
            let words = match asked.await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(words)) => words,
                Err(_) => "the thread that syncs it has ended".to_owned(),
            };
            let path = shared.medium.as_ref().map(|medium| &medium.path);
            Err(Unwritten::Unconfirmed {
                file: path.map_or_else(String::new, |path| path.display().to_string()),
                words,
            })
        }
    }

    /// Notes how far the answer is at `now`, on the clock that never goes back, with so many tokens of output so far. That
    /// is written every second or every thousand tokens, and `seen` is asked only then. A disk that does not take it is
    /// none of the call's business. Returns whether it was written.
    pub fn checkpoint(
        &mut self,
        now: Duration,
        output: u64,
        seen: impl FnOnce() -> Checkpoint,
    ) -> bool {
        let (Some(id), true) = (self.id, self.written) else {
            return false;
        };
        let (at, tokens) = *self.paced.get_or_insert((now, 0));
        let early = now.saturating_sub(at) < CHECKPOINT_AFTER;
        if early && output.saturating_sub(tokens) < CHECKPOINT_TOKENS {
            return false;
        }
        self.paced = Some((now, output));
        self.checkpoints = self.checkpoints.wrapping_add(1);
        let bytes = checkpoint::seal(&seen(), self.checkpoints, self.stay(id));
        let [odd, even] = CHECKPOINTS;
        let area = if self.checkpoints.is_multiple_of(2) {
            even
        } else {
            odd
        };
        let written = self.shared.write(self.slot, area.start, &bytes);
        if let Err(unwritten) = &written {
            let what = "how far an answer is could not be noted; should the daemon be killed now, less of it is charged";
            self.shared.complain(unwritten, what);
        }
        written.is_ok()
    }

    /// Writes what the call came to. The last bytes of the answer must not go out before.
    ///
    /// # Errors
    /// It is not written. The call is under way no more, so the one thing to do is to post it and to take no further
    /// calls; the slot keeps the hold.
    pub fn settle(&mut self, posting: &Posting) -> Result<(), Unwritten> {
        if self.shared.medium.is_none() {
            return Ok(());
        }
        let mut area = [0; SETTLEMENT.end - SETTLEMENT.start];
        let stay = self.stay(posting.call.id);
        let Some(bytes) = settlement::seal(&mut area, posting, stay) else {
            return Err(Unwritten::Counters(posting.counters.len()));
        };
        self.written = true;
        self.id = Some(posting.call.id);
        self.shared.write(self.slot, SETTLEMENT.start, bytes)
    }

    /// Gives the slot back: the call is in the store and synced. What the slot has of it stays until the next call writes
    /// over it, for a start that finds it finds its row as well.
    pub fn recorded(mut self) {
        self.written = false;
    }

    /// Empties the slot and gives it back: the call was never sent.
    pub fn void(mut self) {
        if self.written {
            self.clear();
        }
    }

    fn stay(&self, id: RequestId) -> Stay {
        Stay {
            slot: self.slot,
            generation: self.generation,
            id,
        }
    }

    /// A slot that cannot be emptied is not used again: the next start finds its call, and that it is in the store.
    fn clear(&mut self) {
        match self.shared.empty(self.slot) {
            Ok(()) => self.written = false,
            Err(unwritten) => self.shared.complain(&unwritten, NOT_EMPTIED),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.written {
            tracing::debug!(
                slot = self.slot,
                "a call stays in its slot for the next start to record"
            );
            return;
        }
        // There was room for all slots from the beginning, so this does not allocate.
        self.shared.free().slots.push(self.slot);
    }
}

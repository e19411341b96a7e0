//! A moment without readers, so that SQLite's log can begin anew.
//!
//! It does so at a write that finds the whole log in the database and nobody who reads from it
//! (<https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files>). Where reads overlap without a pause that
//! moment never comes, and the log grows for as long as they go on. So the writer asks for a lull when the log has become
//! long. It never waits for one: it looks after each group whether the readers have gone, and new ones wait a little.
//! Owns who reads. Must not know what is read, nor how a log is brought into its database.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long a read waits for the lull at most. When it is over, so is the lull: the reads that were under way take longer
/// than others can be kept waiting.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who reads, and whether others stand back.
#[derive(Debug, Default)]
pub(super) struct Lull {
    state: Mutex<State>,
    over: Condvar,
}

#[derive(Debug, Default)]
struct State {
    reading: usize,
    wanted: bool,
}

/// A read that is under way.
#[derive(Debug)]
pub(super) struct Reading<'a>(&'a Lull);

impl Lull {
    /// Begins to read; blocks while a lull is wanted, for a second at most.
    pub(super) fn read(&self) -> Reading<'_> {
        let waited = self
            .over
            .wait_timeout_while(self.state(), PATIENCE, |state| state.wanted);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        state.reading += 1;
        if waited.timed_out() {
            state.wanted = false;
            self.over.notify_all();
        }
        Reading(self)
    }

    /// Asks new readers to wait.
    pub(super) fn want(&self) {
        self.state().wanted = true;
    }

    /// Whether it was asked for and is there. It lasts until [`Self::end`], or until a reader has lost its patience.
    pub(super) fn is_here(&self) -> bool {
        let state = self.state();
        state.wanted && state.reading == 0
    }

    /// Lets readers go on.
    pub(super) fn end(&self) {
        self.state().wanted = false;
        self.over.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.state().reading -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::Lull;

    #[test]
    fn it_is_here_when_the_last_reader_has_gone() {
        let lull = Lull::default();
        assert!(!lull.is_here(), "nobody asked");
        let (first, second) = (lull.read(), lull.read());
        lull.want();
        assert!(!lull.is_here());
        drop(first);
        assert!(!lull.is_here());
        drop(second);
        assert!(lull.is_here());
        lull.end();
        assert!(!lull.is_here());
    }

    #[test]
    fn who_waits_reads_when_it_is_over() {
        let lull = Lull::default();
        lull.want();
        thread::scope(|scope| {
            let late = scope.spawn(|| drop(lull.read()));
            lull.end();
            late.join().unwrap();
        });
        assert!(!lull.is_here());
    }

    #[test]
    fn a_reader_that_loses_patience_ends_it_for_all() {
        let lull = Lull::default();
        let long = lull.read();
        lull.want();
        drop(lull.read());
        drop(long);
        assert!(!lull.is_here());
    }
}

//! A moment without readers, so that SQLite's log can begin anew.
//!
//! It does so at a write that finds the whole log in the database and nobody who reads from it
//! (<https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files>). Where reads overlap without a pause that
//! moment never comes, and the log grows for as long as they go on. So the writer asks for a pause when the log has
//! become long. It never waits for one: it looks after each group whether the readers have gone, and new ones wait a little.
//! Owns who reads. Must not know what is read, nor how a log is brought into its database.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long a read waits for the pause at most. When it is over, so is the pause: the reads that were under way take longer
/// than others can be kept waiting.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who reads, and whether others stand back.
#[derive(Debug, Default)]
pub(super) struct ReadPause {
    state: Mutex<State>,
    over: Condvar,
}

#[derive(Debug, Default)]
struct State {
    reading: usize,
    requested: bool,
}

/// A read that is under way.
#[derive(Debug)]
pub(super) struct Reading<'a>(&'a ReadPause);

impl ReadPause {
    /// Begins to read; blocks while a pause is requested, for a second at most.
    pub(super) fn read(&self) -> Reading<'_> {
        let waited = self
            .over
            .wait_timeout_while(self.state(), PATIENCE, |state| state.requested);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        state.reading += 1;
        if waited.timed_out() {
            state.requested = false;
            self.over.notify_all();
        }
        Reading(self)
    }

    /// Asks new readers to wait.
    pub(super) fn request(&self) {
        self.state().requested = true;
    }

    /// Whether it was asked for and is there. It lasts until [`Self::end`], or until a reader has lost its patience.
    pub(super) fn has_begun(&self) -> bool {
        let state = self.state();
        state.requested && state.reading == 0
    }

    /// Lets readers go on.
    pub(super) fn end(&self) {
        self.state().requested = false;
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

    use super::ReadPause;

    #[test]
    fn it_begins_when_the_last_reader_has_gone() {
        let pause = ReadPause::default();
        assert!(!pause.has_begun(), "nobody asked");
        let (first, second) = (pause.read(), pause.read());
        pause.request();
        assert!(!pause.has_begun());
        drop(first);
        assert!(!pause.has_begun());
        drop(second);
        assert!(pause.has_begun());
        pause.end();
        assert!(!pause.has_begun());
    }

    #[test]
    fn who_waits_reads_when_it_is_over() {
        let pause = ReadPause::default();
        pause.request();
        thread::scope(|scope| {
            let late = scope.spawn(|| drop(pause.read()));
            pause.end();
            late.join().unwrap();
        });
        assert!(!pause.has_begun());
    }

    #[test]
    fn a_reader_that_loses_patience_ends_it_for_all() {
        let pause = ReadPause::default();
        let long = pause.read();
        pause.request();
        drop(pause.read());
        drop(long);
        assert!(!pause.has_begun());
    }
}

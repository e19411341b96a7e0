//! Makes what was written durable, for many at once: one thread, one `fdatasync` for all who wait.

use std::{
    fs::File,
    io,
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
};

use tokio::sync::oneshot;

/// Who waits, and how it went.
type Waiter = oneshot::Sender<Result<(), String>>;

/// The thread, and how it is asked. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Syncer {
    ask: Option<Sender<Waiter>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn start(file: File) -> io::Result<Self> {
        let (ask, asked) = channel();
        let thread = thread::Builder::new()
            .name("faregate-holds".to_owned())
            .spawn(move || run(&asked, || file.sync_data()))?;
        Ok(Self {
            ask: Some(ask),
            thread: Some(thread),
        })
    }

    /// Asks for all that was written until now. An answer that never comes says that the thread has gone.
    pub(super) fn ask(&self) -> oneshot::Receiver<Result<(), String>> {
        let (waiter, answer) = oneshot::channel();
        if let Some(ask) = &self.ask {
            // Nobody at the other end drops the waiter, which the one who asked notices.
            let _ = ask.send(waiter);
        }
        answer
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.ask = None;
        let thread = self.thread.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that syncs holds ended by a panic");
        }
    }
}

/// Syncs until nobody can ask any more. After a failure it never says yes again: the system may have dropped what it
/// could not write, and call the next sync a success.
fn run(asked: &Receiver<Waiter>, mut sync: impl FnMut() -> io::Result<()>) {
    let mut failed: Option<String> = None;
    while let Ok(first) = asked.recv() {
        // Whoever comes while the disk works goes with the next round.
        let waiting: Vec<Waiter> = std::iter::once(first).chain(asked.try_iter()).collect();
        let done = match &failed {
            Some(words) => Err(words.clone()),
            None => sync().map_err(|error| error.to_string()),
        };
        if let Err(words) = &done {
            failed = Some(words.clone());
        }
        for waiter in waiting {
            // It may have left.
            let _ = waiter.send(done.clone());
        }
    }
}

#[cfg(test)]
mod tests;

//! The threads that read the file of a store while its writer writes.
//!
//! They are few, so that what an administrator asks for does not take the machine from the gateway, and they are the
//! store's own: a read takes some megabytes, which its thread keeps for the next one. The runtime's threads for what
//! blocks are many and change, and each of them would keep as much.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The threads. They end when this is dropped, each after the read that it is at.
#[derive(Debug)]
pub(super) struct Readers(Sender<Job>);

impl Readers {
    /// Starts so many.
    pub(super) fn start(count: usize) -> io::Result<Self> {
        let (jobs, told) = channel();
        let told = Arc::new(Mutex::new(told));
        for number in 1..=count {
            let told = Arc::clone(&told);
            thread::Builder::new()
                .name(format!("faregate-read-{number}"))
                .spawn(move || work(&told))?;
        }
        Ok(Self(jobs))
    }

    /// Does some work on one of them; `None` when it panics. What nobody waits for any more is not begun.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, answer) = oneshot::channel();
        let job = move || {
            if !done.is_closed() {
                let _ = done.send(ask());
            }
        };
        self.0.send(Box::new(job)).ok()?;
        answer.await.ok()
    }
}

fn work(told: &Mutex<Receiver<Job>>) {
    loop {
        // One of them waits for a job, and the others for it.
        let job = told.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // Whoever asked learns of a panic by the answer that does not come; the next read needs the thread.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, sync::mpsc};

    use super::Readers;

    #[tokio::test]
    async fn they_survive_a_panic_and_begin_nothing_that_nobody_waits_for() {
        let readers = Readers::start(1).unwrap();
        assert_eq!(
            readers.run(|| panic!("a read that fails")).await,
            None::<()>
        );
        let (tell, told) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        let mut slow = pin!(readers.run(move || {
            begun.send(()).unwrap();
            told.recv()
        }));
        let left = readers.run(|| unreachable!("nobody waits for it"));
        tokio::select! {
            biased;
            _ = &mut slow => panic!("it was told nothing"),
            _ = left => panic!("it was begun"),
            () = std::future::ready(()) => {}
        }
        begins.recv().unwrap();
        tell.send(()).unwrap();
        assert_eq!(slow.await, Some(Ok(())));
        assert_eq!(readers.run(|| 7).await, Some(7));
    }
}

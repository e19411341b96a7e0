//! A few threads for work that would keep the event loop waiting.
//!
//! The runtime has threads for what blocks, too, but these are many and shared by all: what hangs there stops others, and
//! each of them keeps the memory that one piece of work has needed for the next.

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

/// The threads. They end when this is dropped, each after the work that it is at.
#[derive(Debug)]
pub struct Workers(Sender<Job>);

impl Workers {
    /// Starts so many, which are shown by this name and a number.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(name: &str, count: usize) -> io::Result<Self> {
        let (jobs, told) = channel();
        let told = Arc::new(Mutex::new(told));
        for number in 1..=count {
            let told = Arc::clone(&told);
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || work(&told))?;
        }
        Ok(Self(jobs))
    }

    /// Does some work on one of them, as soon as one is free; `None` when it panics. What nobody waits for any more is not
    /// begun.
    pub async fn run<T: Send + 'static>(
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
        // Whoever asked learns of a panic by the answer that does not come; the next work needs the thread.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, sync::mpsc};

    use super::Workers;

    #[tokio::test]
    async fn they_survive_a_panic_and_begin_nothing_that_nobody_waits_for() {
        let workers = Workers::start("work", 1).unwrap();
        assert_eq!(workers.run(|| panic!("work that fails")).await, None::<()>);
        let (tell, told) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        let mut slow = pin!(workers.run(move || {
            begun.send(()).unwrap();
            told.recv()
        }));
        let left = workers.run(|| unreachable!("nobody waits for it"));
        tokio::select! {
            biased;
            _ = &mut slow => panic!("it was told nothing"),
            _ = left => panic!("it was begun"),
            () = std::future::ready(()) => {}
        }
        begins.recv().unwrap();
        tell.send(()).unwrap();
        assert_eq!(slow.await, Some(Ok(())));
        assert_eq!(workers.run(|| 7).await, Some(7));
    }
}

//! The way of a line out of the process. A blocked pipe or a full disk costs lines, never a request.

use std::{
    fmt,
    io::{ErrorKind, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::format::Style;

/// Lines that wait for the writer, in bytes; what comes on top is dropped and counted.
const QUEUE_BYTES: usize = 1 << 20;

/// The first of some lines waits so long for others, so that the threads that serve requests wake the writer a hundred
/// times a second and not once for each line.
const GATHER: Duration = Duration::from_millis(10);

/// So many bytes wait no longer.
const BATCH_BYTES: usize = 64 << 10;

/// How long the last lines may take when the process ends.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Takes finished lines without waiting for anybody. Cloning shares it.
#[derive(Clone)]
pub(super) struct Sink(Arc<Shared>);

/// Writes what is queued when it is dropped.
#[derive(Debug)]
pub(super) struct Flush(Sink);

struct Shared {
    queue: Mutex<Queue>,
    /// Something is queued, or nothing more will come.
    changed: Condvar,
    /// The writer has nothing left.
    idle: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Queue {
    lines: Vec<u8>,
    writing: bool,
    closed: bool,
}

impl Sink {
    /// Starts the thread that writes to `out`. Its two buffers change places, so a line costs no allocation.
    pub(super) fn start(out: impl Write + Send + 'static, style: Style) -> (Self, Flush) {
        let sink = Self(Arc::new(Shared {
            queue: Mutex::default(),
            changed: Condvar::new(),
            idle: Condvar::new(),
            dropped: AtomicU64::new(0),
        }));
        let shared = sink.clone();
        let started = std::thread::Builder::new()
            .name("faregate-log".into())
            .spawn(move || shared.0.write_all(out, style));
        if started.is_err() {
            // Without a thread nothing can be written; requests matter more than lines.
            sink.0.locked().closed = true;
        }
        let flush = Flush(sink.clone());
        (sink, flush)
    }

    /// Queues one line, its line feed included.
    pub(super) fn push(&self, line: &[u8]) {
        let mut queue = self.0.locked();
        if queue.closed || queue.lines.len() + line.len() > QUEUE_BYTES {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let before = queue.lines.len();
        queue.lines.extend_from_slice(line);
        let filled = before < BATCH_BYTES && queue.lines.len() >= BATCH_BYTES;
        drop(queue);
        if before == 0 || filled {
            self.0.changed.notify_one();
        }
    }

    /// Lines that found no room.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// A thread that panicked while it held the lock has left whole lines behind.
    fn locked(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, mut out: impl Write, style: Style) {
        let mut batch = Vec::new();
        let mut told = 0;
        let mut torn = false;
        loop {
            let mut queue = self.locked();
            queue.writing = false;
            if queue.lines.is_empty() {
                self.idle.notify_all();
            }
            while queue.lines.is_empty() && !queue.closed {
                queue = self
                    .changed
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if queue.lines.is_empty() {
                return;
            }
            let grows = |queue: &mut Queue| !queue.closed && queue.lines.len() < BATCH_BYTES;
            (queue, _) = self
                .changed
                .wait_timeout_while(queue, GATHER, grows)
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut queue.lines, &mut batch);
            queue.writing = true;
            drop(queue);

            let dropped = self.dropped.load(Ordering::Relaxed);
            let gap = dropped.saturating_sub(told);
            if gap > 0 {
                style.dropped_lines(&mut batch, gap);
            }
            match put(&mut out, &batch, &mut torn) {
                0 => told = dropped,
                // Standard error that cannot be written to has nowhere to say so: what is lost is counted, and told when
                // there is room again. The line about the gap is not one of those that were asked for.
                lost => {
                    let lost = lost.saturating_sub(u64::from(gap > 0));
                    self.dropped.fetch_add(lost, Ordering::Relaxed);
                }
            }
            batch.clear();
        }
    }
}

/// Writes lines, and gives how many of them were not written to their end. Where the last one that was begun is `torn`, what
/// follows it begins a line of its own.
fn put(out: &mut impl Write, lines: &[u8], torn: &mut bool) -> u64 {
    let mut rest = lines;
    while !rest.is_empty() {
        match out.write(if *torn { b"\n" } else { rest }) {
            Ok(1..) if *torn => *torn = false,
            Ok(written @ 1..) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => break,
        }
    }
    let _ = out.flush();
    let written = lines.get(..lines.len() - rest.len());
    if let Some(last) = written.and_then(<[u8]>::last) {
        *torn = *last != b'\n';
    }
    rest.iter().filter(|byte| **byte == b'\n').count() as u64
}

impl Drop for Flush {
    fn drop(&mut self) {
        let mut queue = self.0.0.locked();
        queue.closed = true;
        self.0.0.changed.notify_all();
        let busy = |queue: &mut Queue| queue.writing || !queue.lines.is_empty();
        let _ = self.0.0.idle.wait_timeout_while(queue, LAST_LINES, busy);
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink")
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

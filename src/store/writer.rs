//! The one thread that writes. It puts postings together for a few milliseconds, because a commit costs the same
//! fsync for one call as for five hundred.

use std::{
    fs::{self, File},
    mem,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use rusqlite::Connection;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::domain::Clock;

use super::{
    columns::RowError,
    counters::Counters,
    file_identity::FileIdentity,
    health::{Fault, Monitor},
    inflight::Inflight,
    ledger::Queued,
    open, posting,
    read_pause::ReadPause,
    tidy::{self, Tidy},
};

/// How many postings one transaction has at most.
pub(super) const LARGEST_GROUP: usize = 512;

/// How long the first posting of a group waits for others.
pub(super) const GATHER: Duration = Duration::from_millis(10);

/// After so many written rows and groups the log is brought into the database; with one key that is four megabytes of
/// log, and twenty where thousands of keys take turns.
const CHECKPOINT_AFTER: usize = 4096;

/// A log of so many pages, 32 megabytes, is longer than the writer alone would make it: somebody reads from it each time
/// that it could begin anew.
const LONG_LOG: i64 = if cfg!(test) { 512 } else { 8192 };

/// How long after a failed write it is tried again: first so, then twice as long each time, never longer than
/// [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(50);

const LONGEST_RETRY: Duration = Duration::from_secs(1);

/// How often a closing store tries to write what it still has.
const LAST_TRIES: u32 = 5;

/// A change that somebody waits for. It gets the connection, or the words why there is no writing.
pub(super) type Change = Box<dyn FnOnce(Result<&mut Connection, String>) -> Option<Fault> + Send>;

/// Something that only looks.
pub(super) type Look = Box<dyn FnOnce(&Connection) + Send>;

/// What the writer is told beside postings. All postings that were queued before it are written first.
pub(super) enum Command {
    Change(Change),
    Look(Look),
    Close(oneshot::Sender<()>),
}

pub(super) struct Writer {
    pub(super) connection: Connection,
    /// Where those are that moved of late.
    pub(super) counters: Counters,
    /// Held for as long as this daemon may write.
    pub(super) lock: Option<File>,
    /// Which files it and its log are.
    pub(super) identities: Vec<FileIdentity>,
    /// The slots of calls under way, whose file must not go missing either.
    pub(super) inflight: Inflight,
    /// Who reads.
    pub(super) pause: Arc<ReadPause>,
    /// The file, as messages name it.
    pub(super) name: PathBuf,
    pub(super) postings: mpsc::Receiver<Queued>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) monitor: Arc<Monitor>,
    pub(super) clock: Clock,
    pub(super) tidy: Tidy,
    pub(super) progress: Progress,
}

/// Where the writer stands.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The group that is being put together, or could not be written yet.
    group: Vec<Queued>,
    /// Whether the last group was as large as it may be, so that more may wait already.
    behind: bool,
    /// How often the group could not be written.
    tries: u32,
    /// Postings that a failed store does not take any more.
    given_up: usize,
    /// Rows and groups since the log was last brought into the database.
    in_log: usize,
    /// How long the store's file was when it was last looked at.
    length: u64,
    /// The version of its schema, by which each `VACUUM` is known.
    schema: Option<i64>,
}

/// What there is to do.
pub(super) enum Next {
    Write,
    Tidy,
    Obey(Command),
    Close,
}

impl Progress {
    /// Lets go of the group: its calls stay in the file of calls under way, for the next start to record, and whoever
    /// waits for one learns that it will not be written.
    fn give_up(&mut self) {
        self.given_up += self.group.len();
        self.group.clear();
    }
}

impl Writer {
    /// Writes until the store is closed or nobody is left who could tell it anything.
    pub(super) async fn run(mut self) {
        let closed = loop {
            match self.next().await {
                Next::Write => {
                    self.write();
                }
                Next::Tidy => {}
                Next::Obey(Command::Close(closed)) => break Some(closed),
                Next::Obey(Command::Look(look)) => {
                    self.write_queued();
                    look(&self.connection);
                }
                Next::Obey(Command::Change(change)) => {
                    self.write_queued();
                    self.change(change);
                }
                Next::Close => break None,
            }
            self.tidy();
        };
        self.finish().await;
        let Self {
            connection,
            lock,
            inflight,
            ..
        } = self;
        drop(connection);
        inflight.release();
        if let Some(lock) = lock {
            open::release(lock);
        }
        // Whoever waits may have left.
        let _ = closed.map(|closed| closed.send(()));
    }

    async fn next(&mut self) -> Next {
        if self.monitor.is_fatal() {
            self.progress.give_up();
            return tokio::select! {
                biased;
                command = self.commands.recv() => told(command),
                posting = self.postings.recv() => match posting {
                    Some(posting) => {
                        self.progress.group.push(posting);
                        Next::Write
                    }
                    None => Next::Close,
                },
            };
        }
        if !self.progress.group.is_empty() {
            // It could not be written; postings wait in the queue meanwhile, where their places are.
            let told_meanwhile = timeout(self.retry(), self.commands.recv()).await;
            return told_meanwhile.map_or(Next::Write, told);
        }
        let idle = if self.tidy.is_due(&self.clock) {
            Duration::ZERO
        } else {
            tidy::EVERY
        };
        tokio::select! {
            biased;
            command = self.commands.recv() => told(command),
            posting = self.postings.recv() => match posting {
                Some(first) => {
                    self.progress.group.push(first);
                    gather(&mut self.postings, &mut self.commands, &mut self.progress).await
                }
                None => Next::Close,
            },
            () = tokio::time::sleep(idle) => Next::Tidy,
        }
    }

    /// Writes everything that was queued until now, or as much as can be written.
    fn write_queued(&mut self) {
        let waiting = self.progress.group.len() + self.postings.len();
        for _ in 0..waiting.div_ceil(LARGEST_GROUP) {
            fill(&mut self.postings, &mut self.progress);
            if !self.write() {
                return;
            }
        }
    }

    /// Writes the group. On failure it stays as it is.
    fn write(&mut self) -> bool {
        if self.monitor.is_fatal() {
            return false;
        }
        self.monitor.begins(self.monitor.now());
        let moved = self.moved();
        let postings = self.progress.group.iter().map(|queued| &queued.posting);
        let written = match moved {
            Some(moved) => Err(moved),
            None => posting::write(&mut self.connection, &mut self.counters, postings)
                .map_err(|error| Fault::of(&error, &self.name)),
        };
        self.monitor.ended();
        match written {
            Ok(()) => {
                self.progress.tries = 0;
                self.progress.in_log += 1 + self.progress.group.len();
                self.progress.group.drain(..).for_each(Queued::done);
                self.monitor.succeeded();
                self.checkpoint_if_long();
                true
            }
            Err(fault) => {
                self.progress.tries = self.progress.tries.saturating_add(1);
                self.monitor.failed(fault);
                false
            }
        }
    }

    /// What is wrong where one of the files is not in its place any more, or not all of the store.
    fn moved(&mut self) -> Option<Fault> {
        let moved = self.identities.iter().find_map(FileIdentity::fault);
        let moved = moved.or_else(|| self.inflight.moved());
        moved.or_else(|| self.cut_short())
    }

    /// What is wrong where the store has become shorter than what is in it. SQLite writes on into such a file. A person may
    /// have made it smaller with `VACUUM`; what was written since then is longer than the file while it is in the log alone.
    fn cut_short(&mut self) -> Option<Fault> {
        let length = fs::metadata(&self.name).ok()?.len();
        let before = mem::replace(&mut self.progress.length, length);
        if before > 0 && length >= before {
            return None;
        }
        let figure = |name| -> Option<i64> {
            let figure = self
                .connection
                .pragma_query_value(None, name, |row| row.get(0));
            figure.ok()
        };
        let schema = figure("schema_version");
        let made_smaller = schema > self.progress.schema;
        if before == 0 || made_smaller {
            self.progress.schema = schema;
            return None;
        }
        let whole = figure("page_count")
            .zip(figure("page_size"))
            .map_or(i64::MAX, |(pages, size)| pages.saturating_mul(size));
        let short = i64::try_from(length).is_ok_and(|length| length < whole);
        short.then(|| Fault {
            words: format!(
                "{} was cut short while it was in use; stop, and put back a backup",
                self.name.display()
            ),
            fatal: true,
        })
    }

    fn change(&mut self, change: Change) {
        self.monitor.begins(self.monitor.now());
        let moved = self.moved();
        let words = moved.as_ref().map(|fault| fault.words.clone());
        let words = words.or_else(|| self.monitor.health().words().map(str::to_owned));
        let fault = match words {
            // What is found once must not be forgotten.
            Some(words) => change(Err(words)).or(moved),
            None => change(Ok(&mut self.connection)),
        };
        self.monitor.ended();
        self.progress.in_log += 1;
        match fault {
            // Others have been told; the postings will find out by themselves whether they fare better.
            Some(fault) if !fault.fatal => {}
            Some(fault) => self.monitor.failed(fault),
            None => self.checkpoint_if_long(),
        }
    }

    fn tidy(&mut self) {
        if !self.tidy.is_due(&self.clock) || self.monitor.is_broken() {
            return;
        }
        match self.tidy.step(&mut self.connection, &self.clock) {
            Ok(rows) => {
                self.progress.in_log += rows;
                self.checkpoint_if_long();
            }
            Err(RowError::Sqlite(error)) => {
                self.log_or_fail(&error, "old records could not be deleted");
            }
            Err(damaged @ RowError::Damaged { .. }) => {
                tracing::warn!(words = %damaged, "old records could not be deleted");
            }
        }
    }

    /// SQLite's own checkpoints keep their errors to themselves, and a failed fsync must not pass unseen.
    fn checkpoint_if_long(&mut self) {
        let alone = self.pause.has_begun();
        if !alone && self.progress.in_log < CHECKPOINT_AFTER {
            return;
        }
        let pages = self.checkpoint("PRAGMA wal_checkpoint(PASSIVE)");
        if alone {
            self.pause.end();
        } else if pages.is_some_and(|pages| pages > LONG_LOG) {
            self.pause.request();
        }
    }

    /// Brings into the file what can be, and says how many pages the log has.
    fn checkpoint(&mut self, pragma: &str) -> Option<i64> {
        self.progress.in_log = 0;
        self.monitor.begins(self.monitor.now());
        let pages = self.connection.query_row(pragma, [], |row| row.get(1));
        self.monitor.ended();
        let failed = |error| {
            self.log_or_fail(&error, "the store's log could not be brought into its file");
        };
        pages.map_err(failed).ok()
    }

    fn log_or_fail(&self, error: &rusqlite::Error, what: &str) {
        let fault = Fault::of(error, &self.name);
        if fault.fatal {
            self.monitor.failed(fault);
        } else {
            tracing::warn!(words = %fault.words, "{what}");
        }
    }

    fn retry(&self) -> Duration {
        let doubled = FIRST_RETRY.saturating_mul(1 << self.progress.tries.saturating_sub(1).min(8));
        doubled.min(LONGEST_RETRY)
    }

    /// Takes no more, and writes what there is. A slot that is still held may yet be posted, so all of them are
    /// waited for.
    async fn finish(&mut self) {
        self.postings.close();
        self.commands.close();
        // Whoever sent one of these learns from its end that the store is closed.
        while self.commands.try_recv().is_ok() {}
        loop {
            if self.progress.group.is_empty() {
                match self.postings.recv().await {
                    Some(posting) => self.progress.group.push(posting),
                    None => break,
                }
            }
            fill(&mut self.postings, &mut self.progress);
            if self.write() {
                continue;
            }
            if self.monitor.is_fatal() || self.progress.tries >= LAST_TRIES {
                self.progress.given_up += self.postings.len();
                self.progress.give_up();
                break;
            }
            tokio::time::sleep(self.retry()).await;
        }
        self.inflight.wipe();
        let calls = self.progress.given_up;
        if calls > 0 {
            tracing::error!(
                calls,
                "the store is closed without the records of some calls, which are in the file of calls under way until \
                 the next start"
            );
            return;
        }
        if !self.monitor.is_fatal() {
            self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)");
        }
    }
}

fn told(command: Option<Command>) -> Next {
    command.map_or(Next::Close, Next::Obey)
}

/// Lets a group grow until it has waited long enough, is full, or a command ends it. Senders of postings wake nobody
/// meanwhile, which spares the threads that serve requests a system call for each.
pub(super) async fn gather(
    postings: &mut mpsc::Receiver<Queued>,
    commands: &mut mpsc::Receiver<Command>,
    progress: &mut Progress,
) -> Next {
    let full = progress.group.len() + postings.len() >= LARGEST_GROUP;
    let next = if full || progress.behind {
        Next::Write
    } else {
        let told_meanwhile = timeout(GATHER, commands.recv()).await;
        told_meanwhile.map_or(Next::Write, told)
    };
    fill(postings, progress);
    next
}

/// Takes what waits, up to a full group.
fn fill(postings: &mut mpsc::Receiver<Queued>, progress: &mut Progress) {
    while progress.group.len() < LARGEST_GROUP {
        match postings.try_recv() {
            Ok(posting) => progress.group.push(posting),
            Err(_) => break,
        }
    }
    progress.behind = progress.group.len() == LARGEST_GROUP;
}

#[cfg(test)]
mod tests;

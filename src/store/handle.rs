//! The handle that everybody else has of the store.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
#[cfg(test)]
use tokio::sync::watch;
use tokio::sync::{mpsc, oneshot};

use crate::{
    accounts::{AccountSpec, CreditRow, KeySpec, PaymentStanding, Spoken},
    domain::{AccountId, Clock, RequestId, Timestamp},
    listener::Workers,
};

use super::{
    call::{self, CallDetails},
    calls::{self, CallFilter, CallRow, Page},
    columns::RowError,
    counters::{self, Counters},
    credit,
    health::{self, Fault, Health, Monitor},
    inflight::Inflight,
    ledger::Ledger,
    open::{self, Opened},
    open_error::OpenError,
    payments,
    read_pause::ReadPause,
    reader::{self, ReadError, Reader},
    record::CounterRow,
    recovery, roster_rows,
    settings::{Location, Settings},
    tidy::{self, Tidy},
    usage::{self, UsageQuery, UsageRow},
    writer::{Command, Progress, Writer},
};

/// How many calls may be under way or wait to be written.
const PLACES: usize = 65_536;

/// How many commands may wait for the writer; beyond it their senders wait.
const COMMANDS: usize = 64;

/// How many reads run at a time, each on a thread of the store's own, which keeps the megabytes of one read for the next:
/// what an administrator asks for must not take the machine from the gateway.
const READS: usize = 2;

/// The store of this process. Cloning is shallow; when the last handle goes, the writer writes what it has and ends.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    ledger: Ledger,
    commands: mpsc::Sender<Command>,
    monitor: Arc<Monitor>,
    clock: Clock,
    name: PathBuf,
    reads: Reads,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Who answers a read.
enum Reads {
    /// A connection of its own, which waits for no writer.
    File {
        readers: Workers,
        pause: Arc<ReadPause>,
    },
    /// The writer: a database in memory has one connection.
    Writer,
}

/// What was found in a store when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// All accounts that were created, by id.
    pub accounts: Vec<Arc<AccountSpec>>,
    /// All keys that were created, by id.
    pub keys: Vec<Arc<KeySpec>>,
    /// The newest window of each counter that has begun.
    pub counters: Vec<CounterRow>,
    /// The credit of every account that ever had any.
    pub credit: Vec<CreditRow>,
    /// The standing of accounts as payment events tell it.
    pub standings: Vec<PaymentStanding>,
    /// When accounts, those of the configuration file included, were first seen.
    pub first_seen: HashMap<AccountId, Timestamp>,
    /// When the newest call or entry of credit was.
    pub newest: Option<Timestamp>,
}

/// Why a change was not written. Nothing of it is in the store then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The store cannot be written for now, with the words of its health.
    #[error("{0}")]
    Unavailable(String),
    /// Another key has one of the secrets.
    #[error("another key has the same secret; no two keys may share one")]
    SecretTaken,
    /// Another entry has the id.
    #[error("another entry has the same id and says something else")]
    IdConflict,
    /// The balance would not fit.
    #[error("the balance would be larger than can be kept")]
    TooLarge,
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

impl Store {
    /// Opens the store, or makes it, and starts its writer. Blocks while it reads the file.
    ///
    /// # Errors
    /// The store is another process's, is no store of ours or cannot be used.
    pub fn open(settings: &Settings, clock: Clock) -> Result<(Self, Loaded), OpenError> {
        Self::open_with(settings, clock, PLACES)
    }

    /// As [`Self::open`], with so many places in the queue.
    pub(super) fn open_with(
        settings: &Settings,
        clock: Clock,
        places: usize,
    ) -> Result<(Self, Loaded), OpenError> {
        let Settings {
            location,
            keep_calls,
            durability,
            in_flight,
        } = settings;
        let Opened {
            mut connection,
            lock,
            identities,
            name,
        } = open::open(location)?;
        let inflight = match location {
            Location::File(_) => {
                recovery::recover(&mut connection, &name, *in_flight, *durability)?
            }
            Location::Memory => Inflight::in_memory(*in_flight),
        };
        let loaded =
            load(&connection, clock.now()).map_err(|error| OpenError::of_row(&name, error))?;

        let monitor = Arc::new(Monitor::new());
        let (ledger, postings) =
            Ledger::new(places, inflight.clone(), *durability, Arc::clone(&monitor));
        let (commands, told) = mpsc::channel(COMMANDS);
        let pause = Arc::<ReadPause>::default();
        let writer = Writer {
            connection,
            counters: Counters::default(),
            lock,
            identities,
            inflight,
            pause: Arc::clone(&pause),
            name: name.clone(),
            postings,
            commands: told,
            monitor: Arc::clone(&monitor),
            clock: clock.clone(),
            tidy: Tidy::new(*keep_calls),
            progress: Progress::default(),
        };
        let writer = start(writer).map_err(|error| OpenError::Failed {
            words: format!("its writer cannot be started: {error}"),
        })?;
        let reads = match location {
            Location::File(_) => Reads::File {
                readers: Workers::start("faregate-read", READS).map_err(|error| {
                    OpenError::Failed {
                        words: format!("its readers cannot be started: {error}"),
                    }
                })?,
                pause,
            },
            Location::Memory => Reads::Writer,
        };
        let inner = Inner {
            ledger,
            commands,
            monitor,
            clock,
            name,
            reads,
            writer: Mutex::new(Some(writer)),
        };
        let inner = Arc::new(inner);
        Ok((Self { inner }, loaded))
    }

    /// Where calls are posted.
    pub fn ledger(&self) -> Ledger {
        self.inner.ledger.clone()
    }

    /// When these accounts were first seen: now, for those that never were. It is on the disk when this returns.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn remember_accounts(
        &self,
        ids: Vec<AccountId>,
    ) -> Result<HashMap<AccountId, Timestamp>, WriteError> {
        let now = self.inner.clock.now();
        self.change(move |transaction| roster_rows::remember_accounts(transaction, ids, now))
            .await
    }

    /// Inserts an account, or replaces the one of the same id, and ends what payment events say of what was spoken of. Of
    /// the rest it keeps what was declared before. All of it is on the disk when this returns. What is declared now is
    /// returned, and what events say since, where they say anything.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn put_account(
        &self,
        spec: AccountSpec,
        spoken: Spoken,
    ) -> Result<(AccountSpec, Option<PaymentStanding>), WriteError> {
        let now = self.now();
        self.change(move |transaction| {
            let spec = payments::declared(transaction, spec, spoken)?;
            roster_rows::put_account(transaction, &spec)?;
            let standing = payments::declare(transaction, &spec.id, spoken, now)?;
            Ok((spec, standing))
        })
        .await
    }

    /// Inserts a key, or replaces the one of the same id with all its secrets' digests. It is on the disk when this
    /// returns.
    ///
    /// # Errors
    /// The store cannot be written, or another key has one of the secrets.
    pub async fn put_key(&self, spec: KeySpec) -> Result<(), WriteError> {
        self.change(move |transaction| Ok(roster_rows::put_key(transaction, &spec)?))
            .await
    }

    /// A page of calls, newest first. Whoever has read an answer finds its call.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn calls(&self, filter: CallFilter) -> Result<Page<CallRow>, ReadError> {
        self.read_posted(move |connection| calls::page(connection, &filter))
            .await
    }

    /// One call, with all that is known of it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn call(&self, id: RequestId) -> Result<Option<CallDetails>, ReadError> {
        self.read_posted(move |connection| call::find(connection, id))
            .await
    }

    /// Sums over calls.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageRow>, ReadError> {
        self.read_posted(move |connection| usage::sums(connection, &query))
            .await
    }

    /// The instant that is written beside what is written now.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Whether the store can be written.
    pub fn health(&self) -> Health {
        self.inner.monitor.health()
    }

    /// The health, to be waited for.
    #[cfg(test)]
    pub(super) fn watch_health(&self) -> watch::Receiver<Health> {
        self.inner.monitor.watch()
    }

    /// Looks whether the write that is under way takes so long that the disk has to be taken for one that hangs; to be
    /// asked now and then.
    pub fn look_at_writer(&self) {
        let monitor = &self.inner.monitor;
        monitor.look(monitor.now(), &self.inner.name);
    }

    /// Takes nothing more, writes everything that was posted, and lets the file go. Waits until every [`Slot`] is
    /// posted or dropped.
    ///
    /// [`Slot`]: super::Slot
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.inner.commands.send(Command::Close(done)).await.is_ok() {
            // An error says that the writer has gone already, which is as good.
            let _ = closed.await;
        }
        let writer = self
            .inner
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // It has said its last; what is left is the return from its function.
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the store's writer ended by a panic");
        }
    }

    /// Does some work in a transaction of its own, which is on the disk when this returns.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, RowError> + Send + 'static,
    ) -> Result<T, WriteError> {
        let (done, answer) = oneshot::channel();
        let name = self.inner.name.clone();
        let change = move |connection: Result<&mut Connection, String>| {
            let (answer, fault) = match connection.map(|connection| transact(connection, work)) {
                Ok(Ok(done)) => (Ok(done), None),
                Ok(Err(error)) => refused(error, &name),
                Err(words) => (Err(WriteError::Unavailable(words)), None),
            };
            // Whoever asked may have left; the change stands all the same.
            let _ = done.send(answer);
            fault
        };
        let command = Command::Change(Box::new(change));
        let sent = self.inner.commands.send(command).await;
        sent.map_err(|_| WriteError::Closed)?;
        answer.await.map_err(|_| WriteError::Closed)?
    }

    /// As [`Self::read`], with all that was posted before. A disk that hangs or takes nothing is not waited for: what it
    /// has is shown.
    pub(super) async fn read_posted<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, RowError> + Send + 'static,
    ) -> Result<T, ReadError> {
        if self.health().is_writable() {
            let written = self.look(|_| ());
            let _late = tokio::time::timeout(health::PATIENCE, written).await;
        }
        self.read(ask).await
    }

    /// Reads through a connection that waits for no writer.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, RowError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let name = self.inner.name.clone();
        let Reads::File { readers, pause } = &self.inner.reads else {
            let answer = self.look(ask).await.ok_or(ReadError::Closed)?;
            return answer.map_err(|error| reader::failed(&name, &error));
        };
        let pause = Arc::clone(pause);
        let read = readers.run(move || {
            let _reading = pause.read();
            let reader = Reader::beside_writer(&name)
                .map_err(|error| ReadError::Failed(error.to_string()))?;
            reader.look(ask)
        });
        read.await.ok_or(ReadError::Closed)?
    }

    /// Lets the writer look at its connection, after all that was queued before; `None` when it has gone.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Connection) -> T + Send + 'static,
    ) -> Option<T> {
        let (done, answer) = oneshot::channel();
        let look = move |connection: &Connection| {
            let _ = done.send(ask(connection));
        };
        let command = Command::Look(Box::new(look));
        self.inner.commands.send(command).await.ok()?;
        answer.await.ok()
    }
}

fn load(connection: &Connection, now: Timestamp) -> Result<Loaded, RowError> {
    // All of it is read once, from one end to the other: pages that stay would be memory that nobody looks at again.
    open::keep_pages(connection, 256)?;
    let accounts = roster_rows::accounts(connection)?;
    let loaded = Loaded {
        keys: roster_rows::keys_of(connection, &accounts)?,
        accounts,
        counters: counters::current(connection, now)?,
        credit: credit::balances(connection)?,
        standings: payments::standings(connection)?,
        first_seen: roster_rows::first_seen(connection)?,
        newest: tidy::newest(connection)?,
    };
    open::keep_pages(connection, open::PAGES)?;
    Ok(loaded)
}

/// The writer has a thread of its own, because SQLite blocks, and a small runtime there, because it waits for more
/// than one thing.
fn start(writer: Writer) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    thread::Builder::new()
        .name("faregate-store".to_owned())
        .spawn(move || runtime.block_on(writer.run()))
}

fn transact<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, RowError>,
) -> Result<T, RowError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

/// What the one who asked is told of a change that failed, and what the writer is.
fn refused<T>(error: RowError, name: &Path) -> (Result<T, WriteError>, Option<Fault>) {
    let (error, fault) = match error {
        RowError::Sqlite(error)
            if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
                && error.to_string().contains("key_hashes") =>
        {
            (WriteError::SecretTaken, None)
        }
        RowError::Sqlite(error) => {
            let fault = Fault::of(&error, name);
            (WriteError::Unavailable(fault.words.clone()), Some(fault))
        }
        damaged @ RowError::Damaged { .. } => (WriteError::Unavailable(damaged.to_string()), None),
    };
    (Err(error), fault)
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("name", &self.inner.name)
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

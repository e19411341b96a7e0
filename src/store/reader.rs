//! Looking into the file of a store, whether or not a daemon writes to it.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::Connection;

use crate::{
    accounts::{AccountSpec, KeySpec},
    domain::{AccountId, RequestId, Timestamp},
};

use super::{
    call::{self, CallDetails},
    calls::{self, CallFilter, CallRow, Page},
    columns::RowError,
    open::{open_to_copy, open_to_look, open_to_read},
    open_error::OpenError,
    roster_rows,
    usage::{self, UsageQuery, UsageRow},
};

/// A connection that cannot write. It takes no lock and waits for no writer; its methods block.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    file: PathBuf,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// The store says no, with these words.
    #[error("the store could not be read: {0}")]
    Failed(String),
}

impl Reader {
    /// Opens the file of a store that this process does not write.
    ///
    /// # Errors
    /// There is no store of our version, or a log lies beside it that is another's.
    pub fn open(file: &Path) -> Result<Self, OpenError> {
        let (connection, file) = open_to_look(file)?;
        Ok(Self { connection, file })
    }

    /// As [`Self::open`], also a store of an earlier version: for [`Self::backup`], before it is brought along.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_to_copy(file: &Path) -> Result<Self, OpenError> {
        let (connection, file) = open_to_copy(file)?;
        Ok(Self { connection, file })
    }

    /// Opens the file of a store that this process writes.
    pub(super) fn beside_writer(file: &Path) -> Result<Self, OpenError> {
        let (connection, file) = open_to_read(file)?;
        Ok(Self { connection, file })
    }

    /// All accounts that were created, by id; those of the configuration file are not in the store.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn accounts(&self) -> Result<Vec<Arc<AccountSpec>>, ReadError> {
        self.look(roster_rows::accounts)
    }

    /// All keys that were created, by id.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn keys(&self) -> Result<Vec<Arc<KeySpec>>, ReadError> {
        self.look(roster_rows::keys)
    }

    /// When each account of the configuration file was first seen.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn first_seen(&self) -> Result<HashMap<AccountId, Timestamp>, ReadError> {
        self.look(roster_rows::first_seen)
    }

    /// A page of calls, newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn calls(&self, filter: &CallFilter) -> Result<Page<CallRow>, ReadError> {
        self.look(|connection| calls::page(connection, filter))
    }

    /// One call, with all that is known of it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn call(&self, id: RequestId) -> Result<Option<CallDetails>, ReadError> {
        self.look(|connection| call::find(connection, id))
    }

    /// Sums over calls.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageRow>, ReadError> {
        self.look(|connection| usage::sums(connection, query))
    }

    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Asks the connection.
    pub(super) fn look<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, RowError>,
    ) -> Result<T, ReadError> {
        ask(&self.connection).map_err(|error| failed(&self.file, &error))
    }
}

/// The words for a read that failed.
pub(super) fn failed(file: &Path, error: &RowError) -> ReadError {
    ReadError::Failed(format!("{}: {error}", file.display()))
}

//! The whole ledger, row by row: calls and entries in the order of time, as at one instant.

mod cells;
mod csv;
mod events;

use std::io;

use rusqlite::{Connection, Statement, params_from_iter};

pub(crate) use csv::csv_line;

use super::{
    calls::{self, CallRow, Conditions},
    chapters::CHAPTERS_AND_CALLS,
    columns::{Columns, RowError},
    credit::{EntryRow, entry},
    reader::{ReadError, Reader},
};
use crate::domain::{AccountId, Timestamp};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// A JSON object in each line.
    JsonLines,
    /// RFC 4180, with a heading.
    Csv,
    /// A CloudEvent of version 1.0 in each line, as OpenMeter takes it.
    CloudEvents,
}

impl ExportFormat {
    /// Every format, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::JsonLines, Self::Csv, Self::CloudEvents];

    /// The word in commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
            Self::CloudEvents => "cloudevents",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }
}

/// Which rows are exported. Everything that is said must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFilter {
    /// Of this account.
    pub account: Option<AccountId>,
    /// Of then or later.
    pub since: Option<Timestamp>,
    /// Of before.
    pub until: Option<Timestamp>,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store says no.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Whoever reads does not take it.
    #[error("the export cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// One row.
enum Item {
    Call(Box<CallRow>),
    Entry(EntryRow),
}

impl Reader {
    /// Writes calls and entries in the order of time, as they are when it begins; its memory does not grow with them. How
    /// many rows were written.
    ///
    /// # Errors
    /// The file cannot be read, or `out` takes no more.
    pub fn export(
        &self,
        format: ExportFormat,
        filter: &ExportFilter,
        out: &mut dyn io::Write,
    ) -> Result<u64, ExportError> {
        let mut written = Ok(0);
        self.look(|connection| {
            // A reader's transaction is a snapshot.
            let snapshot = connection.unchecked_transaction()?;
            written = export(&snapshot, format, filter, out)?;
            Ok(())
        })?;
        Ok(written?)
    }
}

fn export(
    connection: &Connection,
    format: ExportFormat,
    filter: &ExportFilter,
    out: &mut dyn io::Write,
) -> Result<io::Result<u64>, RowError> {
    let write: fn(&Item, &mut dyn io::Write) -> io::Result<()> = match format {
        ExportFormat::JsonLines => cells::json,
        ExportFormat::Csv => cells::csv,
        ExportFormat::CloudEvents => events::event,
    };
    if format == ExportFormat::Csv
        && let Err(error) = cells::heading(out)
    {
        return Ok(Err(error));
    }
    let mut conditions = Conditions::default();
    conditions.equal("account", filter.account.as_ref().map(AccountId::as_str));
    conditions.between(filter.since, filter.until);
    let mut entries = connection.prepare(&format!(
        "SELECT * FROM credit_entries {conditions} ORDER BY at, number"
    ))?;
    let mut entries = rows(&mut entries, &conditions)?;
    conditions.chapters_between(filter.since, filter.until);
    let mut calls = connection.prepare(&format!(
        "SELECT calls.* FROM {CHAPTERS_AND_CALLS} {conditions} ORDER BY since, at, id"
    ))?;
    let mut calls = rows(&mut calls, &conditions)?;

    let mut count = 0;
    let mut next_call = call(&mut calls)?;
    let mut next_entry = next(&mut entries)?;
    loop {
        // Credit that was added at the same instant comes before what was spent.
        let entry_first = match (&next_call, &next_entry) {
            (Some(call), Some(entry)) => entry.at <= call.at,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => break,
        };
        let item = if entry_first {
            std::mem::replace(&mut next_entry, next(&mut entries)?).map(Item::Entry)
        } else {
            std::mem::replace(&mut next_call, call(&mut calls)?).map(|call| Item::Call(call.into()))
        };
        if let Some(item) = item {
            if let Err(error) = write(&item, out) {
                return Ok(Err(error));
            }
            count += 1;
        }
    }
    Ok(out.flush().map(|()| count))
}

fn rows<'s>(
    select: &'s mut Statement<'_>,
    conditions: &Conditions,
) -> rusqlite::Result<rusqlite::Rows<'s>> {
    select.query(params_from_iter(&conditions.values))
}

fn call(rows: &mut rusqlite::Rows<'_>) -> Result<Option<CallRow>, RowError> {
    let row = rows.next()?;
    row.map(|row| calls::call(&Columns::new(row, "calls", "id")))
        .transpose()
}

fn next(rows: &mut rusqlite::Rows<'_>) -> Result<Option<EntryRow>, RowError> {
    let row = rows.next()?;
    row.map(|row| entry(&Columns::new(row, "credit_entries", "id")))
        .transpose()
}

//! What the last daemon left under way is recorded before anything else happens.

use std::{fs::TryLockError, path::Path};

use rusqlite::Connection;

use super::{
    columns::RowError,
    counters::Counters,
    inflight::{self, Found, Inflight, Recovered, beside},
    open::share_owner,
    open_error::OpenError,
    posting,
    record::Posting,
    settings::Durability,
    tidy,
    writer::LARGEST_GROUP,
};

/// Writes the calls that were under way when the store was last in use, and makes room for new ones. The file is emptied
/// only when they are in the store and synced, so that this may be broken off anywhere and done again: a call that is
/// there already moves nothing.
pub(super) fn recover(
    connection: &mut Connection,
    store: &Path,
    slots: u32,
    durability: Durability,
) -> Result<Inflight, OpenError> {
    let mut found = inflight::scan(beside(store, ".inflight"))?;
    found.lock().map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::Locked {
            file: store.to_owned(),
            lock: found.path().to_owned(),
        },
        TryLockError::Error(error) => OpenError::unusable(found.path(), error),
    })?;
    record(connection, store, &mut found)?;
    let (file, path) = found.renew(slots)?;
    share_owner(store, &file);
    let strict = durability == Durability::Strict;
    Inflight::in_file(file, path, slots, strict).map_err(|error| OpenError::Failed {
        words: format!("calls under way cannot be kept: {error}"),
    })
}

fn record(connection: &mut Connection, store: &Path, found: &mut Found) -> Result<(), OpenError> {
    let calls = unrecorded(connection, std::mem::take(&mut found.calls))
        .map_err(|error| OpenError::of_sqlite(store, &error))?;
    if calls.is_empty() {
        return Ok(());
    }
    let open = calls
        .iter()
        .filter(|call| matches!(call, Recovered::Open(..)));
    let indeterminate = open.count();
    let settled = calls.len() - indeterminate;
    let mut postings: Vec<Posting> = calls.into_iter().map(Recovered::into_posting).collect();
    forget_old(connection, &mut postings).map_err(|error| OpenError::of_row(store, error))?;
    let mut counters = Counters::default();
    for group in postings.chunks(LARGEST_GROUP) {
        posting::write(connection, &mut counters, group.iter())
            .map_err(|error| OpenError::of_sqlite(store, &error))?;
    }
    tracing::warn!(
        settled,
        indeterminate,
        "the daemon was not shut down properly; the calls that were under way have been recorded"
    );
    Ok(())
}

/// Leaves out what is in the store: a slot is not emptied when its call has been recorded.
fn unrecorded(connection: &Connection, found: Vec<Recovered>) -> rusqlite::Result<Vec<Recovered>> {
    let mut calls = Vec::new();
    for call in found {
        if !posting::exists(connection, call.id())? {
            calls.push(call);
        }
    }
    Ok(calls)
}

/// Leaves out what is older than the calls that are kept. No call is under way for so long: its slot is from when it was
/// recorded, and that its record has gone since is no reason to charge it again.
fn forget_old(connection: &Connection, postings: &mut Vec<Posting>) -> Result<(), RowError> {
    let Some(since) = tidy::kept_since(connection)? else {
        return Ok(());
    };
    let found = postings.len();
    postings.retain(|posting| posting.call.at >= since);
    let old = found - postings.len();
    if old > 0 {
        tracing::warn!(
            calls = old,
            kept_since = %since,
            "the file of calls under way has some that are older than all records; they were recorded long ago"
        );
    }
    Ok(())
}

//! What the last daemon left under way is recorded before anything else happens.

use std::path::Path;

use rusqlite::Connection;

use super::{
    counters::Counters,
    inflight::{self, Found, Inflight, Recovered, beside},
    open::{self, OpenError},
    posting,
    record::Posting,
    settings::Durability,
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
    record(connection, store, &mut found)?;
    let (file, path) = found.renew(slots)?;
    let strict = durability == Durability::Strict;
    Inflight::in_file(file, path, slots, strict).map_err(|error| OpenError::Failed {
        words: format!("calls under way cannot be kept: {error}"),
    })
}

fn record(connection: &mut Connection, store: &Path, found: &mut Found) -> Result<(), OpenError> {
    let calls = std::mem::take(&mut found.calls);
    if calls.is_empty() {
        return Ok(());
    }
    let open = calls
        .iter()
        .filter(|call| matches!(call, Recovered::Open(..)));
    let indeterminate = open.count();
    let settled = calls.len() - indeterminate;
    let postings: Vec<Posting> = calls.into_iter().map(Recovered::into_posting).collect();
    let mut counters = Counters::default();
    for group in postings.chunks(LARGEST_GROUP) {
        posting::write(connection, &mut counters, group)
            .map_err(|error| open::of_sqlite(store, &error))?;
    }
    tracing::warn!(
        settled,
        indeterminate,
        "the daemon did not end by itself; the calls that were under way have been recorded"
    );
    Ok(())
}

//! A group of postings in one transaction: call rows first, then the counters of those that are new.

use std::collections::HashMap;

use rusqlite::{Connection, TransactionBehavior, params};

use crate::domain::Timestamp;

use super::{
    columns::{instant, number, tokens},
    record::{CallRecord, CounterName, Owner, Posting},
};

/// Writes a group. It is in the file, synced, when this returns `Ok`; after an error none or all of it is, and the
/// same group may be written again: a call whose row is there already moves no counter.
///
/// Rows go through one prepared statement instead of one long list of values: the database is in this process, so
/// there is no way to and fro to save, and only the single row says whether it was new.
pub(super) fn write<'a>(
    connection: &mut Connection,
    group: impl IntoIterator<Item = &'a Posting>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Counters that many calls of the group move are written once.
    let mut sums: HashMap<(&CounterName, Timestamp), u64> = HashMap::new();
    {
        let mut insert = transaction.prepare_cached(INSERT_CALL)?;
        for Posting {
            call,
            counters,
            credit: _,
        } in group
        {
            if insert_call(&mut insert, call)? == 0 {
                continue;
            }
            for change in counters {
                let sum = sums.entry((&change.name, change.window_start)).or_default();
                *sum = sum.saturating_add(change.add);
            }
        }
        let mut add = transaction.prepare_cached(ADD_TO_COUNTER)?;
        for ((name, window_start), sum) in sums {
            let (owner_kind, owner) = owner_columns(&name.owner);
            add.execute(params![
                owner_kind,
                owner,
                name.unit.as_str(),
                name.per.as_str(),
                instant(window_start),
                number(sum),
            ])?;
        }
    }
    transaction.commit()
}

/// How the owner of a counter stands in its two columns.
pub(super) fn owner_columns(owner: &Owner) -> (&'static str, &str) {
    match owner {
        Owner::Account(id) => ("account", id.as_str()),
        Owner::Key(id) => ("key", id.as_str()),
    }
}

const INSERT_CALL: &str = "INSERT INTO calls (id, request_id, at, account, key, plan, route, provider,
        model, upstream_model, endpoint, stream, outcome, status, input_tokens, cached_input_tokens,
        cache_write_tokens, output_tokens, reasoning_tokens, estimated, overrun, held_tokens, end_user,
        idempotency_key, attempt, queue_ms, first_byte_ms, total_ms)
    VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
        ?22, ?23, ?24, ?25, ?26, ?27)
    ON CONFLICT DO NOTHING";

// A sum that overflowed would turn into a floating-point number; it stops at the column's end instead.
const ADD_TO_COUNTER: &str = "INSERT INTO counters (owner_kind, owner, unit, per, window_start, used)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET used = min(used, 9223372036854775807 - excluded.used) + excluded.used";

/// Inserts a call's row; 0 where one of the same id is there. The columns of money stay NULL.
fn insert_call(
    insert: &mut rusqlite::CachedStatement<'_>,
    call: &CallRecord,
) -> rusqlite::Result<usize> {
    let CallRecord {
        id,
        at,
        account,
        key,
        plan,
        route,
        provider,
        model,
        upstream_model,
        endpoint,
        stream,
        outcome,
        status,
        usage,
        estimated,
        overrun,
        held_tokens,
        held: _,
        cost: _,
        price_version: _,
        end_user,
        idempotency_key,
        attempt,
        queue_ms,
        first_byte_ms,
        total_ms,
    } = call;
    let id = id.encode();
    let id = std::str::from_utf8(&id).expect("hexadecimal digits and hyphens are ASCII");
    insert.execute(params![
        id,
        instant(*at),
        account.as_str(),
        key.as_str(),
        plan.as_str(),
        &**route,
        provider.as_str(),
        model.as_ref().map(|model| model.as_str()),
        upstream_model.as_ref().map(|model| model.as_str()),
        endpoint,
        stream,
        outcome.as_str(),
        status,
        tokens(usage.input),
        tokens(usage.cached_input),
        tokens(usage.cache_write),
        tokens(usage.output),
        tokens(usage.reasoning),
        estimated,
        overrun,
        tokens(*held_tokens),
        end_user,
        idempotency_key,
        attempt,
        number(*queue_ms),
        first_byte_ms.map(number),
        number(*total_ms),
    ])
}

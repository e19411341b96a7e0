//! A group of postings in one transaction: call rows first, then the counters, lots and balances that those move which
//! are new.

use std::collections::HashMap;

use rusqlite::{Connection, TransactionBehavior, params};

use crate::{
    accounts::Draw,
    domain::{AccountId, CURRENCY, NanoUsd, RequestId},
};

use super::{
    chapters::Chapters,
    columns::{instant, number, tokens},
    counters::Counters,
    credit, details,
    pace::Pace,
    record::{CallRecord, Posting},
};

/// Writes a group. It is in the file, synced, when this returns `Ok`; after an error none or all of it is, and the
/// same group may be written again: a call whose row is there already moves nothing.
///
/// Rows go through one prepared statement instead of one long list of values: the database is in this process, so
/// there is no way to and fro to save, and only the single row says whether it was new.
pub(super) fn write<'a>(
    connection: &mut Connection,
    counters: &mut Counters,
    group: impl ExactSizeIterator<Item = &'a Posting>,
) -> rusqlite::Result<()> {
    let written = write_group(connection, counters, group);
    if written.is_err() {
        // Rows that were taken back are nobody's.
        counters.forget();
    }
    written
}

fn write_group<'a>(
    connection: &mut Connection,
    counters: &mut Counters,
    group: impl ExactSizeIterator<Item = &'a Posting>,
) -> rusqlite::Result<()> {
    let pace = Pace::of(group.len());
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // What many calls of the group move is written once.
    let mut lots = credit::Sums::default();
    let mut charged: HashMap<&AccountId, i64> = HashMap::new();
    {
        let mut insert = transaction.prepare_cached(INSERT_CALL)?;
        let mut chapters = Chapters::new(&transaction);
        for posting in group {
            let Posting {
                call,
                counters: changes,
                credit,
            } = posting;
            let at = instant(call.at);
            let place = Place {
                at: &at,
                chapter: chapters.at(call.at, &at)?,
            };
            let due = cost(call).unwrap_or_default();
            let mut draws = credit.clone().unwrap_or_default();
            let open = credit::uncovered(due, &draws);
            if credit.is_some() && open > NanoUsd::ZERO && !exists(&transaction, call.id)? {
                // The charge was made without knowing the lots, by a daemon that is gone, or before it had them all.
                lots.add(&draws);
                std::mem::take(&mut lots).take(&transaction)?;
                let rest = credit::cover(&transaction, call.account.as_str(), open)?;
                lots.add(&rest);
                draws.extend(rest);
                insert_call(&mut insert, posting, place, &draws)?;
            } else if insert_call(&mut insert, posting, place, &draws)? == 0 {
                continue;
            } else {
                lots.add(&draws);
            }
            chapters.add(call.at, &at)?;
            if credit.is_some() {
                let sum = charged.entry(&call.account).or_default();
                *sum = sum.saturating_add(due.nanos());
            }
            counters.add(changes);
            pace.give_way();
        }
        chapters.finish()?;
        counters.write(&transaction, pace)?;
        lots.take(&transaction)?;
        let mut take = transaction.prepare_cached(TAKE_FROM_BALANCE)?;
        for (account, sum) in charged {
            take.execute((account.as_str(), sum))?;
            pace.give_way();
        }
    }
    transaction.commit()
}

/// What a call costs. Whatever a provider reports, using it is never paid for by us.
fn cost(call: &CallRecord) -> Option<NanoUsd> {
    call.cost.map(|cost| cost.max(NanoUsd::ZERO))
}

/// Where a call's row stands: its instant as text, and the chapter of that.
#[derive(Clone, Copy)]
struct Place<'a> {
    at: &'a str,
    chapter: i64,
}

/// Whether the store has a call of that id.
pub(super) fn exists(connection: &Connection, id: RequestId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM calls WHERE id = ?")?
        .exists([id.to_string()])
}

const INSERT_CALL: &str = "INSERT INTO calls (id, chapter, at, account, key, plan, plan_version, route, provider,
        model, upstream_model, endpoint, stream, outcome, status, input_tokens, cached_input_tokens,
        cache_write_tokens, output_tokens, reasoning_tokens, estimated, overrun, held_tokens, held_nano_usd,
        cost_nano_usd, price_version, currency, credit_charged, credit_draws, end_user, idempotency_key, attempt,
        queue_ms, first_byte_ms, total_ms, cache_write_1h_tokens, audio_input_tokens, audio_output_tokens, images,
        seconds, pages, details)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
        ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING";

const TAKE_FROM_BALANCE: &str = "INSERT INTO credit_balances (account, balance_nano_usd) VALUES (?1, -?2)
    ON CONFLICT DO UPDATE SET balance_nano_usd = max(balance_nano_usd, ?2 - 9223372036854775807) - ?2";

/// Inserts a call's row; 0 where one of the same id is there.
fn insert_call(
    insert: &mut rusqlite::CachedStatement<'_>,
    posting: &Posting,
    place: Place<'_>,
    draws: &[Draw],
) -> rusqlite::Result<usize> {
    let CallRecord {
        id,
        at: _,
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
        held,
        cost: _,
        price_version,
        agreed,
        end_user,
        idempotency_key,
        attempt,
        queue_ms,
        first_byte_ms,
        total_ms,
    } = &posting.call;
    let cost = cost(&posting.call);
    let version = agreed.and_then(|agreed| agreed.plan_version);
    let id = id.encode();
    let id = std::str::from_utf8(&id).expect("hexadecimal digits and hyphens are ASCII");
    insert.execute(params![
        id,
        place.chapter,
        place.at,
        account.as_str(),
        key.as_str(),
        plan.as_str(),
        version.map(|version| version.to_string()),
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
        held.map(NanoUsd::nanos),
        cost.map(NanoUsd::nanos),
        price_version.as_deref(),
        cost.map(|_| CURRENCY),
        posting.credit.is_some(),
        credit::text(draws),
        end_user,
        idempotency_key,
        attempt,
        number(*queue_ms),
        first_byte_ms.map(number),
        number(*total_ms),
        tokens(usage.cache_write_1h),
        tokens(usage.audio_input),
        tokens(usage.audio_output),
        tokens(usage.images),
        tokens(usage.seconds),
        tokens(usage.pages),
        details::text(posting),
    ])
}

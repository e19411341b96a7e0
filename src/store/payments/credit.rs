//! Credit from payments and grants: what an object is worth, less what was posted for it before, becomes an entry.

use rusqlite::{OptionalExtension, Transaction};

use super::{
    Effect, EventStatus,
    receive::{Applier, Verdict},
};
use crate::{
    accounts::{Draw, Draws, Lot},
    domain::{AccountId, NanoUsd},
    store::{
        EntryKind, NewEntry, USUAL_PRIORITY,
        columns::{RowError, instant},
        credit::{self, NotPosted},
    },
    webhooks::{Dated, Fact, News, PaymentEvent, Worth, worth},
};

/// Whether money of an object went back, and no payment is known yet.
pub(super) fn is_unpaid(facts: &[Dated]) -> bool {
    worth(facts) == Some(Worth::Unpaid)
}

/// Posts what an object is worth beyond what was posted for it; `None` where it is not about money.
pub(super) fn settle(
    applier: &mut Applier<'_>,
    event: &PaymentEvent,
    object: &str,
    facts: &[Dated],
    account: &AccountId,
) -> Result<Option<Verdict>, RowError> {
    let Some(worth) = worth(facts) else {
        return Ok(None);
    };
    let entry = match worth {
        Worth::Unpaid => {
            let words = "the payment has not come yet";
            return Ok(Some(Verdict::new(EventStatus::Parked, words)));
        }
        Worth::Void => return void(applier, event, object, account).map(Some),
        Worth::Credit {
            amount,
            given,
            expires_at,
            priority,
            reason,
        } => NewEntry {
            kind: if given {
                EntryKind::Grant
            } else {
                EntryKind::TopUp
            },
            amount,
            reason: reason.or_else(|| Some(event.kind.clone())),
            expires_at,
            priority: priority.unwrap_or(USUAL_PRIORITY),
            ..blank(event, object, account)
        },
    };
    let mut verdict = post_rest(applier, event, object, &entry)?;
    if verdict.status == EventStatus::Applied {
        match renew(applier, &entry)? {
            Ok(Some(words)) => verdict.add(&words),
            Ok(None) => {}
            Err(refused) => return Ok(Some(refused)),
        }
    }
    if verdict.words.is_none() {
        verdict.add(&match entry.amount {
            NanoUsd::ZERO => "all of it went back".to_owned(),
            amount => format!("its {amount} USD were added before"),
        });
    }
    Ok(Some(verdict))
}

/// Posts what is missing of `entry`, or was too much, after all that was posted for the object before.
fn post_rest(
    applier: &mut Applier<'_>,
    event: &PaymentEvent,
    object: &str,
    entry: &NewEntry,
) -> Result<Verdict, RowError> {
    let posted = posted(applier.transaction, object)?;
    let before = posted.unwrap_or(NanoUsd::ZERO);
    let Some(rest) = entry.amount.checked_sub(before) else {
        return Ok(too_large());
    };
    if rest == NanoUsd::ZERO {
        return Ok(Verdict::applied(None));
    }
    let mut entry = NewEntry {
        amount: rest,
        ..entry.clone()
    };
    // More of a grant is a grant, which ends with the rest of it; what comes back of a payment was paid before.
    let more = entry.kind == EntryKind::Grant || posted.is_none();
    if rest.is_negative() || !more {
        entry.kind = moved(event);
        entry.expires_at = None;
    }
    // Looked at before anything is taken in memory, where debt ends at what can be kept.
    if credit::is_too_large(applier.transaction, &entry)? {
        return Ok(too_large());
    }
    let draws = if rest.is_negative() {
        // What goes back of a payment is what it gave, and nobody's grant, which has an end and may be withdrawn itself.
        let own = given(applier.transaction, object)?;
        let taken = rest.saturating_neg();
        applier.accounts.draw(&entry.account, &own, taken)
    } else {
        Draws::new()
    };
    post(applier, entry, &draws)
}

/// What is left of a grant goes into a lot that ends, and is drawn, as the vendor says now: entries are never changed.
/// `None` where nothing is left under other terms. Of a grant that has ended nothing is left.
fn renew(
    applier: &mut Applier<'_>,
    grant: &NewEntry,
) -> Result<Result<Option<String>, Verdict>, RowError> {
    let draws: Draws = {
        let mut select = applier.transaction.prepare_cached(
            "SELECT number, remaining_nano_usd FROM credit_entries JOIN credit_lots ON entry = number
             WHERE related = ?1 AND author LIKE 'webhook:%' AND kind = 'grant' AND remaining_nano_usd > 0
                AND (expires_at IS NOT ?2 OR priority <> ?3) AND (expires_at IS NULL OR expires_at > ?4)
             ORDER BY number",
        )?;
        let (end, now) = (grant.expires_at.map(instant), instant(applier.now));
        let lots = select.query_map((&grant.related, end, grant.priority, now), lot)?;
        lots.collect::<Result<_, _>>()?
    };
    let left = sum(&draws);
    if grant.kind != EntryKind::Grant || left == NanoUsd::ZERO {
        return Ok(Ok(None));
    }
    let gives = NewEntry {
        id: None,
        amount: left,
        ..grant.clone()
    };
    let moved = exchange(
        applier,
        gives,
        "the terms of the grant have changed",
        &draws,
    )?;
    let words = |entry| Some(format!("what is left, {left} USD, is entry {entry} now"));
    Ok(moved.map(words))
}

/// Moves what `draws` takes into the lot that `gives` makes; the number of that entry, or the verdict where the balance has
/// no room for both.
fn exchange(
    applier: &mut Applier<'_>,
    gives: NewEntry,
    why: &str,
    draws: &Draws,
) -> Result<Result<i64, Verdict>, RowError> {
    let takes = NewEntry {
        kind: EntryKind::Adjustment,
        amount: gives.amount.saturating_neg(),
        reason: Some(why.to_owned()),
        expires_at: None,
        ..gives.clone()
    };
    let transaction = applier.transaction;
    let Ok(posted) = credit::post(transaction, &gives, &[], applier.now)? else {
        return Ok(Err(too_large()));
    };
    if credit::post(transaction, &takes, draws, applier.now)?.is_err() {
        // One of the two alone must not stay, and an error takes back both.
        return Err(RowError::Damaged {
            row: format!("credit_balances {:?}", takes.account.as_str()),
            column: "balance_nano_usd",
            words: "has no room for what it had".to_owned(),
        });
    }
    applier.effects.push(Effect::Renewed {
        account: gives.account,
        lots: draws.iter().map(|draw| draw.entry).collect(),
        lot: Lot {
            entry: posted.number,
            remaining: gives.amount,
            priority: gives.priority,
            expires_at: gives.expires_at,
        },
    });
    Ok(Ok(posted.number))
}

/// What is left of a grant goes; what was spent of it is spent. What calls under way hold of it is theirs, in a lot that ends
/// now: as much as they give back is lost.
fn void(
    applier: &mut Applier<'_>,
    event: &PaymentEvent,
    object: &str,
    account: &AccountId,
) -> Result<Verdict, RowError> {
    let lots: Vec<(Draw, u8)> = {
        let mut select = applier.transaction.prepare_cached(
            "SELECT number, remaining_nano_usd, priority FROM credit_entries JOIN credit_lots ON entry = number
             WHERE related = ?1 AND author LIKE 'webhook:%' AND remaining_nano_usd > 0
                AND (expires_at IS NULL OR expires_at > ?2) ORDER BY number",
        )?;
        let lots = select.query_map((object, instant(applier.now)), |row| {
            Ok((lot(row)?, row.get(2)?))
        })?;
        lots.collect::<Result<_, _>>()?
    };
    let entries: Vec<i64> = lots.iter().map(|(lot, _)| lot.entry).collect();
    let draws = applier.accounts.empty(account, &entries);
    let left = sum(&draws);
    let words = if lots.is_empty() {
        "nothing is left of the grant"
    } else {
        "calls under way hold what is left of the grant"
    };
    let mut verdict = Verdict::applied(Some(words.to_owned()));
    if left > NanoUsd::ZERO {
        let entry = NewEntry {
            kind: EntryKind::Adjustment,
            amount: left.saturating_neg(),
            reason: Some(WITHDRAWN.to_owned()),
            ..blank(event, object, account)
        };
        verdict = post(applier, entry, &draws)?;
    }
    let held: Draws = lots
        .iter()
        .map(|(lot, _)| {
            let mut drawn = draws.iter().filter(|draw| draw.entry == lot.entry);
            let amount = drawn.next().map_or(NanoUsd::ZERO, |draw| draw.amount);
            Draw {
                amount: lot.amount.saturating_sub(amount),
                ..*lot
            }
        })
        .filter(|lot| lot.amount > NanoUsd::ZERO)
        .collect();
    if verdict.status == EventStatus::Applied && !held.is_empty() {
        // It is spent as early as it was to be: what others have given is not spent in its place.
        let priority = lots.iter().map(|(_, priority)| *priority).min();
        let entry = blank(event, object, account);
        // What they hold moves into a lot that ends now.
        let gives = NewEntry {
            id: None,
            amount: sum(&held),
            priority: priority.unwrap_or(entry.priority),
            expires_at: Some(applier.now),
            reason: Some(HELD.to_owned()),
            ..entry
        };
        if let Err(refused) = exchange(applier, gives, HELD, &held)? {
            return Ok(refused);
        }
    }
    Ok(verdict)
}

/// Why what is left of a grant is taken.
const WITHDRAWN: &str = "the grant was withdrawn";
const HELD: &str = "the grant was withdrawn; calls under way hold this";

fn lot(row: &rusqlite::Row<'_>) -> rusqlite::Result<Draw> {
    let (entry, amount) = (row.get(0)?, NanoUsd::from_nanos(row.get(1)?));
    Ok(Draw { entry, amount })
}

fn sum(draws: &[Draw]) -> NanoUsd {
    let amounts = draws.iter().map(|draw| draw.amount);
    amounts.fold(NanoUsd::ZERO, NanoUsd::saturating_add)
}

fn post(applier: &mut Applier<'_>, entry: NewEntry, draws: &Draws) -> Result<Verdict, RowError> {
    let posted = match credit::post(applier.transaction, &entry, draws, applier.now)? {
        Ok(posted) => posted,
        Err(refused) => {
            if entry.amount.is_negative() {
                let taken = entry.amount.saturating_neg();
                applier.accounts.give_back(&entry.account, taken, draws);
            }
            if refused == NotPosted::TooLarge {
                return Ok(too_large());
            }
            return Ok(id_taken());
        }
    };
    if entry.amount > NanoUsd::ZERO && !posted.existed {
        applier.effects.push(Effect::Lot {
            account: entry.account.clone(),
            lot: Lot {
                entry: posted.number,
                remaining: entry.amount,
                priority: entry.priority,
                expires_at: entry.expires_at,
            },
        });
    }
    let words = if entry.amount.is_negative() {
        format!(
            "{} USD taken, entry {}",
            entry.amount.saturating_neg(),
            posted.number
        )
    } else {
        format!("{} USD added, entry {}", entry.amount, posted.number)
    };
    Ok(Verdict::applied(Some(words)))
}

fn id_taken() -> Verdict {
    let words = "another entry has its id, and says something else";
    Verdict::new(EventStatus::Failed, words)
}

fn too_large() -> Verdict {
    Verdict::new(
        EventStatus::Failed,
        "the balance would be larger than can be kept",
    )
}

fn blank(event: &PaymentEvent, object: &str, account: &AccountId) -> NewEntry {
    // An event may settle what waited for it, so its id alone is not an entry's.
    let own = matches!(&event.news, News::Fact { object: own, .. } if own == object);
    let id = if own {
        event.id.clone()
    } else {
        format!("{} {object}", event.id)
    };
    NewEntry {
        id: Some(id),
        account: account.clone(),
        kind: EntryKind::Adjustment,
        amount: NanoUsd::ZERO,
        author: format!("webhook:{}", event.vendor.as_str()),
        reason: None,
        expires_at: None,
        priority: USUAL_PRIORITY,
        related: Some(object.to_owned()),
    }
}

/// What moved credit that was there, or that goes below nothing.
fn moved(event: &PaymentEvent) -> EntryKind {
    match &event.news {
        News::Fact {
            fact: Fact::RefundedInAll { .. } | Fact::Refund { .. } | Fact::Taken { .. },
            ..
        } => EntryKind::Refund,
        _ => EntryKind::Adjustment,
    }
}

/// The lots that an object has given.
fn given(transaction: &Transaction<'_>, object: &str) -> rusqlite::Result<Vec<i64>> {
    transaction
        .prepare_cached(
            "SELECT number FROM credit_entries JOIN credit_lots ON entry = number
             WHERE related = ? AND author LIKE 'webhook:%'",
        )?
        .query_map([object], |row| row.get(0))?
        .collect()
}

/// What was posted for an object, in all; `None` where nothing was.
fn posted(transaction: &Transaction<'_>, object: &str) -> rusqlite::Result<Option<NanoUsd>> {
    let sum: Option<Option<i64>> = transaction
        .prepare_cached(
            "SELECT sum(amount_nano_usd) FROM credit_entries
             WHERE related = ? AND author LIKE 'webhook:%'",
        )?
        .query_row([object], |row| row.get(0))
        .optional()?;
    Ok(sum.flatten().map(NanoUsd::from_nanos))
}

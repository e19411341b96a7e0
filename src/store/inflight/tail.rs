//! Names and counters: what has no fixed width, the most important first, as far as there is room.

use std::sync::Arc;

use crate::{
    accounts::Owner,
    domain::{AccountId, KeyId, ModelName, NanoUsd, Per, PlanId, ProviderId, Timestamp, Unit},
    store::record::{CounterChange, CounterName},
};

use super::cursor::{Decoder, Encoder};

/// Whose counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The account's, over all its keys.
    Account,
    /// The key's.
    Key,
}

/// A counter that a call moves when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldCounter {
    /// Whose.
    pub whose: Whose,
    /// Of what.
    pub unit: Unit,
    /// Per which window.
    pub per: Per,
    /// The start of the window that the call was admitted in.
    pub window_start: Timestamp,
}

/// How far a counter moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) counter: HeldCounter,
    /// `None`: as [`by_rule`] says.
    pub(super) add: Option<u64>,
}

/// What is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) account: &'a AccountId,
    pub(super) key: &'a KeyId,
    pub(super) plan: &'a PlanId,
    pub(super) provider: &'a ProviderId,
    pub(super) price_version: Option<&'a str>,
    pub(super) model: Option<&'a ModelName>,
    pub(super) upstream_model: Option<&'a ModelName>,
    pub(super) route: &'a str,
}

/// What is read. What had no room is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) account: AccountId,
    pub(super) key: KeyId,
    pub(super) counters: Option<Vec<Moved>>,
    pub(super) plan: Option<PlanId>,
    pub(super) provider: Option<ProviderId>,
    pub(super) price_version: Option<Arc<str>>,
    pub(super) model: Option<ModelName>,
    pub(super) upstream_model: Option<ModelName>,
    pub(super) route: Option<Arc<str>>,
}

/// Says that the counters had no room.
const LEFT_OUT: u8 = u8::MAX;

// Bits of a counter's first byte, above one for whose it is, two for the unit and three for the window.
const HAS_ADD: u8 = 1 << 6;
const HAS_START: u8 = 1 << 7;

/// Writes names and counters; whether the counters had room.
pub(super) fn write(encoder: &mut Encoder<'_>, names: &Names<'_>, counters: &[Moved]) -> bool {
    let Names {
        account,
        key,
        plan,
        provider,
        price_version,
        model,
        upstream_model,
        route,
    } = names;
    name(encoder, account.as_str(), 0);
    name(encoder, key.as_str(), 0);
    // Each of the six after the counters takes one byte at least.
    let counted = write_counters(encoder, counters, 6);
    name(encoder, plan.as_str(), 5);
    name(encoder, provider.as_str(), 4);
    name(encoder, price_version.unwrap_or_default(), 3);
    name(encoder, model.map_or("", ModelName::as_str), 2);
    name(encoder, upstream_model.map_or("", ModelName::as_str), 1);
    // A route is there for people to read; the beginning of a long one is better than none.
    let room = encoder.room().saturating_sub(1).min(usize::from(u8::MAX));
    let cut = (0..=route.len().min(room)).rev();
    let cut = cut.into_iter().find(|at| route.is_char_boundary(*at));
    name(encoder, &route[..cut.unwrap_or(0)], 0);
    counted
}

/// Reads names and counters.
pub(super) fn read(decoder: &mut Decoder<'_>) -> Option<Tail> {
    Some(Tail {
        account: AccountId::parse(text(decoder)?).ok()?,
        key: KeyId::parse(text(decoder)?).ok()?,
        counters: read_counters(decoder)?,
        plan: optional(text(decoder)?, PlanId::parse)?,
        provider: optional(text(decoder)?, ProviderId::parse)?,
        price_version: Some(text(decoder)?)
            .filter(|text| !text.is_empty())
            .map(Arc::from),
        model: optional(text(decoder)?, ModelName::parse)?,
        upstream_model: optional(text(decoder)?, ModelName::parse)?,
        route: Some(text(decoder)?)
            .filter(|text| !text.is_empty())
            .map(Arc::from),
    })
}

/// By how much a counter moves unless something else was written.
pub(super) fn by_rule(unit: Unit, tokens: u64, cost: Option<NanoUsd>) -> u64 {
    match unit {
        Unit::Requests => 1,
        Unit::Tokens => tokens,
        Unit::Usd => cost.unwrap_or_default().counted(),
    }
}

/// A counter's change as the store writes it; `None` where nothing moves.
pub(super) fn change(
    counter: HeldCounter,
    add: u64,
    account: &AccountId,
    key: &KeyId,
) -> Option<CounterChange> {
    let HeldCounter {
        whose,
        unit,
        per,
        window_start,
    } = counter;
    let owner = match whose {
        Whose::Account => Owner::Account(account.clone()),
        Whose::Key => Owner::Key(key.clone()),
    };
    let name = CounterName { owner, unit, per };
    (add > 0).then_some(CounterChange {
        name,
        window_start,
        add,
    })
}

/// The counter of a change.
pub(super) fn counter_of(change: &CounterChange) -> HeldCounter {
    HeldCounter {
        whose: match change.name.owner {
            Owner::Account(_) => Whose::Account,
            Owner::Key(_) => Whose::Key,
        },
        unit: change.name.unit,
        per: change.name.per,
        window_start: change.window_start,
    }
}

/// A name, or nothing where it would leave less than `spare` bytes.
fn name(encoder: &mut Encoder<'_>, name: &str, spare: usize) {
    let fits = encoder.room() > name.len() + spare;
    let length = u8::try_from(name.len()).ok().filter(|_| fits);
    encoder.byte(length.unwrap_or(0));
    if length.is_some() {
        encoder.put(name.as_bytes());
    }
}

fn text<'a>(decoder: &mut Decoder<'a>) -> Option<&'a str> {
    let length = decoder.byte()?;
    std::str::from_utf8(decoder.slice(length.into())?).ok()
}

fn optional<T, E>(text: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<Option<T>> {
    if text.is_empty() {
        return Some(None);
    }
    parse(text).ok().map(Some)
}

/// All counters, or the word that they had no room. A start stands once for all counters of the same window.
fn write_counters(encoder: &mut Encoder<'_>, counters: &[Moved], spare: usize) -> bool {
    let starts = |at: usize| -> bool {
        let Moved { counter, .. } = counters[at];
        let before = counters[..at].iter().rev();
        let same = before
            .map(|before| before.counter)
            .find(|before| before.per == counter.per);
        same.is_none_or(|before| before.window_start != counter.window_start)
    };
    let length = |at: usize| {
        1 + if starts(at) { 6 } else { 0 } + if counters[at].add.is_some() { 8 } else { 0 }
    };
    let needed: usize = 1 + (0..counters.len()).map(length).sum::<usize>();
    let number = u8::try_from(counters.len())
        .ok()
        .filter(|number| *number != LEFT_OUT && encoder.room() >= needed + spare);
    encoder.byte(number.unwrap_or(LEFT_OUT));
    if number.is_none() {
        return false;
    }
    for (at, Moved { counter, add }) in counters.iter().enumerate() {
        let whose = match counter.whose {
            Whose::Account => 0,
            Whose::Key => 1,
        };
        let mut first = whose | unit_code(counter.unit) << 1 | per_code(counter.per) << 3;
        first |= if add.is_some() { HAS_ADD } else { 0 };
        first |= if starts(at) { HAS_START } else { 0 };
        encoder.byte(first);
        if starts(at) {
            encoder.instant(counter.window_start);
        }
        if let Some(add) = add {
            encoder.put(&add.to_le_bytes());
        }
    }
    true
}

fn read_counters(decoder: &mut Decoder<'_>) -> Option<Option<Vec<Moved>>> {
    let number = decoder.byte()?;
    if number == LEFT_OUT {
        return Some(None);
    }
    let mut counters: Vec<Moved> = Vec::with_capacity(number.into());
    for _ in 0..number {
        let first = decoder.byte()?;
        let per = per_of(first >> 3 & 0b111)?;
        let window_start = if first & HAS_START == 0 {
            let mut before = counters.iter().rev().map(|before| before.counter);
            before.find(|before| before.per == per)?.window_start
        } else {
            decoder.instant()?
        };
        let add = if first & HAS_ADD == 0 {
            None
        } else {
            Some(decoder.u64()?)
        };
        let counter = HeldCounter {
            whose: if first & 1 == 0 {
                Whose::Account
            } else {
                Whose::Key
            },
            unit: unit_of(first >> 1 & 0b11)?,
            per,
            window_start,
        };
        counters.push(Moved { counter, add });
    }
    Some(Some(counters))
}

fn unit_code(unit: Unit) -> u8 {
    match unit {
        Unit::Requests => 0,
        Unit::Tokens => 1,
        Unit::Usd => 2,
    }
}

fn unit_of(code: u8) -> Option<Unit> {
    match code {
        0 => Some(Unit::Requests),
        1 => Some(Unit::Tokens),
        2 => Some(Unit::Usd),
        _ => None,
    }
}

fn per_code(per: Per) -> u8 {
    match per {
        Per::Hour => 0,
        Per::Day => 1,
        Per::Week => 2,
        Per::Month => 3,
        Per::Period => 4,
    }
}

fn per_of(code: u8) -> Option<Per> {
    match code {
        0 => Some(Per::Hour),
        1 => Some(Per::Day),
        2 => Some(Per::Week),
        3 => Some(Per::Month),
        4 => Some(Per::Period),
        _ => None,
    }
}

//! What is found in a slot, and what becomes of it.

use crate::{
    accounts::Draws,
    domain::{RequestId, Usage},
    store::record::{CallRecord, Outcome, Posting},
};

use super::{
    checkpoint::{self, Checkpoint},
    frame::{HOLD, SETTLEMENT, SLOT},
    hold::{self, HoldRecord},
    settlement, tail,
};

/// A call that was under way when the daemon ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovered {
    /// It was settled, and may or may not be in the store already.
    Settled(Box<Posting>),
    /// Nobody knows how it ended.
    Open(Box<HoldRecord>, Option<Checkpoint>),
}

/// What a slot can be besides empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Call(Recovered),
    Damaged,
}

/// The status of a call whose answer nobody saw to its end: the gateway broke it off.
const BROKEN_OFF: u16 = 500;

/// The call in slot number `slot`, whatever the bytes are. `None` where there is none that can be read.
pub fn read_slot(slot: u32, bytes: &[u8]) -> Option<Recovered> {
    match content(slot, bytes)? {
        Content::Call(recovered) => Some(recovered),
        Content::Damaged => None,
    }
}

/// What is in a slot; `None` where it is empty.
pub(super) fn content(slot: u32, bytes: &[u8]) -> Option<Content> {
    if bytes.iter().all(|byte| *byte == 0) {
        return None;
    }
    let bytes = bytes.get(..SLOT).unwrap_or_default();
    let part = |range| bytes.get(range).unwrap_or_default();
    let held = hold::open(part(HOLD), slot);
    let settled = settlement::open(part(SETTLEMENT), slot);
    let recovered = match (held, settled) {
        // The slot has been taken anew since; what was settled before is in the store.
        (Some((stay, hold)), Some((before, _))) if stay.is_after(before) => {
            Recovered::Open(Box::new(hold), checkpoint::newest(bytes, stay))
        }
        (Some((stay, hold)), Some((same, settlement))) if stay == same => {
            Recovered::Settled(Box::new(settlement.into_posting(Some(hold))))
        }
        (_, Some((_, settlement))) => Recovered::Settled(Box::new(settlement.into_posting(None))),
        (Some((stay, hold)), None) => {
            Recovered::Open(Box::new(hold), checkpoint::newest(bytes, stay))
        }
        (None, None) => return Some(Content::Damaged),
    };
    Some(Content::Call(recovered))
}

impl Recovered {
    /// The call's id.
    pub fn id(&self) -> RequestId {
        match self {
            Self::Settled(posting) => posting.call.id,
            Self::Open(hold, _) => hold.id,
        }
    }

    /// What is to be written to the store, once: a call that is there already moves nothing.
    ///
    /// An open call is charged its estimated input, or what its last checkpoint says, and never more than it held.
    pub fn into_posting(self) -> Posting {
        match self {
            Self::Settled(posting) => *posting,
            Self::Open(hold, checkpoint) => {
                let nothing = Checkpoint {
                    usage: Usage {
                        input: hold.input_estimate,
                        ..Usage::default()
                    },
                    cost: hold.least,
                };
                indeterminate(*hold, checkpoint.unwrap_or(nothing))
            }
        }
    }
}

fn indeterminate(hold: HoldRecord, seen: Checkpoint) -> Posting {
    let most = match hold.held_tokens {
        0 => u64::MAX,
        held => held,
    };
    let used = seen.usage;
    let input = used.input.min(most);
    let output = used.output.min(most - input);
    let usage = Usage {
        input,
        cached_input: used.cached_input.min(input),
        cache_write: used.cache_write.min(input),
        output,
        reasoning: used.reasoning.min(output),
        ..Usage::default()
    };
    let cost = hold.held.map(|held| seen.cost.min(held));
    let changes = hold.counters.iter().filter_map(|counter| {
        let add = tail::by_rule(counter.unit, usage.total(), cost);
        tail::change(*counter, add, &hold.account, &hold.key)
    });
    let counters = changes.collect();
    let call = CallRecord {
        id: hold.id,
        at: hold.at,
        account: hold.account,
        key: hold.key,
        plan: hold.plan,
        route: hold.route,
        provider: hold.provider,
        model: hold.model,
        upstream_model: hold.upstream_model,
        endpoint: hold.endpoint.as_str(),
        stream: hold.stream,
        outcome: Outcome::Indeterminate,
        status: BROKEN_OFF,
        usage,
        estimated: true,
        overrun: false,
        held_tokens: hold.held_tokens,
        held: hold.held,
        cost,
        price_version: hold.price_version,
        agreed: hold.agreed,
        end_user: None,
        idempotency_key: None,
        attempt: 1,
        queue_ms: hold.queue_ms,
        first_byte_ms: None,
        total_ms: hold.queue_ms,
    };
    Posting {
        call,
        counters,
        credit: hold.credit.then(Draws::new),
    }
}

//! What a call came to: its posting, which is all of it where names are not very long.

use smallvec::SmallVec;

use crate::{
    accounts::Draws,
    domain::{NanoUsd, PlanId, ProviderId, RequestId, Timestamp, Unit, Usage},
    providers::Endpoint,
    store::record::{CallRecord, Outcome, Posting},
};

use super::{
    cursor::{Decoder, Encoder, LARGEST_COUNT},
    frame::{self, BEGINNING, Kind, SETTLEMENT, Stay},
    hold::{ENDPOINTS, HoldRecord, endpoint_code, endpoint_of},
    tail::{self, Moved, Names, Tail},
};

/// Bytes of fixed width.
const FIXED: usize = 100;
/// A length and the longest id.
const ID: usize = 1 + 64;

// Who pays is always told: the account, the key, and a byte each for what had no room.
const _: () = assert!(BEGINNING + FIXED + 2 * ID + 7 <= SETTLEMENT.end - SETTLEMENT.start);

const STREAM: u8 = 1;
const CREDIT: u8 = 2;
const HELD: u8 = 4;
const COST: u8 = 8;
const FIRST_BYTE: u8 = 16;
const ESTIMATED: u8 = 32;
const OVERRUN: u8 = 64;
/// Whether requests were counted, for where the counters themselves have no room.
const COUNTED: u8 = 128;

/// What a settlement says, before its hold is put beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settlement {
    call: Figures,
    flags: u8,
    tail: Tail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Figures {
    id: RequestId,
    at: Timestamp,
    endpoint: Endpoint,
    outcome: Outcome,
    status: u16,
    attempt: u8,
    usage: Usage,
    held_tokens: u64,
    held: NanoUsd,
    cost: NanoUsd,
    queue_ms: u32,
    first_byte_ms: u32,
    total_ms: u32,
}

/// Writes a settlement into `area`; what of it is to be written to the file. It always fits.
pub(super) fn seal<'a>(area: &'a mut [u8], posting: &Posting, stay: Stay) -> Option<&'a [u8]> {
    let call = &posting.call;
    let counters: SmallVec<[Moved; 8]> = posting
        .counters
        .iter()
        .map(|change| {
            let usual = tail::by_rule(change.name.unit, kept_tokens(call.usage), call.cost);
            Moved {
                counter: tail::counter_of(change),
                add: (change.add != usual).then_some(change.add),
            }
        })
        .collect();
    frame::seal(area, Kind::Settlement, stay, |encoder| {
        write_fixed(encoder, posting);
        let names = Names {
            account: &call.account,
            key: &call.key,
            plan: &call.plan,
            provider: &call.provider,
            price_version: call.price_version.as_deref(),
            model: call.model.as_ref(),
            upstream_model: call.upstream_model.as_ref(),
            route: &call.route,
        };
        tail::write(encoder, &names, &counters);
    })
}

/// The settlement of a slot, where it is whole.
pub(super) fn open(area: &[u8], slot: u32) -> Option<(Stay, Settlement)> {
    let (stay, mut decoder) = frame::open(area, Kind::Settlement, slot)?;
    Some((stay, read(stay.id, &mut decoder)?))
}

fn write_fixed(
    encoder: &mut Encoder<'_>,
    Posting {
        call,
        counters,
        credit,
    }: &Posting,
) {
    let flag = |on: bool, bit: u8| if on { bit } else { 0 };
    let counted = counters
        .iter()
        .any(|change| change.name.unit == Unit::Requests);
    encoder.instant(call.at);
    encoder.byte(
        flag(call.stream, STREAM)
            | flag(credit.is_some(), CREDIT)
            | flag(call.held.is_some(), HELD)
            | flag(call.cost.is_some(), COST)
            | flag(call.first_byte_ms.is_some(), FIRST_BYTE)
            | flag(call.estimated, ESTIMATED)
            | flag(call.overrun, OVERRUN)
            | flag(counted, COUNTED),
    );
    let endpoint = ENDPOINTS
        .into_iter()
        .find(|endpoint| endpoint.as_str() == call.endpoint);
    encoder.byte(endpoint_code(endpoint.unwrap_or(Endpoint::Other)));
    encoder.byte(outcome_code(call.outcome));
    encoder.put(&call.status.to_le_bytes());
    encoder.byte(u8::try_from(call.attempt).unwrap_or(u8::MAX));
    for count in call.usage.counts() {
        encoder.count(count);
    }
    encoder.count(call.held_tokens);
    encoder.amount(call.held.unwrap_or_default());
    encoder.amount(call.cost.unwrap_or_default());
    let first_byte_ms = call.first_byte_ms.unwrap_or_default();
    for time in [call.queue_ms, first_byte_ms, call.total_ms] {
        encoder.millis(time);
    }
}

/// Input and output tokens as the file keeps them.
fn kept_tokens(usage: Usage) -> u64 {
    usage.input.min(LARGEST_COUNT) + usage.output.min(LARGEST_COUNT)
}

fn read(id: RequestId, decoder: &mut Decoder<'_>) -> Option<Settlement> {
    let at = decoder.instant()?;
    let flags = decoder.byte()?;
    let call = Figures {
        id,
        at,
        endpoint: endpoint_of(decoder.byte()?)?,
        outcome: outcome_of(decoder.byte()?)?,
        status: decoder.u16()?,
        attempt: decoder.byte()?,
        usage: usage(decoder)?,
        held_tokens: decoder.count()?,
        held: decoder.amount()?,
        cost: decoder.amount()?,
        queue_ms: decoder.u32()?,
        first_byte_ms: decoder.u32()?,
        total_ms: decoder.u32()?,
    };
    let tail = tail::read(decoder)?;
    Some(Settlement { call, flags, tail })
}

/// Usage, which the file has in the order of its counts.
fn usage(decoder: &mut Decoder<'_>) -> Option<Usage> {
    let mut counts = [0; Usage::COUNTS];
    for count in &mut counts {
        *count = decoder.count()?;
    }
    Some(Usage::of_counts(counts))
}

impl Settlement {
    /// The posting, with what only the hold had room for. Lots of credit are not kept: what was charged to credit leaves
    /// the balance, and is drawn from the lots when they are read.
    pub(super) fn into_posting(self, hold: Option<HoldRecord>) -> Posting {
        let Self { call, flags, tail } = self;
        let is = |bit: u8| flags & bit != 0;
        let counters = match (tail.counters, &hold) {
            (Some(counters), _) => counters,
            (None, Some(hold)) => hold
                .counters
                .iter()
                .filter(|counter| counter.unit != Unit::Requests || is(COUNTED))
                .map(|counter| Moved {
                    counter: *counter,
                    add: None,
                })
                .collect(),
            (None, None) => Vec::new(),
        };
        let tokens = call.usage.total();
        let cost = is(COST).then_some(call.cost);
        let counters = counters.into_iter().filter_map(|Moved { counter, add }| {
            let add = add.unwrap_or_else(|| tail::by_rule(counter.unit, tokens, cost));
            tail::change(counter, add, &tail.account, &tail.key)
        });
        let counters = counters.collect();
        let unknown = "unknown";
        let held = hold.as_ref();
        let plan = tail.plan.or_else(|| held.map(|hold| hold.plan.clone()));
        let provider = tail
            .provider
            .or_else(|| held.map(|hold| hold.provider.clone()));
        let route = held.map(|hold| hold.route.clone()).or(tail.route);
        let endpoint = held.map_or(call.endpoint, |hold| hold.endpoint);
        let call = CallRecord {
            id: call.id,
            at: call.at,
            plan: plan.unwrap_or_else(|| PlanId::parse(unknown).expect("letters alone are a name")),
            route: route.unwrap_or_else(|| unknown.into()),
            provider: provider
                .unwrap_or_else(|| ProviderId::parse(unknown).expect("letters alone are a name")),
            model: tail
                .model
                .or_else(|| held.and_then(|hold| hold.model.clone())),
            upstream_model: tail
                .upstream_model
                .or_else(|| held.and_then(|hold| hold.upstream_model.clone())),
            price_version: tail
                .price_version
                .or_else(|| held.and_then(|hold| hold.price_version.clone())),
            agreed: held.and_then(|hold| hold.agreed),
            account: tail.account,
            key: tail.key,
            endpoint: endpoint.as_str(),
            stream: is(STREAM),
            outcome: call.outcome,
            status: call.status,
            usage: call.usage,
            estimated: is(ESTIMATED),
            overrun: is(OVERRUN),
            held_tokens: call.held_tokens,
            held: is(HELD).then_some(call.held),
            cost,
            end_user: None,
            idempotency_key: None,
            attempt: call.attempt.into(),
            queue_ms: call.queue_ms.into(),
            first_byte_ms: is(FIRST_BYTE).then_some(call.first_byte_ms.into()),
            total_ms: call.total_ms.into(),
        };
        Posting {
            call,
            counters,
            credit: is(CREDIT).then(Draws::new),
        }
    }
}

fn outcome_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Completed => 0,
        Outcome::ClientClosed => 1,
        Outcome::UpstreamFailed => 2,
        Outcome::Indeterminate => 3,
    }
}

fn outcome_of(code: u8) -> Option<Outcome> {
    match code {
        0 => Some(Outcome::Completed),
        1 => Some(Outcome::ClientClosed),
        2 => Some(Outcome::UpstreamFailed),
        3 => Some(Outcome::Indeterminate),
        _ => None,
    }
}

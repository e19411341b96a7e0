//! What a call holds: all that its record needs when nobody is left to say how it ended.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::{
    accounts::PlanVersion,
    domain::{
        AccountId, Feature, Features, KeyId, ModelName, NanoUsd, PlanId, ProviderId, RequestId,
        ServiceTier, Timestamp,
    },
    prices::{Factor, Pico},
    providers::Endpoint,
    store::record::Agreed,
};

use super::{
    cursor::{Decoder, Encoder},
    failure::Unwritten,
    frame::{self, BEGINNING, HOLD, Kind, Stay},
    tail::{self, Moved, Names},
};

pub use super::tail::{HeldCounter, Whose};

/// What a call holds, as it is written before the call is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRecord {
    /// Our id of the call.
    pub id: RequestId,
    /// When it was admitted.
    pub at: Timestamp,
    /// Who pays.
    pub account: AccountId,
    /// With which key.
    pub key: KeyId,
    /// On which plan.
    pub plan: PlanId,
    /// The route's prefix; a long one may be cut short where all other names are long as well.
    pub route: Arc<str>,
    /// Where it goes.
    pub provider: ProviderId,
    /// The public model, where the call names one.
    pub model: Option<ModelName>,
    /// The provider's name for it.
    pub upstream_model: Option<ModelName>,
    /// What it asks for.
    pub endpoint: Endpoint,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Milliseconds from arrival to the start of forwarding.
    pub queue_ms: u64,
    /// Tokens that it holds; 0 holds none.
    pub held_tokens: u64,
    /// Input tokens by our own estimate; 0 where the endpoint has none.
    pub input_estimate: u64,
    /// Money that it holds, what was taken as used included; `None` where nothing of it has a price.
    pub held: Option<NanoUsd>,
    /// What it costs when nothing of an answer has been seen: the request and its estimated input.
    pub least: NanoUsd,
    /// Which version of the price.
    pub price_version: Option<Arc<str>>,
    /// What else was agreed; left out where names are so long that it has no room.
    pub agreed: Option<Agreed>,
    /// Whether it is charged to prepaid credit.
    pub credit: bool,
    /// The counters that it moves when it ends, in the order in which they were held.
    pub counters: SmallVec<[HeldCounter; 8]>,
}

/// Bytes of fixed width.
const FIXED: usize = 38;
/// Bytes of what else was agreed, at most.
const AGREEMENT: usize = 38;
/// A length and the longest id.
const ID: usize = 1 + 64;
/// A counter with a start of its own.
const COUNTER: usize = 7;

// Two owners of three units over five windows is all that there can be.
const _: () = assert!(BEGINNING + FIXED + 4 * ID + 1 + 30 * COUNTER + 4 <= HOLD.end - HOLD.start);

const STREAM: u8 = 1;
const CREDIT: u8 = 2;
const HELD: u8 = 4;
const WRITTEN: u8 = 8;

/// Writes a hold into `area`; what of it is to be written to the file.
pub(super) fn seal<'a>(
    area: &'a mut [u8; HOLD.end],
    record: &HoldRecord,
    stay: Stay,
) -> Result<&'a [u8], Unwritten> {
    let mut counted = true;
    let counters: SmallVec<[Moved; 8]> = record
        .counters
        .iter()
        .map(|counter| Moved {
            counter: *counter,
            add: None,
        })
        .collect();
    let sealed = frame::seal(area, Kind::Hold, stay, |encoder| {
        write_fixed(encoder, record);
        counted = tail::write(encoder, &names(record), &counters);
        // It explains the call and decides nothing, so it comes last.
        let agreed = record.agreed.as_ref();
        if let Some(agreed) = agreed.filter(|_| encoder.room() >= AGREEMENT) {
            write_agreed(encoder, agreed);
        }
    });
    let counters = Unwritten::Counters(record.counters.len());
    sealed.filter(|_| counted).ok_or(counters)
}

/// The hold of a slot, where it is whole.
pub(super) fn open(area: &[u8], slot: u32) -> Option<(Stay, HoldRecord)> {
    let (stay, mut decoder) = frame::open(area, Kind::Hold, slot)?;
    Some((stay, read(stay.id, &mut decoder)?))
}

fn names(record: &HoldRecord) -> Names<'_> {
    Names {
        account: &record.account,
        key: &record.key,
        plan: &record.plan,
        provider: &record.provider,
        price_version: record.price_version.as_deref(),
        model: record.model.as_ref(),
        upstream_model: record.upstream_model.as_ref(),
        route: &record.route,
    }
}

fn write_fixed(encoder: &mut Encoder<'_>, record: &HoldRecord) {
    encoder.instant(record.at);
    let mut flags = if record.stream { STREAM } else { 0 };
    flags |= if record.credit { CREDIT } else { 0 };
    flags |= if record.held.is_some() { HELD } else { 0 };
    let written = record.agreed.is_some_and(|agreed| agreed.written);
    flags |= if written { WRITTEN } else { 0 };
    encoder.byte(flags);
    encoder.byte(endpoint_code(record.endpoint));
    encoder.count(record.held_tokens);
    encoder.count(record.input_estimate);
    encoder.amount(record.held.unwrap_or_default());
    encoder.amount(record.least);
    encoder.millis(record.queue_ms);
}

fn write_agreed(encoder: &mut Encoder<'_>, agreed: &Agreed) {
    encoder.count(agreed.output_limit);
    let answers = u16::try_from(agreed.answers).unwrap_or(u16::MAX);
    encoder.put(&answers.to_le_bytes());
    encoder.put(&agreed.factor.millionths().to_le_bytes());
    encoder.put(&agreed.per_request.get().to_le_bytes());
    let features = agreed.features.iter();
    let features = features.fold(0, |all, feature| all | bit(feature));
    encoder.put(&features.to_le_bytes());
    let tier = agreed.service_tier.as_ref();
    let tier = tier.map_or("", ServiceTier::as_str);
    encoder.byte(u8::try_from(tier.len()).unwrap_or_default());
    encoder.put(tier.as_bytes());
    // Last of all: holds of programs that knew of none end before it.
    let version = agreed.plan_version.map(PlanVersion::to_bytes);
    if let Some(version) = version.filter(|version| encoder.room() >= version.len()) {
        encoder.put(&version);
    }
}

fn read_agreed(decoder: &mut Decoder<'_>, written: bool) -> Option<Agreed> {
    let output_limit = decoder.count()?;
    let answers = decoder.u16()?.into();
    let factor = Factor::from_millionths(decoder.u32()?)?;
    let per_request = Pico::new(decoder.u64()?)?;
    let bits = decoder.u16()?;
    let mut features = Features::NONE;
    for feature in Feature::ALL.into_iter().chain([Feature::Other]) {
        if bits & bit(feature) != 0 {
            features.insert(feature);
        }
    }
    let length = usize::from(decoder.byte()?);
    let service_tier = match std::str::from_utf8(decoder.slice(length)?).ok()? {
        "" => None,
        // What is no word of a provider's was kept as none.
        word => Some(ServiceTier::parse(word).unwrap_or(ServiceTier::UNKNOWN)),
    };
    Some(Agreed {
        output_limit,
        written,
        answers,
        factor,
        per_request,
        service_tier,
        features,
        plan_version: decoder.array().map(PlanVersion::from_bytes),
    })
}

const fn bit(feature: Feature) -> u16 {
    1 << feature as u16
}

fn read(id: RequestId, decoder: &mut Decoder<'_>) -> Option<HoldRecord> {
    let at = decoder.instant()?;
    let flags = decoder.byte()?;
    let endpoint = endpoint_of(decoder.byte()?)?;
    let held_tokens = decoder.count()?;
    let input_estimate = decoder.count()?;
    let held = decoder.amount()?;
    let least = decoder.amount()?;
    let queue_ms = decoder.u32()?.into();
    let tail = tail::read(decoder)?;
    let counters = tail.counters?;
    let agreed = read_agreed(decoder, flags & WRITTEN != 0);
    Some(HoldRecord {
        id,
        at,
        account: tail.account,
        key: tail.key,
        plan: tail.plan?,
        route: tail.route.unwrap_or_default(),
        provider: tail.provider?,
        model: tail.model,
        upstream_model: tail.upstream_model,
        endpoint,
        stream: flags & STREAM != 0,
        queue_ms,
        held_tokens,
        input_estimate,
        held: (flags & HELD != 0).then_some(held),
        least,
        price_version: tail.price_version,
        agreed,
        credit: flags & CREDIT != 0,
        counters: counters.into_iter().map(|moved| moved.counter).collect(),
    })
}

/// The number that an endpoint has in the file; a number is never given to another one.
pub(super) fn endpoint_code(endpoint: Endpoint) -> u8 {
    match endpoint {
        Endpoint::Other => 0,
        Endpoint::ChatCompletions => 1,
        Endpoint::Completions => 2,
        Endpoint::Responses => 3,
        Endpoint::Embeddings => 4,
        Endpoint::Messages => 5,
        Endpoint::CountTokens => 6,
        Endpoint::Models => 7,
        Endpoint::Model => 8,
    }
}

/// All endpoints, by their number.
pub(super) const ENDPOINTS: [Endpoint; 9] = [
    Endpoint::Other,
    Endpoint::ChatCompletions,
    Endpoint::Completions,
    Endpoint::Responses,
    Endpoint::Embeddings,
    Endpoint::Messages,
    Endpoint::CountTokens,
    Endpoint::Models,
    Endpoint::Model,
];

pub(super) fn endpoint_of(code: u8) -> Option<Endpoint> {
    ENDPOINTS.get(usize::from(code)).copied()
}

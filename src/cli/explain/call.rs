//! A call as the API describes it.

use serde::{Deserialize, Serialize};

use crate::domain::{NanoUsd, Usage};

/// What the API says of a call, as far as it is explained.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Call {
    pub(super) request_id: String,
    pub(super) at: String,
    pub(super) account: String,
    pub(super) key: String,
    pub(super) plan: String,
    #[serde(default)]
    pub(super) plan_version: Option<String>,
    pub(super) route: String,
    pub(super) provider: String,
    pub(super) model: Option<String>,
    pub(super) upstream_model: Option<String>,
    pub(super) endpoint: String,
    pub(super) stream: bool,
    pub(super) outcome: String,
    pub(super) status: u16,
    pub(super) attempt: u32,
    pub(super) end_user: Option<String>,
    pub(super) idempotency_key: Option<String>,
    #[serde(with = "Tokens")]
    pub(super) tokens: Usage,
    pub(super) estimated: bool,
    pub(super) overrun: bool,
    pub(super) held_tokens: u64,
    pub(super) held_nano_usd: Option<i64>,
    pub(super) cost_nano_usd: Option<i64>,
    pub(super) price_version: Option<String>,
    pub(super) terms: Option<Agreement>,
    #[serde(default)]
    pub(super) counted: Option<Counted>,
    pub(super) credit: Option<Charged>,
    pub(super) queue_ms: u64,
    pub(super) first_byte_ms: Option<u64>,
    pub(super) total_ms: u64,
}

/// What was used, with every part in it; a part that the API leaves out is none.
#[derive(Default, Deserialize, Serialize)]
#[serde(remote = "Usage", default)]
struct Tokens {
    input: u64,
    cached_input: u64,
    cache_write: u64,
    output: u64,
    reasoning: u64,
    cache_write_1h: u64,
    audio_input: u64,
    audio_output: u64,
    images: u64,
    seconds: u64,
    pages: u64,
}

/// What was agreed at admission; what is left out is as usual.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Agreement {
    pub(super) output_limit: u64,
    pub(super) written: bool,
    pub(super) answers: Option<u64>,
    pub(super) price_factor: Option<String>,
    pub(super) price_per_request: Option<String>,
    pub(super) service_tier: Option<String>,
    pub(super) features: Vec<String>,
}

/// The counters that moved.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Counted {
    pub(super) account: Vec<String>,
    pub(super) key: Vec<String>,
}

/// What was taken of prepaid credit.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Charged {
    pub(super) lots: Vec<Lot>,
    pub(super) debt: String,
}

/// What was taken from one lot.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Lot {
    pub(super) entry: i64,
    pub(super) id: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) amount: String,
}

impl Call {
    /// What it cost; `None` where nothing of it had a price.
    pub(super) fn cost(&self) -> Option<NanoUsd> {
        self.cost_nano_usd.map(NanoUsd::from_nanos)
    }

    /// What money was held for it.
    pub(super) fn held(&self) -> Option<NanoUsd> {
        self.held_nano_usd.map(NanoUsd::from_nanos)
    }

    /// Whether it used and cost nothing.
    pub(super) fn came_to_nothing(&self) -> bool {
        self.tokens == Usage::default() && self.cost_nano_usd.unwrap_or_default() == 0
    }
}

//! The record of a call, which is also its posting, and the counters it moves.

use std::sync::Arc;

pub use super::details::Agreed;
use crate::accounts::Draws;
pub use crate::accounts::{CounterChange, CounterName, CounterRow, Owner};
use crate::domain::{
    AccountId, KeyId, ModelName, NanoUsd, PlanId, ProviderId, RequestId, Timestamp, Usage,
};

/// How a forwarded call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The provider's answer ended by itself, and was passed on whole.
    Completed,
    /// The client left first.
    ClientClosed,
    /// The provider failed, broke off or was too slow.
    UpstreamFailed,
    /// It is not known what the provider did.
    Indeterminate,
}

impl Outcome {
    /// The word in the store, logs and exports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::ClientClosed => "client_closed",
            Self::UpstreamFailed => "upstream_failed",
            Self::Indeterminate => "indeterminate",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Completed,
            Self::ClientClosed,
            Self::UpstreamFailed,
            Self::Indeterminate,
        ]
        .into_iter()
        .find(|outcome| outcome.as_str() == word)
    }
}

impl serde::Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One forwarded call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// Our request id; the row's primary key.
    pub id: RequestId,
    /// When it was admitted.
    pub at: Timestamp,
    /// Who pays.
    pub account: AccountId,
    /// With which key.
    pub key: KeyId,
    /// On which plan.
    pub plan: PlanId,
    /// The route's prefix.
    pub route: Arc<str>,
    /// Where it went.
    pub provider: ProviderId,
    /// The public model, where the call names one.
    pub model: Option<ModelName>,
    /// The provider's name for it.
    pub upstream_model: Option<ModelName>,
    /// The endpoint's word.
    pub endpoint: &'static str,
    /// Whether the answer was asked for as a stream.
    pub stream: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// The status the client got.
    pub status: u16,
    /// What it used.
    pub usage: Usage,
    /// Whether the usage is our own count.
    pub estimated: bool,
    /// Whether it used more than was held.
    pub overrun: bool,
    /// Tokens that were held for it.
    pub held_tokens: u64,
    /// Money that was held for it; `None` where the model has no price.
    pub held: Option<NanoUsd>,
    /// What it cost; `None` where the model has no price.
    pub cost: Option<NanoUsd>,
    /// Which version of the price.
    pub price_version: Option<Arc<str>>,
    /// What else was agreed when it was admitted; `None` where that is not known any more.
    pub agreed: Option<Agreed>,
    /// The end user the call names (`user`, `metadata.user_id`), at most 256 bytes.
    pub end_user: Option<String>,
    /// The client's idempotency key, at most 255 bytes.
    pub idempotency_key: Option<String>,
    /// Tries upstream.
    pub attempt: u32,
    /// From arrival to the start of forwarding.
    pub queue_ms: u64,
    /// From the start of forwarding to the first byte of the answer.
    pub first_byte_ms: Option<u64>,
    /// From arrival to the end.
    pub total_ms: u64,
}

/// What one call leaves behind, written in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// The call.
    pub call: CallRecord,
    /// The counters it moves.
    pub counters: Vec<CounterChange>,
    /// The lots that paid for it, where it was charged to prepaid credit: its whole cost leaves the balance, and what no
    /// lot covered is debt.
    pub credit: Option<Draws>,
}

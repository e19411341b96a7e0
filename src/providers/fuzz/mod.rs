//! What must hold of every byte that a provider or a client writes, for `fuzz/` and the replay of its corpora.
//!
//! Each body takes any bytes and asserts. What it compares with is written for clarity alone, and shares no code with
//! what it checks.

mod ask;
mod edit;
mod figures;
mod second;
mod sse;
mod usage;

pub(crate) use ask::ask;
pub(crate) use sse::stream;
pub(crate) use usage::usage;

use super::Endpoint;

/// The endpoints by the first byte of an input, so that `0` to `5` name them in a corpus.
const ENDPOINTS: [Endpoint; 6] = [
    Endpoint::ChatCompletions,
    Endpoint::Completions,
    Endpoint::Responses,
    Endpoint::Embeddings,
    Endpoint::Messages,
    Endpoint::CountTokens,
];

/// An endpoint and the bytes that are for it.
fn addressed(data: &[u8]) -> Option<(Endpoint, &[u8])> {
    let (first, rest) = data.split_first()?;
    let endpoint = ENDPOINTS.get(usize::from(*first) % ENDPOINTS.len())?;
    Some((*endpoint, rest))
}

//! The tokenizers of OpenAI's models: built when the first text is counted with one, from what `build.rs` packed.

use std::{
    io::{self, Read},
    sync::LazyLock,
};

use flate2::read::DeflateDecoder;
use rustc_hash::FxHashMap;
use tiktoken_rs::{CoreBPE, O200K_BASE_PAT_STR, Rank};

/// How cl100k_base cuts a text before it looks for tokens (tiktoken, `openai_public.py`).
const CL100K_PATTERN: &str = concat!(
    r"'(?i:[sdmt]|ll|ve|re)",
    r"|[^\r\n\p{L}\p{N}]?+\p{L}++",
    r"|\p{N}{1,3}+",
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+",
    r"|\s++$",
    r"|\s*[\r\n]",
    r"|\s+(?!\S)",
    r"|\s",
);

/// A vocabulary as `build.rs` wrote it.
struct Packed {
    lengths: &'static [u8],
    bytes: &'static [u8],
    pattern: &'static str,
}

macro_rules! packed {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name))
    };
}

/// The vocabulary of the GPT-4 and GPT-3.5 models.
pub(super) fn cl100k() -> &'static CoreBPE {
    static BUILT: LazyLock<CoreBPE> = LazyLock::new(|| {
        built(&Packed {
            lengths: packed!("cl100k.lengths"),
            bytes: packed!("cl100k.bytes"),
            pattern: CL100K_PATTERN,
        })
    });
    &BUILT
}

/// The vocabulary of the models since GPT-4o.
pub(super) fn o200k() -> &'static CoreBPE {
    static BUILT: LazyLock<CoreBPE> = LazyLock::new(|| {
        built(&Packed {
            lengths: packed!("o200k.lengths"),
            bytes: packed!("o200k.bytes"),
            pattern: O200K_BASE_PAT_STR,
        })
    });
    &BUILT
}

/// # Panics
/// What the build packed is not what this unpacks; the tests build both.
fn built(packed: &Packed) -> CoreBPE {
    let ranks = ranks(packed).expect("the build packed it");
    // Special tokens are part of no text.
    CoreBPE::new(ranks, FxHashMap::default(), packed.pattern).expect("the pattern is constant")
}

fn ranks(packed: &Packed) -> io::Result<FxHashMap<Vec<u8>, Rank>> {
    let mut lengths = Vec::new();
    DeflateDecoder::new(packed.lengths).read_to_end(&mut lengths)?;
    let mut bytes = DeflateDecoder::new(packed.bytes);
    let mut ranks = FxHashMap::default();
    for (rank, length) in (0..).zip(lengths) {
        let mut token = vec![0; length.into()];
        bytes.read_exact(&mut token)?;
        ranks.insert(token, rank);
    }
    Ok(ranks)
}

#[cfg(test)]
mod tests;

//! Packs the tokenizers' vocabularies, which `tiktoken-rs` has as five megabytes of base64, into a quarter of that.
//!
//! Of each vocabulary, in the order of the ranks: the lengths of all tokens, one byte each, then their bytes; each of
//! the two deflated. `src/providers/count/vocabulary.rs` reads it.

use std::{env, error::Error, fs, io::Write, path::PathBuf};

use flate2::{Compression, write::DeflateEncoder};
use tiktoken_rs::{CoreBPE, Rank, cl100k_base, o200k_base};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let folder = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    for (name, vocabulary) in [("cl100k", cl100k_base()?), ("o200k", o200k_base()?)] {
        let (mut lengths, mut bytes) = (Vec::new(), Vec::new());
        for token in tokens(&vocabulary) {
            lengths.push(u8::try_from(token.len())?);
            bytes.extend(token);
        }
        fs::write(folder.join(format!("{name}.lengths")), deflated(&lengths)?)?;
        fs::write(folder.join(format!("{name}.bytes")), deflated(&bytes)?)?;
    }
    Ok(())
}

/// Every token, from rank 0 to the first rank that has none: there the special ones begin, which no text has.
fn tokens(vocabulary: &CoreBPE) -> impl Iterator<Item = Vec<u8>> {
    (0..Rank::MAX).map_while(|rank| vocabulary.decode_bytes(&[rank]).ok())
}

fn deflated(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

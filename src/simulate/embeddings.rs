//! `POST /v1/embeddings`: unit vectors that depend on the text, the model and the seed, so that equal texts are equal
//! wherever they stand.

use serde::Serialize;
use serde_json::{Value, json};

use super::{chance::Chance, count::count, fields::Fields, rejection::Rejection, reply::Reply};

/// What OpenAI's small model gives when nobody asks for another length.
const DIMENSIONS: u64 = 1536;
/// What its large one gives at most.
const MOST_DIMENSIONS: u64 = 3072;
/// Texts in one request at most, as with OpenAI.
const MOST_INPUTS: usize = 2048;

const INVALID_INPUT: Rejection = Rejection::Invalid {
    param: "input",
    expected: "a string or an array of tokens that is not empty, or an array of at most 2048 of them",
};

#[derive(Serialize)]
struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Floats(Vec<f32>),
    Base64(String),
}

#[derive(Serialize)]
struct Embeddings<'a> {
    object: &'static str,
    data: Vec<Embedding>,
    model: &'a str,
    usage: Value,
}

/// Answers an embeddings request.
pub(super) fn answer(fields: &Fields, seed: u64) -> Result<Reply, Rejection> {
    let model = fields.model()?;
    let inputs = inputs(fields.value("input").ok_or(Rejection::Missing("input"))?)?;
    let dimensions = fields.count("dimensions")?.unwrap_or(DIMENSIONS);
    if dimensions > MOST_DIMENSIONS {
        return Err(Rejection::Invalid {
            param: "dimensions",
            expected: "an integer less than or equal to 3072",
        });
    }
    let base64 = match fields.value("encoding_format").map(Value::as_str) {
        None | Some(Some("float")) => false,
        Some(Some("base64")) => true,
        Some(_) => {
            return Err(Rejection::Invalid {
                param: "encoding_format",
                expected: "'float' or 'base64'",
            });
        }
    };
    let tokens: u64 = inputs.iter().map(|(_, tokens)| tokens).sum();
    let data = inputs
        .iter()
        .enumerate()
        .map(|(index, (text, _))| {
            let chance = Chance::of(seed, &[model.as_bytes(), text.as_bytes()]);
            let floats = unit_vector(dimensions, chance);
            Embedding {
                object: "embedding",
                index,
                embedding: if base64 {
                    Vector::Base64(encode(&floats))
                } else {
                    Vector::Floats(floats)
                },
            }
        })
        .collect();
    let answer = Embeddings {
        object: "list",
        data,
        model,
        usage: json!({"prompt_tokens": tokens, "total_tokens": tokens}),
    };
    let json = serde_json::to_vec(&answer).map_err(|_| INVALID_INPUT)?;
    Ok(Reply::Whole {
        json: json.into(),
        tokens: 0,
    })
}

/// The texts and their tokens. Token numbers count one each and stand for the text of their JSON.
fn inputs(value: &Value) -> Result<Vec<(String, u64)>, Rejection> {
    let inputs: Option<Vec<(String, u64)>> = match value {
        Value::Array(items) if items.iter().all(Value::is_u64) => input(value).map(|one| vec![one]),
        Value::Array(items) if items.len() <= MOST_INPUTS => items.iter().map(input).collect(),
        Value::Array(_) => None,
        one => input(one).map(|one| vec![one]),
    };
    inputs.ok_or(INVALID_INPUT)
}

fn input(value: &Value) -> Option<(String, u64)> {
    match value {
        Value::String(text) if !text.is_empty() => Some((text.clone(), count(text))),
        Value::Array(tokens) if !tokens.is_empty() && tokens.iter().all(Value::is_u64) => {
            Some((value.to_string(), tokens.len() as u64))
        }
        _ => None,
    }
}

/// A vector of length one.
fn unit_vector(dimensions: u64, mut chance: Chance) -> Vec<f32> {
    let raw: Vec<f64> = (0..dimensions)
        .map(|_| {
            let sixteen_bits = u16::try_from(chance.number() >> 48).unwrap_or(0);
            f64::from(sixteen_bits) / 32_768.0 - 1.0
        })
        .collect();
    let length = raw.iter().map(|x| x * x).sum::<f64>().sqrt();
    raw.iter()
        .map(|x| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the wire format has 32-bit floats; precision is meant to be lost"
            )]
            let x = (x / length) as f32;
            x
        })
        .collect()
}

/// Little-endian 32-bit floats in padded base64 (RFC 4648 §4), which OpenAI's Python client asks for by default.
fn encode(floats: &[f32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = floats.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, i| {
            bits << 8 | chunk.get(i).copied().map_or(0, u32::from)
        });
        for i in 0..4 {
            // A chunk of n bytes has n + 1 digits; the rest is padding.
            if i <= chunk.len() {
                let digit = bits >> (18 - 6 * i) & 0x3f;
                text.push(char::from(ALPHABET[digit as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

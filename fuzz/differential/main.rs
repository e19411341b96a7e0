//! What Faregate reads of a body, compared with what Python's `json` and Node's `JSON.parse` read of the same bytes.
//!
//! `cargo run --release --example differential -- [bodies] [seed]`, in `fuzz/`. Bodies come from the corpus of
//! the target `json`, from a grammar, and from changes to both; every difference is printed, and is a failure.

mod bodies;
mod judge;

use std::{collections::BTreeMap, path::Path, process::ExitCode, time::Instant};

use bytes::Bytes;
use faregate::providers::{Ask, AskError, Endpoint};

use bodies::Bodies;
use judge::{Judge, Judged};

/// Bodies that are judged at once.
const BATCH: u64 = 5_000;

fn main() -> ExitCode {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|argument| argument.parse::<u64>());
    let mut number = |usual| arguments.next().and_then(Result::ok).unwrap_or(usual);
    let (wanted, seed) = (number(1_000_000), number(1));
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut bodies = Bodies::new(&home.join("corpus/json"), seed);
    let mut judges = [
        Judge::start("python3", &home.join("differential/judge.py")),
        Judge::start("node", &home.join("differential/judge.mjs")),
    ];
    let (mut done, mut different) = (0, 0);
    let mut verdicts: BTreeMap<&str, u64> = BTreeMap::new();
    let started = Instant::now();
    while done < wanted {
        let batch: Vec<Vec<u8>> = (0..BATCH.min(wanted - done))
            .map(|_| bodies.next())
            .collect();
        judges.iter_mut().for_each(|judge| judge.ask(&batch));
        let theirs: Vec<Vec<Judged>> = judges
            .iter_mut()
            .map(|judge| judge.hear(batch.len()))
            .collect();
        for (at, body) in batch.iter().enumerate() {
            let ours = Ask::read(Endpoint::ChatCompletions, &Bytes::copy_from_slice(body));
            *verdicts.entry(name(&ours)).or_default() += 1;
            for (judge, judged) in judges.iter().zip(&theirs) {
                if let Err(words) = agree(&ours, &judged[at], body) {
                    different += 1;
                    let shown = String::from_utf8_lossy(body);
                    println!(
                        "{}: {words}\n  body {shown:?}\n  ours {ours:?}\n  theirs {:?}",
                        judge.name, judged[at]
                    );
                }
            }
        }
        done += batch.len() as u64;
    }
    println!(
        "{done} bodies, seed {seed}, {} s, {different} differences",
        started.elapsed().as_secs()
    );
    println!("{verdicts:?}");
    ExitCode::from(u8::from(different > 0))
}

fn name(ours: &Result<Ask, AskError>) -> &'static str {
    match ours {
        Ok(_) => "read",
        Err(AskError::NotJson { .. }) => "not JSON",
        Err(AskError::NotAnObject) => "no object",
        Err(AskError::TooDeep { .. }) => "too deep",
        Err(AskError::Ambiguous { .. }) => "ambiguous",
        Err(_) => "wrong type or name",
    }
}

/// Whether both say the same of a body.
fn agree(ours: &Result<Ask, AskError>, theirs: &Judged, body: &[u8]) -> Result<(), &'static str> {
    match (ours, theirs) {
        (Ok(ask), Judged::Object(object)) => agree_on(ask, object),
        (Ok(_), _) => Err("it is no object there, and is read here"),
        (Err(AskError::NotJson { .. }), Judged::Rejected) => Ok(()),
        (Err(AskError::NotJson { .. }), _) => Err("it is JSON there, and not here"),
        (Err(AskError::NotAnObject), Judged::Other) => Ok(()),
        (Err(AskError::NotAnObject), _) => {
            Err("it is an object there, or no JSON, and is JSON here")
        }
        // Nobody has to go as deep as they do.
        (Err(AskError::TooDeep { .. }), _) => {
            let brackets = body
                .iter()
                .filter(|byte| matches!(byte, b'{' | b'['))
                .count();
            if brackets > 128 {
                Ok(())
            } else {
                Err("it is not that deep")
            }
        }
        // What comes behind the first fault is not read here.
        (Err(_), Judged::Rejected) => Ok(()),
        (Err(_), Judged::Other) => Err("it is no object there"),
        (Err(AskError::Ambiguous { .. }), Judged::Object(object)) => {
            let options = object.options_copies > 1;
            if !object.knows_copies || object.copies || options {
                Ok(())
            } else {
                Err("nothing is there twice, or in another case")
            }
        }
        // Of several copies the first wrong one counts here, and the last one there.
        (Err(AskError::WrongType { member, .. }), Judged::Object(object))
            if object.knows_copies && !object.copies =>
        {
            let right = match *member {
                "model" => object.model.is_some(),
                "stream" => object.stream_is_right,
                "max_tokens" => object.max_tokens_is_right,
                _ => false,
            };
            if right {
                Err("its type is right there")
            } else {
                Ok(())
            }
        }
        (Err(_), Judged::Object(_)) => Ok(()),
    }
}

fn agree_on(ask: &Ask, object: &judge::Object) -> Result<(), &'static str> {
    let model = ask.model.as_ref().map(|model| model.as_str());
    let limit = [&object.max_tokens, &object.max_completion_tokens];
    let limit = limit.into_iter().flatten().max();
    if model != object.model.as_deref() {
        Err("another model")
    } else if ask.stream != object.stream {
        Err("another answer to whether it is a stream")
    } else if !object.same_limit(ask.output_limit, limit.copied()) {
        Err("another limit")
    } else if object.knows_copies && object.copies {
        Err("something is there twice, or in another case")
    } else {
        Ok(())
    }
}

//! The recorded answers that the tests read.

use std::{fs, path::Path};

use crate::providers::Endpoint;

/// All fixtures of a kind (`sse` or `json`), by name.
pub(in crate::providers) fn fixtures(extension: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found = Vec::new();
    for vendor in ["anthropic", "openai"] {
        for entry in fs::read_dir(root.join(vendor)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|own| own == extension) {
                let stem = path.file_stem().expect("a name").to_string_lossy();
                let text = fs::read(&path).expect("a file");
                found.push((format!("{vendor}/{stem}"), text));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

/// The endpoint whose answer a fixture is.
pub(super) fn endpoint(name: &str) -> Endpoint {
    let (_, case) = name.split_once('/').expect("a vendor and a case");
    match case.split('-').next().expect("a first word") {
        "chat" => Endpoint::ChatCompletions,
        "completion" => Endpoint::Completions,
        "responses" => Endpoint::Responses,
        "embeddings" => Endpoint::Embeddings,
        "messages" | "error" => Endpoint::Messages,
        other => panic!("no endpoint for {other}"),
    }
}

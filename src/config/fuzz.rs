//! What must hold of any text that is taken for a configuration: it compiles, or the reader learns where it is wrong.

use std::path::Path;

use rustls::pki_types::CertificateDer;

use super::{Environment, parse, tree};
use crate::domain::Timestamp;

/// Variables whose values nobody must ever read again.
#[derive(Debug)]
struct Canaries;

const CANARY: &str = "canary-0123456789-0123456789-0123456789";

impl Environment for Canaries {
    fn get(&self, name: &str) -> Option<String> {
        match name {
            "EMPTY" => Some(String::new()),
            "PORT" => Some("0".to_owned()),
            _ if name.starts_with('A') || name.ends_with("KEY") => Some(CANARY.to_owned()),
            _ => None,
        }
    }

    fn system_roots(&self) -> Vec<CertificateDer<'static>> {
        Vec::new()
    }

    fn now(&self) -> Timestamp {
        Timestamp::default()
    }
}

/// A whole file.
pub(crate) fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // A file that it names may be a device that never ends a read.
    if text.contains("/dev") {
        return;
    }
    let lines = text
        .split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
        .count();
    if let Err(fault) = tree::parse(text) {
        assert!(!fault.text.is_empty());
        assert!(
            (1..=lines + 1).contains(&(fault.at.line as usize)),
            "line {}",
            fault.at.line
        );
        assert!(fault.at.column >= 1);
    }
    let path = Path::new("/nowhere/faregate.yaml");
    let compiled = parse(text, path, &Canaries);
    let again = parse(text, path, &Canaries);
    match (compiled, again) {
        (Ok(config), Ok(_)) => {
            assert!(
                !format!("{config:?}").contains("canary-0123"),
                "a secret is shown"
            );
            for warning in &config.warnings {
                assert!(!warning.to_string().contains("canary-0123"), "{warning}");
            }
        }
        (Err(problems), Err(again)) => {
            let said = problems.to_string();
            assert_eq!(said, again.to_string());
            assert!(problems.iter().next().is_some());
            assert!(!said.contains("canary-0123"), "{said}");
            assert!(!said.contains("fault of faregate"), "{said}");
            assert!(
                problems
                    .iter()
                    .all(|problem| problem.to_string().starts_with("/nowhere/"))
            );
        }
        (one, other) => {
            let words = [one.err(), other.err()];
            assert!(words[0] == words[1], "two readings differ: {words:?}");
        }
    }
}

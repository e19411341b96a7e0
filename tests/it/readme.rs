//! What README.md shows is what there is: its configurations compile, its codes and metrics are the daemon's.

use std::{collections::BTreeSet, fs, path::Path};

use faregate::{
    config::{self, Environment},
    refusal::Code,
    telemetry::{Metrics, Vocabulary},
};
use rustls::pki_types::CertificateDer;

/// The first line of a block that is a whole configuration; other YAML is not looked at.
const WHOLE: &str = "# faregate.yaml\n";

/// Every variable is set, to something that can be a secret, and one authority is trusted.
#[derive(Debug)]
struct Set;

impl Environment for Set {
    fn get(&self, name: &str) -> Option<String> {
        Some(format!("{name}-of-more-than-32-bytes-for-this-test"))
    }

    fn system_roots(&self) -> Vec<CertificateDer<'static>> {
        let authority = rcgen::generate_simple_self_signed(vec!["authority.test".to_owned()]);
        vec![authority.expect("a certificate").cert.der().clone()]
    }
}

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README")
}

/// The blocks of one language, in order.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let opening = format!("\n```{language}\n");
    text.split(&opening)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or(rest))
        .collect()
}

/// What stands between backticks in the first `columns` columns of the tables below a heading.
fn named<'t>(text: &'t str, heading: &str, columns: usize) -> Vec<(usize, &'t str)> {
    let (_, section) = text
        .split_once(&format!("\n## {heading}\n"))
        .expect("the heading");
    let section = section.split("\n## ").next().unwrap_or(section);
    let rows = section
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with('|'));
    rows.flat_map(|(row, line)| {
        let cells = line.split('|').skip(1).take(columns);
        cells.flat_map(move |cell| {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(move |word| (row, word))
        })
    })
    .collect()
}

#[test]
fn every_configuration_compiles() {
    let text = readme();
    let whole: Vec<&str> = blocks(&text, "yaml")
        .into_iter()
        .filter(|block| block.starts_with(WHOLE))
        .collect();
    assert!(
        whole.len() >= 5,
        "found {} whole configurations",
        whole.len()
    );
    for yaml in whole {
        config::parse(yaml, Path::new("README.md"), &Set)
            .unwrap_or_else(|problems| panic!("{problems}\n{yaml}"));
    }
}

#[test]
fn the_table_of_refusals_has_every_code_with_its_status() {
    let text = readme();
    let (_, section) = text.split_once("\n## Refusals\n").unwrap();
    let lines: Vec<&str> = section.lines().collect();
    let mut listed = BTreeSet::new();
    for (row, word) in named(&text, "Refusals", 2) {
        let code = Code::ALL.into_iter().find(|code| code.as_str() == word);
        let code = code.unwrap_or_else(|| panic!("{word} is no code"));
        let status = format!("| {} |", code.status().as_u16());
        assert!(
            lines[row].starts_with(&status),
            "{word} is a {}: {}",
            code.status(),
            lines[row]
        );
        assert!(listed.insert(code), "{word} is listed twice");
    }
    let missing: Vec<&str> = Code::ALL
        .into_iter()
        .filter(|code| !listed.contains(code))
        .map(Code::as_str)
        .collect();
    assert!(missing.is_empty(), "not in the table: {missing:?}");
}

#[test]
fn the_table_of_metrics_has_every_metric() {
    let metrics = Metrics::new(Vocabulary {
        dialects: &["openai"],
        codes: &["upstream_timeout"],
        outcomes: &["completed"],
    });
    metrics.provider("openai");
    let rendered = metrics.render();
    let there: BTreeSet<&str> = rendered
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let text = readme();
    let listed: BTreeSet<&str> = named(&text, "Metrics, logs, health", 1)
        .into_iter()
        .map(|(_, word)| word)
        .collect();
    assert_eq!(listed, there);
}

//! Every case of the catalogue has a row in `tests/README.md`, and every test that a row names exists.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// How many cases each letter has.
const CASES: [(char, u32); 11] = [
    ('A', 28),
    ('B', 19),
    ('C', 13),
    ('D', 24),
    ('E', 11),
    ('F', 25),
    ('G', 17),
    ('H', 20),
    ('I', 22),
    ('J', 10),
    ('K', 26),
];

/// The rows of the tables under `## Cases`: an id, and the whole line.
fn rows(page: &str) -> Vec<(String, &str)> {
    let (_, after) = page.split_once("\n## Cases\n").unwrap_or(("", ""));
    let section = after.split("\n## ").next().unwrap_or_default();
    let id = |line: &str| {
        let cell = line.strip_prefix('|')?.split('|').next()?.trim().to_owned();
        let (letter, number) = cell.split_once('-')?;
        let is_id = letter.len() == 1 && number.len() == 2 && number.parse::<u32>().is_ok();
        is_id.then_some(cell)
    };
    section
        .lines()
        .filter_map(|line| Some((id(line)?, line)))
        .collect()
}

/// Names of tests in a line, as `cargo test` prints them: what stands in backticks and has a module before its name.
fn names(line: &str) -> Vec<&str> {
    let is_name = |text: &&str| {
        let part = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        text.contains("::") && text.split("::").all(part)
    };
    line.split('`').skip(1).step_by(2).filter(is_name).collect()
}

/// The modules of a file, as the names of its tests begin.
fn modules(source: &Source) -> Vec<String> {
    let path = ["src/", "tests/it/", "tests/"].iter().find_map(|folder| source.path.strip_prefix(folder));
    let path = path.unwrap_or(&source.path);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').map(str::to_owned).collect()
}

fn exists(name: &str, sources: &[(Vec<String>, &Source)]) -> bool {
    let mut path: Vec<&str> = name.split("::").collect();
    let function = path.pop().unwrap_or_default();
    sources.iter().any(|(modules, source)| {
        // A module may be written inside of its parent's file.
        let above = modules.len() <= path.len() && modules.iter().zip(&path).all(|(one, other)| one == other);
        above && [format!("fn {function}("), format!("fn {function}<")].iter().any(|written| source.text.contains(written))
    })
}

#[test]
fn every_case_has_a_row_and_every_row_a_test() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/README.md")).unwrap();
    let mut count: BTreeMap<String, u32> = BTreeMap::new();
    let sources = Source::all(&["src", "tests"]);
    let sources: Vec<_> = sources.iter().map(|source| (modules(source), source)).collect();
    let mut wrong = Vec::new();
    for (id, line) in rows(&page) {
        *count.entry(id.clone()).or_default() += 1;
        let named = names(line);
        wrong.extend(named.iter().filter(|name| !exists(name, &sources)).map(|name| format!("{id}: there is no test {name}")));
        let cells = line.trim().trim_matches('|').split('|').map(str::trim);
        if cells.clone().count() != 5 || cells.clone().any(str::is_empty) {
            wrong.push(format!("{id}: a row has five cells, none empty"));
        }
    }
    let known: BTreeSet<String> = CASES
        .iter()
        .flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}-{number:02}")))
        .collect();
    for id in &known {
        match count.get(id) {
            Some(1) => {}
            Some(rows) => wrong.push(format!("{id}: {rows} rows")),
            None => wrong.push(format!("{id}: no row")),
        }
    }
    wrong.extend(count.keys().filter(|id| !known.contains(*id)).map(|id| format!("{id}: is no case")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_missing_row_and_a_name_that_nothing_has_are_found() {
    let page = "# Tests\n\n## Cases\n\n### A. Framing\n| id | case | test | when | last |\n|---|---|---|---|---|\n\
                | A-01 | x | `one::two::three`, `cargo test x::y`, `a::` | CI | ok |\n## More\n| A-02 | x | y | z | a |\n";
    let found = rows(page);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "A-01");
    assert_eq!(names(found[0].1), ["one::two::three"]);
    let source = Source::new("tests/it/one/two.rs", "async fn three() {}\nfn four<T>() {}");
    let sources = [(modules(&source), &source)];
    assert!(exists("one::two::three", &sources) && exists("one::two::four", &sources));
    assert!(exists("one::two::inside::three", &sources));
    assert!(!exists("one::three", &sources) && !exists("one::two::thre", &sources) && !exists("two::three", &sources));
}

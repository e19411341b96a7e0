//! Every case of the catalogue has a row in `tests/README.md`, and every test that a row names exists.

use std::collections::BTreeSet;

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

/// The rows of the tables under `## Cases`: an id, and the whole line. A row may be about several cases that share a
/// sentence: `G-03, G-04` or `H-10 to H-16`.
fn rows(page: &str) -> Vec<(String, &str)> {
    let (_, after) = page.split_once("\n## Cases\n").unwrap_or(("", ""));
    let section = after.split("\n## ").next().unwrap_or_default();
    let about = |line| ids(line).into_iter().map(move |id| (id, line));
    section.lines().flat_map(about).collect()
}

/// What a row is about; nothing for a line that is none.
fn ids(line: &str) -> Vec<String> {
    let cell = line
        .strip_prefix('|')
        .and_then(|rest| rest.split('|').next());
    let cell = cell.unwrap_or_default().trim();
    if let Some((first, last)) = cell.split_once(" to ") {
        return match (number(first), number(last)) {
            (Some((letter, first)), Some((same, last))) if letter == same => (first..=last)
                .map(|number| format!("{letter}-{number:02}"))
                .collect(),
            _ => Vec::new(),
        };
    }
    let all: Option<Vec<_>> = cell
        .split(", ")
        .map(|id| number(id).map(|_| id.to_owned()))
        .collect();
    all.unwrap_or_default()
}

/// Letter and number of `A-01`.
fn number(id: &str) -> Option<(&str, u32)> {
    let (letter, number) = id.split_once('-')?;
    let plain = letter.len() == 1 && number.len() == 2;
    Some((letter, number.parse().ok()?)).filter(|_| plain)
}

/// Names of tests in a line, as `cargo test` prints them: what stands in backticks and has a module before its name.
fn names(line: &str) -> Vec<&str> {
    let is_name = |text: &&str| {
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        text.contains("::") && text.split("::").all(part)
    };
    line.split('`').skip(1).step_by(2).filter(is_name).collect()
}

/// The modules of a file, as the names of its tests begin.
fn modules(source: &Source) -> Vec<String> {
    let path = ["src/", "tests/it/", "tests/"]
        .iter()
        .find_map(|folder| source.path.strip_prefix(folder));
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
        let above = modules.len() <= path.len()
            && modules.iter().zip(&path).all(|(one, other)| one == other);
        above
            && [format!("fn {function}("), format!("fn {function}<")]
                .iter()
                .any(|written| source.text.contains(written))
    })
}

#[test]
fn every_case_has_a_row_and_every_row_a_test() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/README.md")).unwrap();
    let mut told = BTreeSet::new();
    let sources = Source::all(&["src", "tests"]);
    let sources: Vec<_> = sources
        .iter()
        .map(|source| (modules(source), source))
        .collect();
    let mut wrong = Vec::new();
    let mut last = String::new();
    for (id, line) in rows(&page) {
        // Parts of a case stand together.
        let again = !told.insert(id.clone());
        if again && last != id {
            wrong.push(format!("{id}: has rows in two places"));
        }
        last.clone_from(&id);
        let named = names(line);
        let unknown = named.iter().filter(|name| !exists(name, &sources));
        wrong.extend(unknown.map(|name| format!("{id}: there is no test {name}")));
        let cells = line.trim().trim_matches('|').split('|').map(str::trim);
        if cells.clone().count() != 5 || cells.clone().any(str::is_empty) {
            wrong.push(format!("{id}: a row has five cells, none empty"));
        }
    }
    let known: BTreeSet<String> = CASES
        .iter()
        .flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}-{number:02}")))
        .collect();
    let missing = known.iter().filter(|id| !told.contains(*id));
    wrong.extend(missing.map(|id| format!("{id}: no row")));
    let strange = told.difference(&known);
    wrong.extend(strange.map(|id| format!("{id}: is no case")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Variables that ask no test for more: seeds, files, what a machine has to have, and what tests set for others.
const NO_ROUNDS: [&str; 7] = [
    "FAREGATE_SEED",
    "FAREGATE_CONFIG",
    "FAREGATE_SOAK_ONLY",
    "FAREGATE_NOWHERE_SET",
    "FAREGATE_TESTS_NEED_PYTHON",
    "FAREGATE_TESTS_NEED_STRACE",
    "FAREGATE_X",
];

/// The quoted names of variables of ours in a text.
fn variables(text: &str) -> Vec<&str> {
    let quoted = text
        .match_indices("\"FAREGATE_")
        .filter_map(|(at, _)| text.get(at + 1..)?.split('"').next());
    quoted
        .filter(|name| {
            name.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
        .collect()
}

#[test]
fn every_run_that_takes_longer_is_one_of_one_command() {
    let runs =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/long.sh")).unwrap();
    let mut sources = Source::all(&["src", "tests"]);
    sources.retain(|source| source.is_test() && !source.path.starts_with("tests/it/architecture/"));
    let asked: BTreeSet<&str> = sources
        .iter()
        .flat_map(|source| variables(&source.text))
        .collect();
    assert!(asked.len() > 10, "{asked:?}");
    let others = |name: &&&str| !NO_ROUNDS.contains(*name) && !name.starts_with("FAREGATE_TEST_");
    let missing: Vec<_> = asked
        .iter()
        .filter(others)
        .filter(|name| !runs.contains(&format!("{name}=")))
        .collect();
    assert!(missing.is_empty(), "not in tests/long.sh: {missing:?}");
    assert_eq!(
        variables("var(\"FAREGATE_X\"), \"FAREGATE_lower\""),
        ["FAREGATE_X"]
    );
}

#[test]
fn a_missing_row_and_a_name_that_nothing_has_are_found() {
    let page = "# Tests\n\n## Cases\n\n### A. Framing\n| id | case | test | when | last |\n|---|---|---|---|---|\n\
                | A-01 | x | `one::two::three`, `cargo test x::y`, `a::` | CI | ok |\n## More\n| A-02 | x | y | z | a |\n";
    for (line, about) in [
        ("| A-01 | x |", &["A-01"][..]),
        ("| G-03, G-04 | x |", &["G-03", "G-04"]),
        ("| H-10 to H-12 | x |", &["H-10", "H-11", "H-12"]),
        ("| G12 | x |", &[]),
        ("| G-11b | x |", &[]),
        ("| id | case |", &[]),
        ("A-01", &[]),
    ] {
        assert_eq!(ids(line), about, "{line}");
    }
    let found = rows(page);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "A-01");
    assert_eq!(names(found[0].1), ["one::two::three"]);
    let source = Source::new(
        "tests/it/one/two.rs",
        "async fn three() {}\nfn four<T>() {}",
    );
    let sources = [(modules(&source), &source)];
    assert!(exists("one::two::three", &sources) && exists("one::two::four", &sources));
    assert!(exists("one::two::inside::three", &sources));
    assert!(
        !exists("one::three", &sources)
            && !exists("one::two::thre", &sources)
            && !exists("two::three", &sources)
    );
}

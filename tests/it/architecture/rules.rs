//! The rules themselves: each takes source and gives the places that break it, in words.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// Names under which everything ends up that nobody wanted to name; cycles between modules begin there.
const BANNED: [&str; 5] = ["util", "common", "types", "helpers", "error"];

/// What is not finished, or was left behind while looking for something.
const UNFINISHED: [&str; 3] = ["dbg!", "todo!", "unimplemented!"];

/// Lines of a file at most.
const LONGEST: usize = 500;

/// What takes from a limit or proves that it was taken, and the one place that may call it. From outside the crate
/// visibility keeps it; inside, only this.
const EVIDENCE: [(&str, &str); 5] = [
    ("Book::hold)", "src/admission/reserve.rs"),
    (".enter(", "src/admission/rate.rs"),
    ("ledger.reserve(", "src/admission/weigh.rs"),
    ("Reservation::open(", "src/admission/reserve.rs"),
    // What came from outside is verified by its signature; only what was kept needs none.
    ("Verified::kept(", "src/app/event_applier.rs"),
];

/// Modules that money goes through: what is counted there is whole numbers, and no number is read through a float.
const MONEY: [&str; 6] = [
    "domain",
    "prices",
    "accounts",
    "admission",
    "metering",
    "store",
];

/// A dependency that the ranks forbid and that stands all the same.
#[derive(Debug)]
pub(super) struct Exception {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    /// Why it has to be.
    pub(super) reason: &'static str,
}

pub(super) type Ranks = BTreeMap<String, u32>;

/// The ranks that the table in the crate's documentation gives.
pub(super) fn table(documentation: &str) -> Ranks {
    let rows = documentation.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("//! |")?.split('|').map(str::trim);
        let rank = cells.next()?.parse().ok()?;
        let name = cells.next()?.strip_prefix("[`")?.strip_suffix("`]")?;
        Some((name.to_owned(), rank))
    });
    rows.collect()
}

/// Modules without a row in the table, and rows without a module.
pub(super) fn unlisted(root: &Source, ranks: &Ranks) -> Vec<String> {
    let declared: BTreeSet<&str> = root
        .code
        .lines()
        .filter_map(|line| {
            let line = line.trim();
            let line = line.strip_prefix("pub ").unwrap_or(line);
            line.strip_prefix("mod ")?.strip_suffix(';')
        })
        .collect();
    let listed: BTreeSet<&str> = ranks.keys().map(String::as_str).collect();
    declared
        .symmetric_difference(&listed)
        .map(|name| {
            format!(
                "{}: `{name}` is declared or in the table, not both",
                root.path
            )
        })
        .collect()
}

/// Dependencies that do not lead to a lower rank, less the exceptions; and exceptions that nothing needs.
pub(super) fn upward(sources: &[Source], ranks: &Ranks, exceptions: &[Exception]) -> Vec<String> {
    let test_only: BTreeSet<String> = sources.iter().flat_map(test_modules).collect();
    let mut found = BTreeSet::new();
    let mut needed = BTreeSet::new();
    for source in sources {
        let modules = source.modules();
        let from = modules[0];
        if from == "lib" || source.is_test() || test_only.contains(&modules.join("::")) {
            continue;
        }
        for to in dependencies(source) {
            let lower = match (ranks.get(from), ranks.get(to.as_str())) {
                (Some(from), Some(to)) => to < from,
                _ => false,
            };
            if to == from || lower {
                continue;
            }
            let excused = exceptions
                .iter()
                .position(|excused| excused.from == from && excused.to == to);
            match excused {
                Some(index) => _ = needed.insert(index),
                None => _ = found.insert(format!("{}: {from} must not use {to}", source.path)),
            }
        }
    }
    let idle = exceptions.iter().enumerate();
    found.extend(
        idle.filter(|(index, exception)| !needed.contains(index) || exception.reason.is_empty())
            .map(|(_, Exception { from, to, .. })| {
                format!("{from} → {to}: the exception has no reason or no use")
            }),
    );
    found.into_iter().collect()
}

/// The files of modules that are declared for tests only.
fn test_modules(source: &Source) -> Vec<String> {
    let (_, declared) = source.shipped();
    let parent = source.modules().join("::");
    declared
        .into_iter()
        .map(|name| format!("{parent}::{name}"))
        .collect()
}

/// The top-level modules that the shipped code of a file names, by `crate::` or by enough `super::`.
pub(super) fn dependencies(source: &Source) -> BTreeSet<String> {
    let (code, _) = source.shipped();
    // White space means nothing in a path, and everything between keywords: only that around `::` and braces goes.
    let code: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let code = code.replace(":: ", "::").replace(" ::", "::");
    let up = "super::".repeat(source.modules().len());
    let mut found = BTreeSet::new();
    for start in ["crate::", &up] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|before| before.is_alphanumeric() || "_:$".contains(before)) {
                continue;
            }
            let after = &code[at + start.len()..];
            found.extend(heads(after));
        }
    }
    found
}

/// The first names of a path or of a list of paths.
fn heads(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim()
            .chars()
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect()
    };
    let Some(list) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut depth = 0_usize;
    let mut heads = vec![name(list)];
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(name(&list[at + 1..])),
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

/// A file that is too long to be read at once.
pub(super) fn too_long(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let words = format!("{}: {lines} lines, at most {LONGEST}", source.path);
    (lines > LONGEST).then_some(words).into_iter().collect()
}

/// A name that says nothing.
pub(super) fn banned_names(source: &Source) -> Vec<String> {
    let declared = source.code.lines().filter_map(|line| {
        let name = line.split_once("mod ")?.1;
        Some(name.trim_end_matches([';', '{', ' ']))
    });
    let names: BTreeSet<&str> = source.modules().into_iter().chain(declared).collect();
    BANNED
        .iter()
        .filter(|banned| names.contains(*banned))
        .map(|name| format!("{}: a module named `{name}`", source.path))
        .collect()
}

/// `use …::*`, which hides where a name comes from.
pub(super) fn globs(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in source.code.match_indices("use ") {
        let starts_word = source.code[..at]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric() && before != '_');
        let statement = source.code[at..].split(';').next().unwrap_or_default();
        if starts_word && statement.contains('*') {
            let line = source.code[..at].lines().count().max(1);
            found.push(format!("{}:{line}: a glob import", source.path));
        }
    }
    found
}

/// A file of the program that does not say what it owns.
pub(super) fn undocumented(source: &Source) -> Vec<String> {
    let documented = source.is_test() || source.text.starts_with("//! ");
    let words = format!("{}: no module documentation", source.path);
    (!documented).then_some(words).into_iter().collect()
}

/// What has no place in a finished file.
pub(super) fn unfinished(source: &Source) -> Vec<String> {
    let has = |what: &&&str| {
        source.code.match_indices(**what).any(|(at, _)| {
            let before = source.code[..at].chars().next_back();
            before.is_none_or(|before| !before.is_alphanumeric() && before != '_')
        })
    };
    UNFINISHED
        .iter()
        .filter(has)
        .map(|what| format!("{}: `{what}`", source.path))
        .collect()
}

/// Evidence that is made elsewhere than in its check.
pub(super) fn forged(source: &Source) -> Vec<String> {
    if source.is_test() {
        return Vec::new();
    }
    let code: String = source.shipped().0.split_whitespace().collect();
    EVIDENCE
        .iter()
        .filter(|(call, place)| source.path != *place && code.contains(call))
        .map(|(call, place)| format!("{}: `{call}` belongs to {place}", source.path))
        .collect()
}

/// Floating point where money is.
pub(super) fn floats(source: &Source) -> Vec<String> {
    if source.is_test() || !MONEY.contains(&source.modules()[0]) {
        return Vec::new();
    }
    let word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let code = source.shipped().0;
    let mut words = code.split(|letter| !word(letter));
    let float = |word: &str| {
        let digits = word.starts_with(|letter: char| letter.is_ascii_digit());
        let suffixed = digits && (word.ends_with("f32") || word.ends_with("f64"));
        matches!(word, "f32" | "f64") || word.contains("_f32") || word.contains("_f64") || suffixed
    };
    let found = words.find(|word| float(word)).or_else(|| literal(&code));
    found
        .map(|word| format!("{}: `{word}` where money is", source.path))
        .into_iter()
        .collect()
}

/// A number with a point, which is a float without a name. `tuple.0.1` is none.
fn literal(code: &str) -> Option<&str> {
    let digit = |letter: char| letter.is_ascii_digit() || letter == '_';
    code.match_indices('.').find_map(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + 1..]);
        let start = before.trim_end_matches(digit).len();
        let other = before[..start].chars().next_back();
        let named = other.is_some_and(|letter| letter.is_alphanumeric() || letter == '.');
        let number =
            start < at && !named && after.starts_with(|letter: char| letter.is_ascii_digit());
        number.then(|| &code[start..=at + 1])
    })
}

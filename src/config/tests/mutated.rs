use std::path::Path;

use proptest::{
    collection,
    prelude::{Strategy, any, prop_assert, proptest},
    sample::{Index, select},
};

use super::Fixed;
use crate::config::parse;

const SHIPPED: [&str; 3] = [
    include_str!("../../../config/quickstart.yaml"),
    include_str!("../../../config/minimal.yaml"),
    include_str!("../../../config/full.yaml"),
];

/// Pieces that mean something somewhere.
const PIECES: [&str; 24] = [
    ":",
    ": ",
    "\n",
    "\n  ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "#",
    "&a ",
    "*a",
    "<<: *a",
    "---\n",
    "~",
    "0",
    "-1",
    "${A",
    "${A}",
    "\t",
    "ü",
    "{file: x}",
];

/// What happens to a text at a place.
#[derive(Debug, Clone)]
enum Change {
    Insert(&'static str),
    DeleteLine,
    RepeatLine,
    DeleteCharacters(usize),
}

fn change() -> impl Strategy<Value = (Index, Change)> {
    let change =
        (0..4_u8, select(&PIECES[..]), 1..20_usize).prop_map(|(which, piece, count)| match which {
            0 => Change::DeleteLine,
            1 => Change::RepeatLine,
            2 => Change::DeleteCharacters(count),
            _ => Change::Insert(piece),
        });
    (any::<Index>(), change)
}

fn changed(text: &str, changes: &[(Index, Change)]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for (index, change) in changes.iter().filter(|_| !text.is_empty()) {
        if letters.is_empty() {
            break;
        }
        let at = index.index(letters.len());
        let before = letters[..at].iter().rposition(|letter| *letter == '\n');
        let start = before.map_or(0, |before| before + 1);
        let end = letters[at..].iter().position(|letter| *letter == '\n');
        let end = end.map_or(letters.len(), |end| at + end + 1).max(start);
        match change {
            Change::Insert(piece) => {
                letters.splice(at..at, piece.chars());
            }
            Change::DeleteLine => {
                letters.drain(start..end);
            }
            Change::RepeatLine => {
                let line = letters[start..end].to_vec();
                letters.splice(end..end, line);
            }
            Change::DeleteCharacters(count) => {
                let last = (at + count).min(letters.len());
                letters.drain(at..last);
            }
        }
    }
    letters.into_iter().collect()
}

proptest! {
    #[test]
    fn a_changed_file_compiles_or_says_why(
        file in select(&SHIPPED[..]),
        changes in collection::vec(change(), 1..6),
    ) {
        let text = changed(file, &changes);
        let environment = Fixed::with(&[("OPENAI_API_KEY", "canary-of-openai"), ("TEAM_KEY", "canary-of-the-team")]);
        match parse(&text, Path::new("faregate.yaml"), &environment) {
            Ok(config) => {
                let shown = format!("{config:?}");
                prop_assert!(!shown.contains("canary"));
            }
            Err(problems) => {
                prop_assert!(problems.iter().next().is_some());
                let said = problems.to_string();
                prop_assert!(!said.contains("canary"), "{}", said);
                prop_assert!(!said.contains("fault of faregate"), "{}", said);
            }
        }
    }
}

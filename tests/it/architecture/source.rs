//! Rust source as the rules read it: without comments, literals and test code.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One source file.
#[derive(Debug)]
pub(super) struct Source {
    /// From the repository's root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// The text with comments and literals blanked. As many lines as before, so that places stay true.
    pub(super) code: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code: blank(text),
        }
    }

    /// Every `.rs` file below these folders of the repository.
    pub(super) fn all(folders: &[&str]) -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut paths = Vec::new();
        for folder in folders {
            gather(&root.join(folder), &mut paths);
        }
        paths.sort();
        let read = |path: PathBuf| {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            Self::new(name, &fs::read_to_string(&path).unwrap())
        };
        paths.into_iter().map(read).collect()
    }

    /// The modules from the crate's root down to this file.
    pub(super) fn modules(&self) -> Vec<&str> {
        let path = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let path = path.strip_suffix(".rs").unwrap_or(path);
        let path = path.strip_suffix("/mod").unwrap_or(path);
        path.split('/').collect()
    }

    /// Whether the whole file is test code by its place.
    pub(super) fn is_test(&self) -> bool {
        !self.path.starts_with("src/") || self.modules().contains(&"tests")
    }

    /// The code without items under `#[cfg(test)]`, and the names of the modules declared by such items.
    pub(super) fn shipped(&self) -> (String, Vec<String>) {
        const MARK: &str = "#[cfg(test)]";
        let mut kept = String::new();
        let mut modules = Vec::new();
        let mut rest = self.code.as_str();
        while let Some(at) = rest.find(MARK) {
            kept.push_str(&rest[..at]);
            let item = &rest[at + MARK.len()..];
            let end = item_end(item);
            if let Some(name) = item[..end].trim().strip_prefix("mod ") {
                modules.extend(name.strip_suffix(';').map(|name| name.trim().to_owned()));
            }
            rest = &item[end..];
        }
        kept.push_str(rest);
        (kept, modules)
    }
}

fn gather(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(path);
        }
    }
}

/// Where the item at the start of `code` ends: at its semicolon, or at the brace that closes its block.
fn item_end(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in code.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Replaces comments and the insides of literals by spaces, and keeps every line break.
pub(super) fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let before = code.chars().next_back();
        let in_name = before.is_some_and(|before| before.is_alphanumeric() || before == '_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if letter == '"' {
            string(rest)
        } else if letter == '\'' {
            character(rest)
        } else if !in_name && matches!(letter, 'r' | 'b' | 'c') {
            raw_string(rest)
        } else {
            0
        };
        if length == 0 {
            code.push(letter);
            rest = &rest[letter.len_utf8()..];
        } else {
            let blanked = rest[..length]
                .chars()
                .map(|letter| if letter == '\n' { '\n' } else { ' ' });
            code.extend(blanked);
            rest = &rest[length..];
        }
    }
    code
}

/// The length of the block comment at the start; they nest.
fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if text[at..].starts_with("*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the string at the start.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of the character literal at the start; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut letters = text.char_indices().skip(1);
    match letters.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(text.len(), |end| end + 4),
        Some(_) => match letters.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// The length of the raw string at the start; 0 where there is none.
fn raw_string(text: &str) -> usize {
    let Some(after) = ["r", "br", "cr"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
    else {
        return 0;
    };
    let hashes = after.len() - after.trim_start_matches('#').len();
    let Some(inside) = after[hashes..].strip_prefix('"') else {
        return 0;
    };
    let end = format!("\"{}", &after[..hashes]);
    let start = text.len() - inside.len();
    inside
        .find(&end)
        .map_or(text.len(), |at| start + at + end.len())
}

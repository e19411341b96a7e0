//! What is wrong with a file, where, and what to do about it.

use std::{fmt, mem, path::PathBuf, sync::Arc};

/// A position in the file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    /// In characters.
    pub(crate) column: usize,
}

/// A position and the keys that lead to it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) position: Position,
    pub(crate) path: String,
}

/// One thing that is wrong, or worth a second look. It never contains a secret's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    file: Arc<str>,
    position: Option<Position>,
    path: String,
    text: String,
    hint: Option<String>,
}

/// Everything that is wrong with a file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// Collects problems and warnings; nothing stops at the first.
#[derive(Debug)]
pub(crate) struct Report {
    file: Arc<str>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    files: Vec<PathBuf>,
}

impl Place {
    /// The place of `name` below this one, at `position`.
    pub(crate) fn below(&self, name: &str, position: Position) -> Self {
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        Self { position, path }
    }

    /// The place of the item `index` of the list here.
    pub(crate) fn item(&self, index: usize, position: Position) -> Self {
        let path = format!("{}[{index}]", self.path);
        Self { position, path }
    }
}

impl Problem {
    /// Says what to do about it.
    pub(crate) fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }

    /// The file, as messages name it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Line and column, counted from 1; `None` where it is about the whole file.
    pub fn position(&self) -> Option<(usize, usize)> {
        let Position { line, column } = self.position?;
        Some((line, column))
    }

    /// The keys that lead there; empty for the whole file.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What to do about it, where that is known.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Says what to do about it, where that is known.
    pub(crate) fn maybe_hint(&mut self, hint: Option<String>) {
        self.hint = hint;
    }
}

impl Problems {
    /// A single problem of the whole file.
    pub(crate) fn of_file(file: &str, text: String, hint: &str) -> Self {
        Self(vec![Problem {
            file: file.into(),
            position: None,
            path: String::new(),
            text,
            hint: Some(hint.to_owned()),
        }])
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl Report {
    /// The file, as messages name it.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    pub(crate) fn new(file: &str) -> Self {
        Self {
            file: file.into(),
            problems: Vec::new(),
            warnings: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Notes another file that the text depends on.
    pub(crate) fn reads(&mut self, file: PathBuf) {
        self.files.push(file);
    }

    /// The other files, each as often as it is named.
    pub(crate) fn take_files(&mut self) -> Vec<PathBuf> {
        mem::take(&mut self.files)
    }

    /// Notes something that keeps the file from being used.
    pub(crate) fn problem(&mut self, place: &Place, text: impl Into<String>) -> &mut Problem {
        push(&mut self.problems, &self.file, place, text.into())
    }

    /// Notes something that is allowed and seldom meant.
    pub(crate) fn warning(&mut self, place: &Place, text: impl Into<String>) -> &mut Problem {
        push(&mut self.warnings, &self.file, place, text.into())
    }

    /// The warnings with `whole`, or the problems where there are any.
    pub(crate) fn finish<T>(self, whole: Option<T>) -> Result<(T, Vec<Problem>), Problems> {
        let Self {
            file,
            mut problems,
            mut warnings,
            files: _,
        } = self;
        problems.sort_by_key(|problem| problem.position);
        warnings.sort_by_key(|problem| problem.position);
        match whole {
            Some(whole) if problems.is_empty() => Ok((whole, warnings)),
            None if problems.is_empty() => Err(Problems::of_file(
                &file,
                "could not be compiled, and the reason was not noted".to_owned(),
                "this is a fault of faregate; please report it with the file",
            )),
            _ => Err(Problems(problems)),
        }
    }
}

fn push<'a>(
    list: &'a mut Vec<Problem>,
    file: &Arc<str>,
    place: &Place,
    text: String,
) -> &'a mut Problem {
    list.push_mut(Problem {
        file: Arc::clone(file),
        position: Some(place.position),
        path: place.path.clone(),
        text,
        hint: None,
    })
}

impl fmt::Display for Problem {
    /// `file:line:column: path: what is wrong`, and a line with a hint where there is one; `{:#}` leaves that line out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.text)?;
        match &self.hint {
            Some(hint) if !f.alternate() => write!(f, "\n  hint: {hint}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

//! What is wrong with a file, where, and what to do about it.

use std::{
    fmt::{self, Write as _},
    path::PathBuf,
    sync::Arc,
};

use crate::domain::is_unseen;

/// A position in the file, counted from 1. There are millions of them in a large file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u32,
    /// In characters.
    pub(crate) column: u32,
}

/// A position and the keys that lead to it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) position: Position,
    above: Inside,
    step: Step,
}

/// A section or list, as what leads to everything in it. Cloning is shallow.
#[derive(Debug, Clone)]
pub(crate) struct Inside(Option<Arc<Way>>);

/// The keys that lead to a section or list.
#[derive(Debug)]
struct Way {
    above: Inside,
    step: Step,
}

/// The last part of a way.
#[derive(Debug, Clone)]
enum Step {
    /// None: it is the whole file.
    Root,
    /// A key that is known.
    Known(&'static str),
    /// A name that somebody chose.
    Chosen(Box<str>),
    /// An item of a list.
    Item(usize),
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
pub struct Problems {
    list: Vec<Problem>,
    files: Vec<PathBuf>,
}

/// Collects problems and warnings; nothing stops at the first.
#[derive(Debug)]
pub(crate) struct Report {
    file: Arc<str>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    files: Vec<PathBuf>,
}

impl Position {
    /// A position as the parser counts: lines from 1, columns from 0.
    pub(crate) fn of(line: usize, column: usize) -> Self {
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            line: count(line),
            column: count(column).saturating_add(1),
        }
    }
}

impl Place {
    /// The whole file.
    pub(crate) const fn root(position: Position) -> Self {
        Self {
            position,
            above: Inside(None),
            step: Step::Root,
        }
    }

    /// What is here, for the places of everything in it.
    pub(crate) fn inside(&self) -> Inside {
        if matches!(self.step, Step::Root) {
            return Inside(None);
        }
        Inside(Some(Arc::new(Way {
            above: self.above.clone(),
            step: self.step.clone(),
        })))
    }

    /// The section or list that it stands in.
    pub(crate) const fn above(&self) -> &Inside {
        &self.above
    }
}

impl Inside {
    /// The place of a key that is known, at `position`.
    pub(crate) fn key(&self, name: &'static str, position: Position) -> Place {
        self.place(Step::Known(name), position)
    }

    /// The place of a name that somebody chose.
    pub(crate) fn name(&self, name: &str, position: Position) -> Place {
        self.place(Step::Chosen(name.into()), position)
    }

    /// The place of the item `index` of a list.
    pub(crate) fn item(&self, index: usize, position: Position) -> Place {
        self.place(Step::Item(index), position)
    }

    fn place(&self, step: Step, position: Position) -> Place {
        Place {
            position,
            above: self.clone(),
            step,
        }
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
        Some((usize::try_from(line).ok()?, usize::try_from(column).ok()?))
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
        let problem = Problem {
            file: file.into(),
            position: None,
            path: String::new(),
            text,
            hint: Some(hint.to_owned()),
        };
        Self {
            list: vec![problem],
            files: Vec::new(),
        }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// The other files that it names, as far as it could be read: one of them may be what is wrong.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
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

    /// Notes something that keeps the file from being used.
    pub(crate) fn problem(&mut self, place: &Place, text: impl Into<String>) -> &mut Problem {
        push(&mut self.problems, &self.file, place, text.into())
    }

    /// Notes something that is allowed and seldom meant.
    pub(crate) fn warning(&mut self, place: &Place, text: impl Into<String>) -> &mut Problem {
        push(&mut self.warnings, &self.file, place, text.into())
    }

    /// The warnings with `whole`, and the other files, each as often as it is named; or the problems where there are any.
    pub(crate) fn finish<T>(
        self,
        whole: Option<T>,
    ) -> Result<(T, Vec<Problem>, Vec<PathBuf>), Problems> {
        let Self {
            file,
            mut problems,
            mut warnings,
            files,
        } = self;
        problems.sort_by_key(|problem| problem.position);
        warnings.sort_by_key(|problem| problem.position);
        match whole {
            Some(whole) if problems.is_empty() => Ok((whole, warnings, files)),
            None if problems.is_empty() => Err(Problems::of_file(
                &file,
                "could not be compiled, and the reason was not noted".to_owned(),
                "this is a bug in faregate; please report it with the file",
            )),
            _ => Err(Problems {
                list: problems,
                files,
            }),
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
        path: place.to_string(),
        text,
        hint: None,
    })
}

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_deref() {
            Some(way) => step(f, &way.above, &way.step),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Place {
    /// The keys that lead there, such as `accounts[2].keys[0].id`; nothing for the whole file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        step(f, &self.above, &self.step)
    }
}

fn step(f: &mut fmt::Formatter<'_>, above: &Inside, step: &Step) -> fmt::Result {
    write!(f, "{above}")?;
    let dot = if above.0.is_some() { "." } else { "" };
    match step {
        Step::Root => Ok(()),
        Step::Known(name) => write!(f, "{dot}{name}"),
        Step::Chosen(name) => {
            f.write_str(dot)?;
            let seen = |c: char| if is_unseen(c) { '\u{fffd}' } else { c };
            name.chars().map(seen).try_for_each(|c| f.write_char(c))
        }
        Step::Item(index) => write!(f, "[{index}]"),
    }
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
        for (index, problem) in self.list.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

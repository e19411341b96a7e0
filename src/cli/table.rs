//! Aligned columns for people.

use std::{borrow::Cow, fmt};

use crate::domain::is_unseen;

/// A heading and rows of the same length. Numbers stand on the right.
#[derive(Debug)]
pub(super) struct Table {
    names: Vec<&'static str>,
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
    heading: Heading,
}

/// How headings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heading {
    /// As everything else.
    Plain,
    /// In bold letters, for a terminal.
    Bold,
}

impl Heading {
    pub(super) fn written(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Plain => Cow::Borrowed(text),
            Self::Bold => Cow::Owned(format!("\x1b[1m{text}\x1b[0m")),
        }
    }
}

impl Table {
    /// A table with these columns; one whose name starts with `>` stands on the right.
    pub(super) fn new(columns: &[&'static str], heading: Heading) -> Self {
        Self {
            names: columns
                .iter()
                .map(|name| name.trim_start_matches('>'))
                .collect(),
            right: columns.iter().map(|name| name.starts_with('>')).collect(),
            rows: Vec::new(),
            heading,
        }
    }

    /// Adds a row. What a terminal would take for a command, or would not show, is replaced; an empty cell becomes a dash.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let shown = cells.into_iter().map(|cell| {
            if cell.is_empty() {
                return "-".to_owned();
            }
            let visible = |c: char| if is_unseen(c) { '\u{fffd}' } else { c };
            cell.chars().map(visible).collect()
        });
        self.rows.push(shown.collect());
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widths = cells.map(|cell| cell.chars().count());
        widths.fold(self.names[column].len(), usize::max)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..self.names.len())
            .map(|column| self.width(column))
            .collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let mut line = String::new();
            for ((cell, width), right) in cells.zip(&widths).zip(&self.right) {
                if !line.is_empty() {
                    line.push_str("  ");
                }
                if *right {
                    line.push_str(&format!("{cell:>width$}"));
                } else {
                    line.push_str(&format!("{cell:<width$}"));
                }
            }
            line.truncate(line.trim_end().len());
            line
        };
        let names = line(&mut self.names.iter().copied());
        writeln!(f, "{}", self.heading.written(&names))?;
        for row in &self.rows {
            writeln!(f, "{}", line(&mut row.iter().map(String::as_str)))?;
        }
        Ok(())
    }
}

//! Where a command writes. Tests read it; the process has its standard streams.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
};

use super::{Failure, exit::Exit, table::Heading};

/// Results go to `out`, which may be a pipe into another program; everything said to a person goes to `notes`.
pub struct Terminal<'a> {
    out: Box<dyn Write + 'a>,
    notes: Box<dyn Write + 'a>,
    heading: Heading,
    /// Whether somebody watches the notes.
    watched: bool,
}

impl Terminal<'_> {
    /// The standard streams. `color` says whether a terminal may be given colours (`NO_COLOR` is not set).
    pub fn standard(color: bool) -> Terminal<'static> {
        let out = io::stdout();
        Terminal {
            heading: if color && out.is_terminal() {
                Heading::Bold
            } else {
                Heading::Plain
            },
            out: Box::new(out),
            notes: Box::new(io::stderr()),
            watched: io::stderr().is_terminal(),
        }
    }
}

impl<'a> Terminal<'a> {
    /// Two buffers, or what takes the place of one, without colours.
    #[cfg(test)]
    pub(super) fn captured(out: &'a mut impl Write, notes: &'a mut Vec<u8>) -> Self {
        Self {
            out: Box::new(out),
            notes: Box::new(notes),
            heading: Heading::Plain,
            watched: false,
        }
    }

    /// How headings of results are written.
    pub(super) const fn heading(&self) -> Heading {
        self.heading
    }

    /// Writes a result.
    pub(super) fn result(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        match self.all(text) {
            // `faregate keys list | head -1` is not a failure.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::new(
                Exit::Failed,
                format!("standard output: {error}"),
            )),
            Ok(()) => Ok(()),
        }
    }

    /// Writes a result that somebody has to have: nobody who reads it is an error too.
    pub(super) fn all(&mut self, text: impl fmt::Display) -> io::Result<()> {
        write!(self.out, "{text}").and_then(|()| self.out.flush())
    }

    /// Where a result goes that is written piece by piece.
    pub(super) fn out(&mut self) -> &mut (dyn Write + 'a) {
        &mut *self.out
    }

    /// Tells somebody who watches how far it is, in a line that the next one replaces; empty to take it away.
    pub(super) fn progress(&mut self, text: impl fmt::Display) {
        if self.watched {
            let _ = write!(self.notes, "\r\x1b[K{text}").and_then(|()| self.notes.flush());
        }
    }

    /// Says something to a person.
    pub fn note(&mut self, text: impl fmt::Display) {
        // Standard error that cannot be written to has nowhere to say so.
        let _ = writeln!(self.notes, "{text}");
    }
}

impl fmt::Debug for Terminal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal")
            .field("heading", &self.heading)
            .finish_non_exhaustive()
    }
}

//! Strings, stepped over and checked.

use super::{
    Fault, Reader, Text,
    special::{BLOCK, Block, WINDOW, escape_length, is_usual, plain, plain_ascii},
};

impl<'a> Reader<'a> {
    /// A string, from its opening quote to behind its closing one.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Text<'a>, Fault> {
        let start = self.at + 1;
        let rest = self.text.get(start..).unwrap_or_default();
        let length = plain_ascii(rest);
        self.at = start + length;
        match rest.split_at_checked(length) {
            Some((raw, [b'"', ..])) => {
                self.at += 1;
                Ok(Text::new(raw, false))
            }
            _ => self.rest_of_string(start),
        }
    }

    /// The same, from where it is not plain. Its text begins at `start`.
    #[inline(never)]
    fn rest_of_string(&mut self, start: usize) -> Result<Text<'a>, Fault> {
        let mut escaped = false;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => {
                    let raw = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(Text::new(raw, escaped));
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escapes()?;
                }
                Some(0x80..) => self.ascii = false,
                Some(_) => return Err(self.wanted("an escape, not a control character,")),
                None => return Err(self.wanted("the closing quote of a string")),
            }
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain = if self.ascii { plain_ascii } else { plain };
            self.at += plain(rest);
        }
    }

    /// Steps over an escape, and over those after it as long as they come close. Of a prompt that is full of them most
    /// are checked without being looked for one by one.
    fn escapes(&mut self) -> Result<(), Fault> {
        self.escape()?;
        let (mut base, mut open, mut usual) = (self.at, false, true);
        while let Some(window) = self
            .text
            .get(base - 1..)
            .and_then(<[u8]>::first_chunk::<WINDOW>)
            && let Some(bytes) = window.last_chunk()
        {
            if usual && is_usual(window, open, self.ascii) {
                (base, open) = (base + BLOCK, bytes.last() == Some(&b'\\'));
                continue;
            }
            let block = Block::of(bytes);
            let (escaped, opens) = block.escaped(open);
            let rare = escaped & !(block.quotes | block.newlines);
            let mut stops = rare | block.quotes & !escaped;
            if block.uncommon {
                self.ascii &= bytes.is_ascii();
                stops |= Block::controls(bytes);
            }
            usual = stops == 0;
            while stops != 0 {
                let stop = stops.trailing_zeros();
                self.at = base + stop as usize;
                if rare >> stop & 1 == 0 {
                    return Ok(());
                }
                self.at -= 1;
                self.escape()?;
                stops &= stops - 1;
            }
            (base, open) = (base + BLOCK, opens);
            if block.backslashes == 0 {
                break;
            }
        }
        // An escape that is half seen is looked at again.
        self.at = base - usize::from(open);
        Ok(())
    }

    #[inline]
    fn escape(&mut self) -> Result<(), Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(length) = escape_length(rest) else {
            return Err(self.wanted("an escape that JSON knows"));
        };
        self.at += length;
        Ok(())
    }
}

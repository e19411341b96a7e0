//! Events that differ in one text alone: nearly all of a stream.

use crate::providers::{answer::Seen, json};

/// Largest document that is kept to be compared with, in bytes.
const LARGEST: usize = 2 << 10;

/// The last document that was read, but for the one text in it. A document that is the same but for that text says the
/// same, but for how long it is: a parser would take every byte of it as it took the last one's.
#[derive(Debug, Default)]
pub(super) struct Template {
    /// What stands before the text, and behind it.
    around: Vec<u8>,
    before: usize,
}

impl Template {
    /// Bytes of text in a document that is like the last one.
    pub(super) fn text_of(&self, document: &[u8]) -> Option<u64> {
        if self.around.is_empty() {
            return None;
        }
        let (before, behind) = self.around.split_at_checked(self.before)?;
        let text = document.strip_prefix(before)?.strip_suffix(behind)?;
        (json::plain(text) == text.len()).then_some(text.len() as u64)
    }

    /// Keeps a document that was read, where nothing but its one text was to be seen in it.
    pub(super) fn keep(&mut self, document: &[u8], seen: &Seen) {
        self.around.clear();
        let Some(text) = seen.only.filter(|_| document.len() <= LARGEST) else {
            return;
        };
        if seen.usage_chunk || seen.final_usage || seen.ends || seen.finishes || seen.error {
            return;
        }
        let (Some(before), Some(behind)) = (document.get(..text.start), document.get(text.end..))
        else {
            return;
        };
        self.before = before.len();
        self.around.extend_from_slice(before);
        self.around.extend_from_slice(behind);
    }

    /// Forgets what was kept.
    pub(super) fn forget(&mut self) {
        self.around.clear();
    }
}

#[cfg(test)]
mod tests;

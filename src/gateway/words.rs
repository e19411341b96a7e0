//! What a client and a provider say of a request, kept for its record.

use http::HeaderValue;
use smallvec::SmallVec;

/// Room for the usual path, user agent and ids.
const ROOM: usize = 160;

/// Texts that were copied out of heads. A header's value is a handle on the buffer that its head was read into: kept until
/// an answer has ended, it would keep that buffer from being read into again, kilobytes for each request.
#[derive(Debug, Default)]
pub(super) struct Words {
    text: SmallVec<[u8; ROOM]>,
    spans: [Option<(usize, usize)>; 5],
}

/// Which text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    /// The request's path.
    Path,
    /// What the client calls itself.
    UserAgent,
    /// The client's id of the request.
    ClientRequestId,
    /// The provider's id of it.
    UpstreamRequestId,
    /// The trace that it belongs to.
    TraceId,
}

impl Words {
    pub(super) fn keep(&mut self, word: Word, text: &str) {
        let start = self.text.len();
        self.text.extend_from_slice(text.as_bytes());
        self.spans[word as usize] = Some((start, self.text.len()));
    }

    /// Keeps a field's value where it is there and is text.
    pub(super) fn keep_value(&mut self, word: Word, value: Option<&HeaderValue>) {
        if let Some(text) = value.and_then(|value| value.to_str().ok()) {
            self.keep(word, text);
        }
    }

    /// All of them, in the order of [`Word`].
    pub(super) fn all(&self) -> [Option<&str>; 5] {
        let text = std::str::from_utf8(&self.text).unwrap_or_default();
        self.spans.map(|span| {
            let (start, end) = span?;
            text.get(start..end)
        })
    }

    pub(super) fn get(&self, word: Word) -> Option<&str> {
        let (start, end) = self.spans[word as usize]?;
        std::str::from_utf8(self.text.get(start..end)?).ok()
    }
}

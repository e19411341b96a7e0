//! What a request asks of the provider beside an answer.

use memchr::memmem;

/// How an answer comes.
#[derive(Debug, Clone, Copy)]
pub struct Knobs {
    /// Before the head of the answer.
    pub delay_ms: u64,
    /// Chunks with text in a stream; three more end it.
    pub chunks: u64,
    /// Between two chunks.
    pub chunk_delay_ms: u64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            delay_ms: 0,
            chunks: 64,
            chunk_delay_ms: 0,
        }
    }
}

impl Knobs {
    /// Takes `x-delay-ms` and its like; other fields are passed over.
    pub fn field(&mut self, name: &str, value: &[u8]) {
        let Ok(Ok(value)) = std::str::from_utf8(value).map(str::parse) else {
            return;
        };
        if name.eq_ignore_ascii_case("x-delay-ms") {
            self.delay_ms = value;
        } else if name.eq_ignore_ascii_case("x-chunks") {
            self.chunks = value;
        } else if name.eq_ignore_ascii_case("x-chunk-delay-ms") {
            self.chunk_delay_ms = value;
        }
    }

    /// Takes what the first `[[…]]` of the body says.
    pub fn prompt(&mut self, body: &[u8]) {
        let Some(start) = memmem::find(body, b"[[") else {
            return;
        };
        let rest = &body[start + 2..];
        let Some(end) = memmem::find(rest, b"]]") else {
            return;
        };
        for word in rest[..end].split(|byte| *byte == b' ') {
            let mut parts = word.splitn(2, |byte| *byte == b'=');
            let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
                continue;
            };
            let Ok(Ok(value)) = std::str::from_utf8(value).map(str::parse) else {
                continue;
            };
            match name {
                b"delay_ms" => self.delay_ms = value,
                b"chunks" => self.chunks = value,
                b"chunk_delay_ms" => self.chunk_delay_ms = value,
                _ => {}
            }
        }
    }
}

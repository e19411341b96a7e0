//! Answers that are one JSON document, and answers that came compressed.

use std::io::Write;

use bytes::Bytes;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use smallvec::SmallVec;

use super::StreamMeter;
use crate::providers::{Endpoint, answer, observed::Observed, usage::Tally};

/// Most bytes of an answer that are kept to be read, and most that they may grow to.
const LARGEST: usize = 64 << 20;

/// What some servers write before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How far a compressed answer may grow: bytes out for a byte in.
const RATIO: usize = 100;

/// Bytes that are decompressed at a time, so that what they grow to stays small: deflate grows at most 1032 times.
const STEP: usize = 1 << 10;

/// Growth that is never held against an answer, for very short ones are compressed very well.
const FREE: usize = 64 << 10;

/// How an answer is compressed (RFC 9110 §8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// `gzip` or `x-gzip`.
    Gzip,
    /// `deflate`, which is the zlib format.
    Deflate,
    /// Something that is not read here; the answer passes, and nothing is seen of it.
    Unknown,
}

impl Encoding {
    /// The encoding that the `content-encoding` field names; no field is [`Encoding::Identity`].
    pub fn parse(field: Option<&str>) -> Self {
        let name = field.unwrap_or_default().trim();
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if name.is_empty() || is("identity") {
            Self::Identity
        } else if is("gzip") || is("x-gzip") {
            Self::Gzip
        } else if is("deflate") {
            Self::Deflate
        } else {
            Self::Unknown
        }
    }

    /// What a short whole document says without its compression; `None` where it cannot be read.
    pub fn plain(self, document: &Bytes) -> Option<Bytes> {
        match Inflate::new(self) {
            Some(inflate) => inflate.whole(std::slice::from_ref(document)),
            None => Some(document.clone()),
        }
    }
}

/// Meters an answer that is one JSON document. It keeps handles and copies nothing until the end.
#[derive(Debug)]
pub struct AnswerMeter {
    endpoint: Endpoint,
    encoding: Encoding,
    /// Most answers are one frame or two.
    frames: SmallVec<[Bytes; 2]>,
    length: usize,
    /// Whether it was too much to be kept.
    forgotten: bool,
}

impl AnswerMeter {
    /// A meter for an answer of `endpoint`.
    pub fn new(endpoint: Endpoint, encoding: Encoding) -> Self {
        Self {
            endpoint,
            encoding,
            frames: SmallVec::new(),
            length: 0,
            forgotten: encoding == Encoding::Unknown,
        }
    }

    /// Takes a frame of the answer, which passes in any case. Beyond 64 MiB the answer is not read.
    pub fn push(&mut self, frame: &Bytes) {
        self.length = self.length.saturating_add(frame.len());
        if self.length > LARGEST {
            self.forget();
        }
        if !self.forgotten {
            self.frames.push(frame.clone());
        }
    }

    /// Whether so many bytes more would be kept.
    pub const fn keeps(&self, bytes: usize) -> bool {
        !self.forgotten && self.length.saturating_add(bytes) <= LARGEST
    }

    /// Keeps nothing of the answer any more, nor of what comes: it says nothing in the end.
    pub fn forget(&mut self) {
        self.forgotten = true;
        self.frames = SmallVec::new();
    }

    /// Whether what came is a JSON document from its beginning to its end, or a stream of events that is complete.
    /// What is not read is taken for one.
    pub fn is_whole(&self) -> bool {
        if self.forgotten {
            return true;
        }
        self.document(&self.frames).is_some_and(|document| {
            answer::read(&document, &mut Tally::default()).is_some()
                || self.streamed(document).is_whole()
        })
    }

    fn document(&self, frames: &[Bytes]) -> Option<Bytes> {
        let mut document = match Inflate::new(self.encoding) {
            Some(inflate) => inflate.whole(frames),
            None => concatenate(frames, self.length),
        }?;
        // Clients step over it (RFC 8259 §8.1), and so do we.
        if document.starts_with(BYTE_ORDER_MARK) {
            let _ = document.split_to(BYTE_ORDER_MARK.len());
        }
        Some(document)
    }

    /// Reads the answer. One that is cut off, too large, or neither JSON nor a stream of events says nothing, and all its
    /// bytes count as output.
    ///
    /// Takes about a millisecond for a mebibyte.
    pub fn finish(&mut self) -> Observed {
        let frames = std::mem::take(&mut self.frames);
        let document = self.document(&frames);
        let mut observed = Observed::default();
        let mut tally = Tally::default();
        let seen = document
            .as_ref()
            .and_then(|document| answer::read(document, &mut tally));
        match seen {
            Some(seen) => {
                (observed.usage, observed.suspect) = tally.usage(self.endpoint);
                observed.output_bytes = seen.text;
                observed.output_sound = seen.sound;
                observed.images = tally.images();
                observed.service_tier = tally.service_tier();
                observed.error_event = seen.error;
            }
            None if self.endpoint == Endpoint::Embeddings => {}
            None => {
                let streamed = document.map(|document| self.streamed(document).observed());
                let told = streamed.filter(|seen| seen.usage.is_some() || seen.output_events > 0);
                observed = told.unwrap_or(Observed {
                    output_bytes: self.length as u64,
                    ..observed
                });
            }
        }
        observed
    }

    /// The document read as a stream of events: some servers send one as plain text, and clients read it all the same.
    fn streamed(&self, document: Bytes) -> StreamMeter {
        let mut stream = StreamMeter::new(self.endpoint);
        stream.push(document);
        stream.finish();
        stream
    }
}

/// One handle for all frames; a copy only where there are several.
fn concatenate(frames: &[Bytes], length: usize) -> Option<Bytes> {
    match frames {
        [] => None,
        [one] => Some(one.clone()),
        several => {
            let mut whole = Vec::with_capacity(length);
            for frame in several {
                whole.extend_from_slice(frame);
            }
            Some(whole.into())
        }
    }
}

/// A decompressor that stops at a bomb.
#[derive(Debug)]
pub(super) struct Inflate {
    /// `None` once it has stopped.
    decoder: Option<Decoder>,
    taken: usize,
    given: usize,
}

#[derive(Debug)]
enum Decoder {
    Gzip(MultiGzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
    /// For what is not read: everything is an error at once.
    Unknown,
}

impl Inflate {
    /// A decompressor for `encoding`, if it needs one.
    pub(super) fn new(encoding: Encoding) -> Option<Self> {
        let decoder = match encoding {
            Encoding::Identity => return None,
            Encoding::Gzip => Decoder::Gzip(MultiGzDecoder::new(Vec::new())),
            Encoding::Deflate => Decoder::Deflate(ZlibDecoder::new(Vec::new())),
            Encoding::Unknown => Decoder::Unknown,
        };
        Some(Self {
            decoder: Some(decoder),
            taken: 0,
            given: 0,
        })
    }

    /// Takes compressed bytes and gives what they hold, piece by piece. Returns false once there was an error.
    pub(super) fn push(&mut self, frame: &[u8], mut each: impl FnMut(&[u8])) -> bool {
        for step in frame.chunks(STEP) {
            let Some(decoder) = &mut self.decoder else {
                return false;
            };
            let plain = decoder.step(step);
            self.taken += step.len();
            self.give(plain, &mut each);
        }
        self.decoder.is_some()
    }

    /// Ends the input and gives what is left. Returns false where there was an error.
    pub(super) fn finish(&mut self, mut each: impl FnMut(&[u8])) -> bool {
        if let Some(decoder) = &mut self.decoder {
            let plain = decoder.end();
            self.give(plain, &mut each);
        }
        self.decoder.take().is_some()
    }

    fn give(&mut self, plain: Option<Vec<u8>>, each: &mut impl FnMut(&[u8])) {
        let plain = plain.filter(|plain| {
            self.given = self.given.saturating_add(plain.len());
            self.given <= FREE.saturating_add(self.taken.saturating_mul(RATIO))
        });
        match plain {
            Some(plain) => each(&plain),
            None => self.decoder = None,
        }
    }

    /// The whole of what `frames` hold, or as much as there is of what was cut off; `None` if they are damaged or grow too
    /// large.
    fn whole(mut self, frames: &[Bytes]) -> Option<Bytes> {
        let mut whole = Vec::new();
        let mut fits = true;
        let mut keep = |plain: &[u8]| {
            fits &= whole.len() + plain.len() <= LARGEST;
            if fits {
                whole.extend_from_slice(plain);
            }
        };
        for frame in frames {
            self.push(frame, &mut keep);
        }
        let read = self.finish(&mut keep);
        (read && fits).then(|| whole.into())
    }
}

impl Decoder {
    fn step(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let written = match self {
            Self::Gzip(gzip) => gzip.write_all(bytes).and_then(|()| gzip.flush()),
            Self::Deflate(zlib) => zlib.write_all(bytes).and_then(|()| zlib.flush()),
            Self::Unknown => return None,
        };
        written.ok().map(|()| self.plain())
    }

    fn end(&mut self) -> Option<Vec<u8>> {
        let ended = match self {
            Self::Gzip(gzip) => gzip.try_finish(),
            Self::Deflate(zlib) => zlib.try_finish(),
            Self::Unknown => return None,
        };
        ended.ok().map(|()| self.plain())
    }

    fn plain(&mut self) -> Vec<u8> {
        match self {
            Self::Gzip(gzip) => std::mem::take(gzip.get_mut()),
            Self::Deflate(zlib) => std::mem::take(zlib.get_mut()),
            Self::Unknown => Vec::new(),
        }
    }
}

//! The chunked transfer coding (RFC 9112 §7.1), taken off in place.

use bytes::{Buf, Bytes, BytesMut};

/// Extensions of all chunks, and the trailer section, have so many bytes together at most: nobody reads them.
const MAX_ASIDE: usize = 16 * 1024;

/// Some servers fill the room of a size with blanks; nobody needs more than these.
const MAX_BLANKS: u8 = 64;

/// How far a chunked body is.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    at: At,
    /// Bytes of extensions and trailers so far.
    aside: usize,
}

/// What is there of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// Some of it.
    Data(Bytes),
    /// Nothing before more is read.
    More,
    /// Its end.
    End,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the first digit of a size.
    #[default]
    Start,
    Size(u64),
    /// Behind a size, where some blanks may stand before its extensions.
    Blank(u64, u8),
    Extension(u64),
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    /// Before a line of the trailer section, or the empty one that ends it.
    Trailer,
    InTrailer,
    TrailerLf,
    EndLf,
    End,
    Broken(&'static str),
}

impl Chunks {
    /// Takes what has come off `read`. The data of all chunks that are there become one: they are moved together over the
    /// lines between them.
    pub(super) fn decode(&mut self, read: &mut BytesMut) -> Result<Decoded, &'static str> {
        // What goes out lies in `from..to`; everything before `next` has been looked at.
        let (mut from, mut to, mut next) = (0, 0, 0);
        while next < read.len() {
            match self.at {
                At::Data(left) => {
                    let there = read.len() - next;
                    let count = usize::try_from(left).map_or(there, |left| left.min(there));
                    if from == to {
                        (from, to) = (next, next);
                    }
                    if to < next {
                        read.copy_within(next..next + count, to);
                    }
                    (to, next) = (to + count, next + count);
                    self.at = match left - count as u64 {
                        0 => At::DataCr,
                        left => At::Data(left),
                    };
                }
                At::End | At::Broken(_) => break,
                at => {
                    self.at = self.step(at, read[next]);
                    next += 1;
                }
            }
        }
        if from < to {
            read.advance(from);
            let data = read.split_to(to - from).freeze();
            read.advance(next - to);
            return Ok(Decoded::Data(data));
        }
        read.advance(next);
        match self.at {
            At::End => Ok(Decoded::End),
            At::Broken(words) => Err(words),
            _ => Ok(Decoded::More),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.at == At::End
    }

    fn step(&mut self, at: At, byte: u8) -> At {
        match (at, byte) {
            (At::Start, _) => match digit(byte) {
                Some(digit) => At::Size(digit),
                None => At::Broken("a chunk without a size"),
            },
            (At::Size(size), _) if byte.is_ascii_hexdigit() => {
                let larger = size
                    .checked_mul(16)
                    .and_then(|size| size.checked_add(digit(byte)?));
                larger.map_or(At::Broken("a chunk beyond all sizes"), At::Size)
            }
            (At::Size(size) | At::Blank(size, _) | At::Extension(size), b'\r') => At::SizeLf(size),
            (At::Size(size), b' ' | b'\t') => At::Blank(size, 1),
            (At::Blank(size, blanks), b' ' | b'\t') if blanks < MAX_BLANKS => {
                At::Blank(size, blanks + 1)
            }
            (At::Size(size) | At::Blank(size, _), b';') => self.aside(At::Extension(size)),
            (At::Extension(size), byte) if byte != b'\n' => self.aside(At::Extension(size)),
            (At::SizeLf(0), b'\n') => At::Trailer,
            (At::SizeLf(size), b'\n') => At::Data(size),
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::Start,
            (At::Trailer, b'\r') => At::EndLf,
            (At::InTrailer, b'\r') => At::TrailerLf,
            (At::Trailer | At::InTrailer, byte) if byte != b'\n' => self.aside(At::InTrailer),
            (At::TrailerLf, b'\n') => At::Trailer,
            (At::EndLf, b'\n') => At::End,
            _ => At::Broken("a chunk that is none"),
        }
    }

    fn aside(&mut self, at: At) -> At {
        self.aside += 1;
        if self.aside > MAX_ASIDE {
            At::Broken("extensions without end")
        } else {
            at
        }
    }
}

fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

#[cfg(test)]
mod tests;

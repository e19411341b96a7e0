//! Writing into and reading from a few hundred bytes, without ever going beyond their end.

use crate::domain::{NanoUsd, Timestamp};

/// Writes from the front; what does not fit any more is noticed.
#[derive(Debug)]
pub(super) struct Encoder<'a> {
    to: &'a mut [u8],
    at: usize,
    overrun: bool,
}

impl<'a> Encoder<'a> {
    /// Writes into `to`, from its first byte on.
    pub(super) fn new(to: &'a mut [u8]) -> Self {
        Self {
            to,
            at: 0,
            overrun: false,
        }
    }

    /// Writes `bytes`, or nothing.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        let room = self.to.get_mut(self.at..self.at + bytes.len());
        match room {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.at += bytes.len();
            }
            None => self.overrun = true,
        }
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    /// A count, as five bytes.
    pub(super) fn count(&mut self, count: u64) {
        let [bytes @ .., _, _, _] = count.min(LARGEST_COUNT).to_le_bytes();
        self.put(&bytes);
    }

    pub(super) fn amount(&mut self, amount: NanoUsd) {
        self.put(&amount.nanos().to_le_bytes());
    }

    /// Milliseconds, as four bytes: up to forty-nine days.
    pub(super) fn millis(&mut self, millis: u64) {
        let millis = u32::try_from(millis).unwrap_or(u32::MAX);
        self.put(&millis.to_le_bytes());
    }

    /// An instant, as six bytes: some four thousand years to each side of 1970.
    pub(super) fn instant(&mut self, at: Timestamp) {
        let half = 1 << 47;
        let [bytes @ .., _, _] = at.millis().clamp(-half, half - 1).to_le_bytes();
        self.put(&bytes);
    }

    /// How many bytes are left.
    pub(super) fn room(&self) -> usize {
        self.to.len() - self.at
    }

    /// How many bytes were written; `None` where something did not fit.
    pub(super) fn written(&self) -> Option<usize> {
        (!self.overrun).then_some(self.at)
    }
}

/// The largest number that five bytes hold.
pub(super) const LARGEST_COUNT: u64 = (1 << 40) - 1;

/// Reads from the front; `None` where there is nothing more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decoder<'a>(pub(super) &'a [u8]);

impl<'a> Decoder<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (read, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*read)
    }

    pub(super) fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (read, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(read)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// What [`Encoder::amount`] wrote.
    pub(super) fn amount(&mut self) -> Option<NanoUsd> {
        let nanos = self.array().map(i64::from_le_bytes)?;
        Some(NanoUsd::from_nanos(nanos))
    }

    /// What [`Encoder::count`] wrote.
    pub(super) fn count(&mut self) -> Option<u64> {
        let [a, b, c, d, e] = self.array()?;
        Some(u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]))
    }

    /// What [`Encoder::instant`] wrote.
    pub(super) fn instant(&mut self) -> Option<Timestamp> {
        let [a, b, c, d, e, f] = self.array()?;
        // The sign is in the uppermost bit of the sixth byte.
        let millis = i64::from_le_bytes([0, 0, a, b, c, d, e, f]) >> 16;
        Some(Timestamp::from_millis(millis))
    }
}

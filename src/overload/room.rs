//! Room for one body.

use std::{mem, sync::Arc};

use bytes::{Bytes, BytesMut};

use super::{Level, Overload, Shed};
use crate::accounts::{Book, UnderWay};

/// Bodies up to here are not wrapped: what a wrapper would cost each of them is more than what is gained by giving their
/// room back a moment earlier.
pub(super) const SMALL: usize = 16 << 10;

/// Room that one body takes, given back when this is dropped.
#[derive(Debug)]
pub struct Room {
    house: Overload,
    account: Option<Arc<Book>>,
    bytes: u64,
}

/// A body and its room.
#[derive(Debug)]
struct Housed {
    body: Bytes,
    room: Room,
}

impl Overload {
    /// No room yet, for a body of this account, or of nobody's.
    pub fn room(&self, account: Option<&Arc<Book>>) -> Room {
        Room {
            house: self.clone(),
            account: account.cloned(),
            bytes: 0,
        }
    }
}

impl Room {
    /// Takes room for so many bytes more.
    ///
    /// # Errors
    /// There is none for them, or not for this account.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Shed> {
        let bytes = bytes as u64;
        self.house.hold(self.under_way(), bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Empty memory for a body of so many bytes. It takes no room before the bytes are there.
    pub fn memory(&self, bytes: usize) -> BytesMut {
        self.house.shelf().take(bytes)
    }

    fn under_way(&self) -> Option<&UnderWay> {
        self.account.as_ref().map(|account| account.under_way())
    }

    /// Ties the room to the bytes that take it: it is given back when the last handle on them is dropped, wherever that
    /// is. The room of a small body comes back, to be kept as long as somebody may have the bytes.
    pub fn keep(self, body: Bytes) -> (Bytes, Option<Self>) {
        if body.len() <= SMALL {
            return (body, Some(self));
        }
        let housed = Housed { body, room: self };
        (Bytes::from_owner(housed), None)
    }
}

impl AsRef<[u8]> for Housed {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Housed {
    fn drop(&mut self) {
        let house = &self.room.house;
        // What is short is given back.
        if house.level() == Level::Calm {
            house.shelf().put(mem::take(&mut self.body));
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.house.release(self.under_way(), self.bytes);
        }
    }
}

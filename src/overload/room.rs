//! Room for one body, or for one answer that is kept.

use std::{mem, sync::Arc};

use bytes::{Bytes, BytesMut};

use super::{Level, NoRoom, Overload, Shed};
use crate::accounts::{Book, UnderWay};

/// Bodies up to here are not wrapped: what a wrapper would cost each of them is more than what is gained by giving their
/// room back a moment earlier. So much of an answer is always kept, too: charging it by less than what it says would gain
/// nothing worth that.
pub(super) const SMALL: usize = 16 << 10;

/// Room that one body or answer takes, given back when this is dropped.
#[derive(Debug)]
pub struct Room {
    overload: Overload,
    account: Option<Arc<Book>>,
    bytes: u64,
}

/// A body and its room.
#[derive(Debug)]
struct HeldBody {
    body: Bytes,
    room: Room,
}

impl Overload {
    /// No room yet, for a body of this account, or of one that belongs to no account.
    pub fn room(&self, account: Option<&Arc<Book>>) -> Room {
        Room {
            overload: self.clone(),
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
        self.overload.hold(self.under_way(), bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Takes room for so many bytes more of an answer, the first ones whether there is any or not.
    ///
    /// # Errors
    /// There is none for them, or not for this account.
    pub fn grow_answer(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let bytes = bytes as u64;
        if self.bytes + bytes <= SMALL as u64 {
            self.overload.take(self.under_way(), bytes);
        } else {
            self.overload.try_hold(self.under_way(), bytes)?;
        }
        self.bytes += bytes;
        Ok(())
    }

    /// No room yet, for something else of the same account.
    #[must_use]
    pub fn another(&self) -> Self {
        self.overload.room(self.account.as_ref())
    }

    /// Gives all of it back.
    pub fn clear(&mut self) {
        let bytes = mem::take(&mut self.bytes);
        if bytes > 0 {
            self.overload.release(self.under_way(), bytes);
        }
    }

    /// Empty memory for a body of so many bytes. It takes no room before the bytes are there.
    pub fn memory(&self, bytes: usize) -> BytesMut {
        self.overload.buffers().take(bytes)
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
        let held = HeldBody { body, room: self };
        (Bytes::from_owner(held), None)
    }
}

impl AsRef<[u8]> for HeldBody {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for HeldBody {
    fn drop(&mut self) {
        let overload = &self.room.overload;
        // While anything is short, the memory goes back to the system instead.
        if overload.level() == Level::Calm {
            overload.buffers().put(mem::take(&mut self.body));
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.clear();
    }
}

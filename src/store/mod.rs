//! What must survive: accounts, keys, counters and the record of every call, in one SQLite file.
//!
//! Rank 3. Owns the file, its versions, and the order in which things are written. Must not know HTTP.
//!
//! No call waits for it: a call takes a place in the writer's queue before it is forwarded (`Ledger::reserve`), and its
//! posting goes there when it has ended ([`Slot::post`]). Only where the store is strict it waits for the disk, with its
//! hold and with its posting. One thread writes, group by group; reads go through connections of their own.

mod backup;
mod call;
mod calls;
mod chapters;
mod columns;
mod counters;
mod credit;
mod details;
mod export;
mod file_identity;
mod handle;
mod health;
mod inflight;
mod journal;
mod ledger;
mod notifications;
mod open;
mod open_error;
mod pace;
mod payments;
mod posting;
mod read_pause;
mod reader;
mod record;
mod recovery;
mod roster_rows;
mod schema;
mod settings;
mod tidy;
mod usage;
mod verify;
mod writer;

pub use backup::BackupError;
pub use call::{CallDetails, Charged, ChargedLot};
pub use calls::{CallFilter, CallRow, Cursor, InvalidCursor, LONGEST_PAGE, Page};
pub use credit::{
    EntryFilter, EntryKind, EntryRow, LotRow, NewEntry, NewTransfer, Posted, StoredCredit,
    USUAL_PRIORITY,
};
pub(crate) use export::csv_line;
pub use export::{ExportError, ExportFilter, ExportFormat};
pub use handle::{Loaded, Store, WriteError};
pub use health::{Health, PATIENCE};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use inflight::fuzz;
pub use inflight::{
    Checkpoint, FileError, HeldCounter, HoldRecord, Inflight, Place, Recovered, Unwritten, Whose,
    read_slot,
};
pub use ledger::{Ledger, LedgerBusy, Slot};
pub use notifications::{
    Attempted, DamagedNotification, DueNotifications, EMAIL_TARGET, Mark, NewNotification,
    NotificationFilter, NotificationId, NotificationRow, NotificationStatus,
};
pub use open::once_free;
pub use open_error::OpenError;
pub use payments::{
    Arrived, CustomerFilter, CustomerRow, Effect, EventFilter, EventRow, EventStatus, KeptEvent,
    LiveAccounts, NewLink, ParsedEvent, Received, Relinked,
};
pub use reader::{ReadError, Reader};
pub use record::{
    Agreed, CallRecord, CounterChange, CounterName, CounterRow, Outcome, Owner, Posting,
};
pub use settings::{Durability, Location, Settings};
pub use usage::{GroupBy, UsageQuery, UsageRow};
pub use verify::{Problem, Verified};

#[cfg(test)]
mod tests;

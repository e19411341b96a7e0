//! Events of payment providers: each applied once, with everything that follows from it, in one transaction.
//!
//! Owns the order of things: an event is noted, what it says becomes a fact about an object, whose account is looked
//! for, and then the account's standing or credit is moved to what all facts together say. Must not know HTTP, what is
//! signed, nor where the standing is published.

mod credit;
mod customers;
mod handle;
mod owner;
mod read;
mod receive;
mod standing;
mod word;

use std::fmt;

use bytes::Bytes;
use serde::Serialize;

use crate::{
    accounts::{Declaration, Draws, Lot, PaymentStanding},
    domain::{AccountId, NanoUsd, Timestamp, Vendor},
    webhooks::{Illegible, PaymentEvent},
};

pub use customers::{CustomerFilter, CustomerRow, NewLink, Relinked};

pub(super) use {
    read::standings,
    word::{declare, declared},
};

/// Larger bodies are not kept; their events cannot be replayed, only sent again.
const LARGEST_KEPT: usize = 256 << 10;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventStatus {
    /// What it says holds.
    Applied,
    /// It changes nothing.
    Ignored,
    /// It changes something, and cannot yet: a person has to look, or another event has to come first.
    Parked,
    /// It could not be understood, or what it says could not be posted.
    Failed,
}

impl EventStatus {
    /// Every status, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Applied, Self::Ignored, Self::Parked, Self::Failed];

    /// The word in the store, answers and commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Ignored => "ignored",
            Self::Parked => "parked",
            Self::Failed => "failed",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl Serialize for EventStatus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An event that has come, or is looked at again.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// What it says.
    pub event: ParsedEvent,
    /// The body as it came.
    pub payload: Bytes,
    /// Whether somebody asks for it to be looked at again, though it was ignored before.
    pub replayed: bool,
}

/// A signed body, as far as it can be parsed.
#[derive(Debug, Clone)]
pub enum ParsedEvent {
    /// An event.
    Event(Box<PaymentEvent>),
    /// One that is kept for a person to look at.
    Unreadable {
        /// Its id, behind the vendor's word.
        id: String,
        /// Whose.
        vendor: Vendor,
        /// The vendor's word for what happened.
        kind: String,
        /// What is wrong with it.
        words: String,
    },
}

impl ParsedEvent {
    /// What was read, or what can be kept of what could not.
    ///
    /// # Errors
    /// The words, where it has no id to be kept by.
    pub fn of(vendor: Vendor, read: Result<PaymentEvent, Illegible>) -> Result<Self, String> {
        match read {
            Ok(event) => Ok(Self::Event(Box::new(event))),
            Err(Illegible::Odd { id, kind, words }) => Ok(Self::Unreadable {
                id,
                vendor,
                kind,
                words,
            }),
            Err(Illegible::Nameless(words)) => Err(words),
        }
    }

    /// Its id, behind the vendor's word.
    pub fn id(&self) -> &str {
        match self {
            Self::Event(event) => &event.id,
            Self::Unreadable { id, .. } => id,
        }
    }
}

/// What became of an event, and what holds now because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its id.
    pub id: String,
    /// What became of it.
    pub status: EventStatus,
    /// Whether that was so before, and nothing was done now.
    pub duplicate: bool,
    /// Whose it is, where that is known.
    pub account: Option<AccountId>,
    /// Why, or what it did.
    pub words: Option<String>,
    /// What has to be published.
    pub effects: Vec<Effect>,
}

/// What an event changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The standing of an account.
    Standing(PaymentStanding),
    /// An account has a new lot of credit.
    Lot {
        /// Whose.
        account: AccountId,
        /// What it has.
        lot: Lot,
    },
    /// What is left of some lots is another one now.
    Renewed {
        /// Whose.
        account: AccountId,
        /// The lots that were.
        lots: Vec<i64>,
        /// The lot that is.
        lot: Lot,
    },
}

/// The accounts in memory, as far as the store needs them while it applies an event. It asks from the writer's thread, and
/// must not be kept waiting.
pub trait LiveAccounts: Send {
    /// What is declared of an account; `None` where there is no such account.
    fn declared(&self, account: &AccountId) -> Option<Declaration>;

    /// The account that a customer is declared to belong to.
    fn account_of(&self, vendor: Vendor, customer: &str) -> Option<AccountId>;

    /// The customer that an account is declared to be.
    fn customer_of(&self, vendor: Vendor, account: &AccountId) -> Option<String>;

    /// Takes credit in memory, from some lots before all others, before the store has the entry of it.
    fn draw(&mut self, account: &AccountId, first: &[i64], amount: NanoUsd) -> Draws;

    /// Takes what is left of some lots and no call holds.
    fn empty(&mut self, account: &AccountId, lots: &[i64]) -> Draws;

    /// Gives back what was taken, because there is no entry of it.
    fn give_back(&mut self, account: &AccountId, amount: NanoUsd, draws: &Draws);
}

/// An event as it is stored, without its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventRow {
    /// In the order of arrival.
    #[serde(skip)]
    pub number: i64,
    /// Its id, behind the vendor's word.
    pub id: String,
    /// Whose.
    pub vendor: Vendor,
    /// The vendor's word for what happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// When the vendor says that it happened.
    pub created_at: Timestamp,
    /// When it first came.
    pub received_at: Timestamp,
    /// What became of it.
    pub status: EventStatus,
    /// Whose it is, where that is known.
    pub account: Option<String>,
    /// Why, or what it did.
    pub words: Option<String>,
    /// How often it was looked at.
    pub attempts: u32,
}

/// An event as it is stored, and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEvent {
    /// The event.
    pub row: EventRow,
    /// Its body as it came; `None` where it was too large to be kept.
    pub payload: Option<Vec<u8>>,
}

/// Which events are asked for. Everything that is said must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this status.
    pub status: Option<EventStatus>,
    /// About this account.
    pub account: Option<AccountId>,
    /// Of this vendor.
    pub vendor: Option<Vendor>,
    /// How many at most; 1 to [`LONGEST_PAGE`](super::LONGEST_PAGE), anything else is moved to the nearer end.
    pub limit: usize,
    /// Events of lower numbers only: the last of the page before.
    pub before: Option<i64>,
}

impl Default for EventFilter {
    /// The newest hundred of all events.
    fn default() -> Self {
        Self {
            status: None,
            account: None,
            vendor: None,
            limit: 100,
            before: None,
        }
    }
}

impl fmt::Display for EventStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

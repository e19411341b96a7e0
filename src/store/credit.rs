//! Entries: everything but a call that moves credit. Each is posted once, by its id, and never changed.
//!
//! Owns what an entry is, how it is written with the balance and the lots that follow from it, and how credit is read.
//! Must not know who asks, nor what is held in memory.

mod draws;
mod handle;
mod last;
mod post;
mod read;

use serde::Serialize;

use crate::domain::{AccountId, NanoUsd, Timestamp};

pub(super) use draws::{Sums, cover, text, uncovered, unpack};
pub(super) use post::{EntryWords, NotPosted, insert, is_too_large, post};
pub(super) use read::{balances, entry};

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// Credit that was paid for.
    TopUp,
    /// Credit that was given.
    Grant,
    /// A payment that went back takes credit; usage that is paid back adds some.
    Refund,
    /// A correction, either way.
    Adjustment,
    /// What was left of a lot when its time had come.
    Expiry,
    /// From one account to another; one entry on each side.
    Transfer,
    /// The cost of calls whose records are no longer kept. It moves nothing: the calls did.
    UsageCarried,
}

impl EntryKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::TopUp,
        Self::Grant,
        Self::Refund,
        Self::Adjustment,
        Self::Expiry,
        Self::Transfer,
        Self::UsageCarried,
    ];

    /// The word in the store, commands and exports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TopUp => "top_up",
            Self::Grant => "grant",
            Self::Refund => "refund",
            Self::Adjustment => "adjustment",
            Self::Expiry => "expiry",
            Self::Transfer => "transfer",
            Self::UsageCarried => "usage_carried",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Serialize for EntryKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An entry to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// The id that whoever asks gives it: asked again with the same one, nothing is posted twice. `None` makes one.
    pub id: Option<String>,
    /// Whose credit.
    pub account: AccountId,
    /// What it is.
    pub kind: EntryKind,
    /// Above zero it makes a lot, below zero it takes from lots.
    pub amount: NanoUsd,
    /// Who posts it: `config`, `cli`, `api`, `api:<who>`, `webhook:<provider>`.
    pub author: String,
    /// Why, for people.
    pub reason: Option<String>,
    /// From when on what is left of the lot is lost.
    pub expires_at: Option<Timestamp>,
    /// Lots of a lower number are drawn first.
    pub priority: u8,
    /// What it belongs to: a lot, another account, a payment.
    pub related: Option<String>,
}

/// The priority of a lot when nobody says (as with Stripe's credit grants, 0 to 100, where 50 is the middle).
pub const USUAL_PRIORITY: u8 = 50;

/// An entry that is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The number of the entry, which names its lot.
    pub number: i64,
    /// Its id.
    pub id: String,
    /// When it was posted.
    pub at: Timestamp,
    /// Who posted it, which need not be whoever asks again.
    pub author: String,
    /// The balance of the account now.
    pub balance: NanoUsd,
    /// Whether it was there already, and nothing was posted.
    pub existed: bool,
}

/// A transfer to be posted: an entry on each side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTransfer {
    /// As the id of [`NewEntry`]; the two entries have it with `:from` and `:to` behind.
    pub id: Option<String>,
    /// Who gives.
    pub from: AccountId,
    /// Who gets.
    pub to: AccountId,
    /// How much, above zero.
    pub amount: NanoUsd,
    /// Who posts it.
    pub author: String,
    /// Why.
    pub reason: Option<String>,
    /// From when on what is left of the new lot is lost.
    pub expires_at: Option<Timestamp>,
    /// Of the new lot.
    pub priority: u8,
}

/// An entry as it is stored, and as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryRow {
    /// Its number, which names its lot.
    #[serde(rename = "entry")]
    pub number: i64,
    /// Its id.
    pub id: String,
    /// Whose credit.
    pub account: String,
    /// What it is.
    pub kind: EntryKind,
    /// How much, signed.
    pub amount: NanoUsd,
    /// The currency (ISO 4217).
    pub currency: String,
    /// When it was posted.
    pub at: Timestamp,
    /// Who posted it.
    pub author: String,
    /// Why.
    pub reason: Option<String>,
    /// From when on what is left of its lot is lost.
    pub expires_at: Option<Timestamp>,
    /// Of its lot.
    pub priority: u8,
    /// What it belongs to.
    pub related: Option<String>,
}

/// Which entries are asked for. Everything that is said must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryFilter {
    /// Of this account.
    pub account: Option<AccountId>,
    /// Of this kind.
    pub kind: Option<EntryKind>,
    /// Posted then or later.
    pub since: Option<Timestamp>,
    /// Posted before.
    pub until: Option<Timestamp>,
    /// How many at most; 1 to [`LONGEST_PAGE`](super::LONGEST_PAGE), anything else is moved to the nearer end.
    pub limit: usize,
    /// Entries of lower numbers only: the last of the page before.
    pub before: Option<i64>,
}

impl Default for EntryFilter {
    /// The newest hundred of all entries.
    fn default() -> Self {
        Self {
            account: None,
            kind: None,
            since: None,
            until: None,
            limit: 100,
            before: None,
        }
    }
}

/// The credit of an account as the store has it, without what calls under way hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredCredit {
    /// Entries less charges.
    pub balance: NanoUsd,
    /// Lots of which something is left, in the order of drawing.
    pub lots: Vec<LotRow>,
}

impl StoredCredit {
    /// Without what expired by `now` and has no entry yet. What calls under way hold is not known here, and counts as
    /// lost with the rest.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        let over = |lot: &LotRow| lot.expires_at.is_some_and(|end| end <= now);
        for lot in self.lots.iter_mut().filter(|lot| over(lot)) {
            let lost = lot.remaining.min(self.balance).max(NanoUsd::ZERO);
            self.balance = self.balance.saturating_sub(lost);
        }
        self.lots.retain(|lot| !over(lot));
        self
    }
}

/// A lot as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotRow {
    /// The number of the entry that made it.
    pub entry: i64,
    /// What kind of entry that was.
    pub kind: EntryKind,
    /// What it was at first.
    pub amount: NanoUsd,
    /// What is left.
    pub remaining: NanoUsd,
    /// Lots of a lower number are drawn first.
    pub priority: u8,
    /// From when on what is left is lost.
    pub expires_at: Option<Timestamp>,
}

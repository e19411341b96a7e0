//! What the handle of the store does with credit.

use super::{
    EntryFilter, EntryKind, EntryRow, NewEntry, NewTransfer, Posted, StoredCredit, USUAL_PRIORITY,
    post::{self, NotPosted},
    read,
};
use crate::{
    accounts::{Draw, Draws},
    domain::{AccountId, NanoUsd},
    store::{Page, ReadError, Reader, Store, WriteError},
};

impl Store {
    /// Posts an entry, with what one below zero takes from lots. It is on the disk when this returns. Where an entry of
    /// the same id and content was posted before, that one is returned, and `draws` are not taken.
    ///
    /// # Errors
    /// The store cannot be written, another entry has the id, or the balance would be too large to be kept.
    pub async fn post_entry(&self, entry: NewEntry, draws: Draws) -> Result<Posted, WriteError> {
        let now = self.now();
        self.change(move |transaction| post::post(transaction, &entry, &draws, now))
            .await?
            .map_err(WriteError::from)
    }

    /// Posts entries that make lots, each as [`Self::post_entry`] does, in one transaction. One of nothing posts nothing,
    /// and is an error where another entry has its id.
    ///
    /// # Errors
    /// The store cannot be written; nothing was posted then.
    pub async fn post_grants(
        &self,
        entries: Vec<NewEntry>,
    ) -> Result<Vec<Result<Option<Posted>, WriteError>>, WriteError> {
        let now = self.now();
        self.change(move |transaction| {
            let posted = entries.iter().map(|entry| {
                if entry.amount == NanoUsd::ZERO {
                    let id = entry.id.as_deref().unwrap_or_default();
                    let other = read::exists(transaction, id)?;
                    return Ok(if other {
                        Err(WriteError::IdConflict)
                    } else {
                        Ok(None)
                    });
                }
                let posted = post::post(transaction, entry, &[], now)?;
                Ok(posted.map(Some).map_err(WriteError::from))
            });
            posted.collect()
        })
        .await
    }

    /// Posts both sides of a transfer, that of the giver first. They are on the disk when this returns.
    ///
    /// # Errors
    /// As [`Self::post_entry`]; nothing was posted then.
    pub async fn transfer(
        &self,
        transfer: NewTransfer,
        draws: Draws,
    ) -> Result<[Posted; 2], WriteError> {
        let now = self.now();
        self.change(move |transaction| post::transfer(transaction, &transfer, &draws, now))
            .await?
            .map_err(WriteError::from)
    }

    /// Posts what was lost of lots whose time had come.
    ///
    /// # Errors
    /// The store cannot be written; nothing was posted then.
    pub async fn post_expiries(
        &self,
        account: AccountId,
        lost: Vec<Draw>,
    ) -> Result<(), WriteError> {
        let now = self.now();
        let posted = self.change(move |transaction| {
            for draw in &lost {
                let entry = NewEntry {
                    id: None,
                    account: account.clone(),
                    kind: EntryKind::Expiry,
                    amount: draw.amount.saturating_neg(),
                    author: "faregate".to_owned(),
                    reason: None,
                    expires_at: None,
                    priority: USUAL_PRIORITY,
                    related: Some(draw.entry.to_string()),
                };
                let posted = post::post(transaction, &entry, std::slice::from_ref(draw), now)?;
                if let Err(refused) = posted {
                    return Ok(Err(refused));
                }
            }
            Ok(Ok(()))
        });
        posted.await?.map_err(WriteError::from)
    }

    /// Whether there is an entry with this id.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn has_entry(&self, id: String) -> Result<bool, ReadError> {
        self.read(move |connection| read::exists(connection, &id))
            .await
    }

    /// The credit of an account, without what calls under way hold. Whoever has read an answer finds its call taken off.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn credit(&self, account: AccountId) -> Result<StoredCredit, ReadError> {
        self.read_posted(move |connection| read::credit(connection, &account))
            .await
    }

    /// A page of entries, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn entries(&self, filter: EntryFilter) -> Result<Page<EntryRow, i64>, ReadError> {
        self.read(move |connection| read::page(connection, &filter))
            .await
    }
}

impl Reader {
    /// The credit of an account, without what calls under way hold.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn credit(&self, account: &AccountId) -> Result<StoredCredit, ReadError> {
        self.look(|connection| read::credit(connection, account))
    }

    /// A page of entries, newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn entries(&self, filter: &EntryFilter) -> Result<Page<EntryRow, i64>, ReadError> {
        self.look(|connection| read::page(connection, filter))
    }
}

impl From<NotPosted> for WriteError {
    fn from(refused: NotPosted) -> Self {
        match refused {
            NotPosted::IdTaken => Self::IdConflict,
            NotPosted::TooLarge => Self::TooLarge,
        }
    }
}

//! Credit in the store and in memory, moved together.
//!
//! What adds credit is in the store before it can be spent; what takes credit is taken in memory before it is in the
//! store. So nothing is ever spent that a crash could take back.

use crate::{
    accounts::{Accounts, Draw, Draws, Lot},
    admin::{CreditSheet, Reason, Rejection},
    domain::{AccountId, NanoUsd, Timestamp},
    store::{NewEntry, NewTransfer, Posted, Store, WriteError},
};

/// The credit of all accounts, on the disk and in memory. Changes of one id must come one at a time.
#[derive(Debug, Clone, Copy)]
pub struct CreditLedger<'a> {
    /// What is in memory.
    pub accounts: &'a Accounts,
    /// What is on the disk.
    pub store: &'a Store,
}

impl CreditLedger<'_> {
    /// Posts an entry; what it says holds for the next request. One that takes credit takes what is there and no call
    /// holds: nothing but a call that costs more than it held makes debt.
    ///
    /// # Errors
    /// There is not enough, or it was not posted; nothing has moved.
    pub async fn add(self, entry: NewEntry) -> Result<Posted, Rejection> {
        let account = entry.account.clone();
        self.lasts(entry.expires_at, entry.id.clone()).await?;
        self.post_expired_of(&account).await;
        let posted = self.post(entry).await?;
        Ok(self.standing(&account, posted))
    }

    async fn post(self, entry: NewEntry) -> Result<Posted, Rejection> {
        let (account, amount) = (entry.account.clone(), entry.amount);
        let id = entry.id.clone();
        let refused = |error| unposted(error, id.as_deref());
        if amount > NanoUsd::ZERO {
            let (priority, expires_at) = (entry.priority, entry.expires_at);
            let posted = self.store.post_entry(entry, Draws::new()).await;
            let posted = posted.map_err(refused)?;
            self.gave(&account, &posted, amount, priority, expires_at);
            return Ok(posted);
        }
        let amount = amount.saturating_neg();
        let draws = match &entry.id {
            // What was posted before is only looked up.
            Some(id) if self.is_posted(id).await? => None,
            _ => Some(self.draw_what_is_free(&account, amount, "to take away")?),
        };
        let taken = draws.clone().unwrap_or_default();
        let posted = self.store.post_entry(entry, taken).await;
        if let Some(draws) = draws {
            self.conclude(&account, amount, &draws, posted.as_ref().ok());
        }
        posted.map_err(refused)
    }

    /// Moves credit that nobody holds from one account to another.
    ///
    /// # Errors
    /// There is not enough, or it was not posted; nothing has moved.
    pub async fn transfer(self, wanted: NewTransfer) -> Result<[Posted; 2], Rejection> {
        let NewTransfer {
            from,
            to,
            amount,
            expires_at,
            priority,
            ..
        } = wanted.clone();
        let id = wanted.id.clone();
        let given = id.as_ref().map(|id| format!("{id}:from"));
        self.lasts(expires_at, given).await?;
        for account in [&from, &to] {
            self.post_expired_of(account).await;
        }
        let draws = match &id {
            Some(id) if self.is_posted(&format!("{id}:from")).await? => None,
            _ => Some(self.draw_what_is_free(&from, amount, "to give")?),
        };
        let taken = draws.clone().unwrap_or_default();
        let posted = self.store.transfer(wanted, taken).await;
        if let Some(draws) = draws {
            let given = posted.as_ref().ok().map(|[given, _]| given);
            self.conclude(&from, amount, &draws, given);
        }
        let [given, got] = posted.map_err(|error| unposted(error, id.as_deref()))?;
        self.gave(&to, &got, amount, priority, expires_at);
        Ok([self.standing(&from, given), self.standing(&to, got)])
    }

    /// Lets the next request spend what an entry gave, unless it was posted before.
    fn gave(
        self,
        account: &AccountId,
        posted: &Posted,
        amount: NanoUsd,
        priority: u8,
        expires_at: Option<Timestamp>,
    ) {
        if posted.existed {
            return;
        }
        let lot = Lot {
            entry: posted.number,
            remaining: amount,
            priority,
            expires_at,
        };
        self.accounts.add_lot(account, lot);
    }

    /// What was posted, with the balance that the next request meets: the store still counts expired credit of which
    /// the entry could not be written.
    fn standing(self, account: &AccountId, posted: Posted) -> Posted {
        let balance = self.accounts.credit(account).balance;
        Posted { balance, ..posted }
    }

    /// Ends what was drawn in memory: it is in the store now, or, where nothing was posted, it goes back.
    fn conclude(
        self,
        account: &AccountId,
        amount: NanoUsd,
        draws: &Draws,
        posted: Option<&Posted>,
    ) {
        if posted.is_some_and(|posted| !posted.existed) {
            self.accounts.drawn(account);
        } else {
            self.accounts.give_back(account, amount, draws);
        }
    }

    /// Takes credit that no call holds, or says how much there is for `what`. It is taken first and looked at then,
    /// because calls go on meanwhile.
    fn draw_what_is_free(
        self,
        account: &AccountId,
        amount: NanoUsd,
        what: &str,
    ) -> Result<Draws, Rejection> {
        let before = self.accounts.credit(account);
        let draws = self.accounts.draw(account, amount);
        if !self.accounts.credit(account).available().is_negative() {
            return Ok(draws);
        }
        self.accounts.give_back(account, amount, &draws);
        let words = format!(
            "Account {:?} has {} USD {what}, and {amount} is more. Its balance is {}, of which calls under way hold {}.",
            account.as_str(),
            before.available().max(NanoUsd::ZERO),
            before.balance,
            before.held,
        );
        Err(Rejection::new(Reason::Conflict, words))
    }

    /// The credit of an account, with what calls hold of it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn sheet(self, account: AccountId) -> Result<CreditSheet, Rejection> {
        self.post_expired_of(&account).await;
        let credit = self.accounts.credit(&account);
        let stored = self.store.credit(account).await?;
        Ok(CreditSheet {
            balance: credit.balance,
            held: Some(credit.held),
            lots: stored.lots,
        })
    }

    /// Posts what expired since this was last done. What cannot be posted now is kept for the next time; whether there
    /// is any such.
    pub async fn post_expired(self) -> bool {
        let mut left = false;
        for (account, lost) in self.accounts.take_expired() {
            left |= !self.post_lost(&account, lost).await;
        }
        left
    }

    /// The same for one account, before somebody is told how it stands.
    async fn post_expired_of(self, account: &AccountId) {
        let lost = self.accounts.take_expired_of(account);
        if !lost.is_empty() {
            self.post_lost(account, lost).await;
        }
    }

    async fn post_lost(self, account: &AccountId, lost: Vec<Draw>) -> bool {
        let posted = self.store.post_expiries(account.clone(), lost.clone());
        let Err(error) = posted.await else {
            return true;
        };
        tracing::warn!(%account, %error, "expired credit could not be recorded yet");
        self.accounts.put_back_expired(account, lost);
        false
    }

    /// Nothing is posted that has ended already; what was posted before it ended is found again.
    async fn lasts(self, end: Option<Timestamp>, id: Option<String>) -> Result<(), Rejection> {
        let Some(end) = end.filter(|end| *end <= self.store.now()) else {
            return Ok(());
        };
        match id {
            Some(id) if self.is_posted(&id).await? => Ok(()),
            _ => Err(Rejection::passed(end)),
        }
    }

    async fn is_posted(self, id: &str) -> Result<bool, Rejection> {
        Ok(self.store.has_entry(id.to_owned()).await?)
    }
}

/// The words for an entry that was not posted.
fn unposted(error: WriteError, id: Option<&str>) -> Rejection {
    match (error, id) {
        (WriteError::IdConflict, Some(id)) => Rejection::new(
            Reason::Conflict,
            format!(
                "Entry {id:?} exists and says something else. Entries are never changed: use another id, or none, or \
                 post an adjustment."
            ),
        ),
        (WriteError::TooLarge, _) => Rejection::new(
            Reason::Conflict,
            format!(
                "The balance would be above {} USD, the most that can be kept.",
                NanoUsd::MAX
            ),
        ),
        (error @ WriteError::IdConflict, _) => {
            Rejection::new(Reason::Conflict, format!("{error}."))
        }
        (error, _) => error.into(),
    }
}

#[cfg(test)]
mod tests;

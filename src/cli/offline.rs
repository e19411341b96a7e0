//! The store without its daemon: the registry that the command line puts in the daemon's place.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    accounts::{AccountSpec, Accounts, KeySpec, PaymentStanding, Roster, Spoken},
    admin::{CreditSheet, Linked, Registry, Rejection},
    app::{CreditLedger, Declared, EventApplier, merged},
    domain::{AccountId, Clock, RequestId},
    store::{
        self, CallDetails, CallFilter, CallRow, CustomerFilter, CustomerRow, EntryFilter, EntryRow,
        EventFilter, EventRow, NewEntry, NewLink, NewTransfer, NotificationFilter, NotificationId,
        NotificationRow, OpenError, Page, Posted, ReadError, Reader, Received, Store, StoredCredit,
        UsageQuery, UsageRow,
    },
    webhooks,
};

/// What the configuration and the store say together, and the store.
#[derive(Debug)]
pub(super) struct Offline {
    roster: Mutex<Arc<Roster>>,
    files: Files,
    clock: Clock,
}

#[derive(Debug)]
enum Files {
    /// Ours alone while we hold it, with the credit that is in it.
    Owned(Store, Books),
    /// Looked into; a daemon may be writing.
    Watched(Mutex<Reader>),
    /// There is no store yet.
    None,
}

/// What belongs to the store of a stopped daemon.
#[derive(Debug)]
struct Books {
    accounts: Arc<Accounts>,
    declared: Arc<Declared>,
    /// What the file has overruled while no daemon was there to see it.
    overruled: Vec<(AccountId, Spoken)>,
    webhooks: webhooks::Settings,
}

fn by_account(standings: Vec<PaymentStanding>) -> HashMap<AccountId, PaymentStanding> {
    let pairs = standings
        .into_iter()
        .map(|standing| (standing.account.clone(), standing));
    pairs.collect()
}

impl Offline {
    /// Takes the store, or makes it.
    pub(super) fn own(
        declared: Roster,
        settings: &store::Settings,
        webhooks: webhooks::Settings,
        clock: &Clock,
    ) -> Result<Self, OpenError> {
        let (store, loaded) = Store::open(settings, clock.clone())?;
        let of = declared.accounts.iter().chain(&loaded.accounts);
        let known = Declared::of(of, &declared.customers);
        let overruled = known.overruled(&loaded.standings);
        let roster = merged(
            &declared,
            &loaded.accounts,
            &loaded.keys,
            &loaded.first_seen,
            &by_account(loaded.standings),
        );
        let books = Books {
            declared: Arc::new(known),
            overruled,
            accounts: Arc::new(
                Accounts::new(clock.clone(), Vec::new())
                    .with_credit(&loaded.credit)
                    .since(loaded.newest),
            ),
            webhooks,
        };
        Ok(Self::over(roster, Files::Owned(store, books), clock))
    }

    /// Looks into the store; one that was never made is empty, but not one whose folder is missing: that is a mistake.
    pub(super) fn watch(declared: Roster, file: &Path, clock: &Clock) -> Result<Self, String> {
        let absolute = std::path::absolute(file).map_err(|error| error.to_string())?;
        let reader = match Reader::open(file) {
            Ok(reader) => reader,
            // What is left of one that is gone says so.
            Err(error) if error.is_of_nothing() && absolute.parent().is_some_and(Path::is_dir) => {
                return Ok(Self::over(declared, Files::None, clock));
            }
            Err(error) => return Err(error.to_string()),
        };
        let words = |error: ReadError| error.to_string();
        let (accounts, keys) = (
            reader.accounts().map_err(words)?,
            reader.keys().map_err(words)?,
        );
        let standings = by_account(reader.standings().map_err(words)?);
        let seen = reader.first_seen().map_err(words)?;
        let roster = merged(&declared, &accounts, &keys, &seen, &standings);
        Ok(Self::over(
            roster,
            Files::Watched(Mutex::new(reader)),
            clock,
        ))
    }

    fn over(roster: Roster, files: Files, clock: &Clock) -> Self {
        Self {
            roster: Mutex::new(Arc::new(roster)),
            files,
            clock: clock.clone(),
        }
    }

    /// Gives the store back.
    pub(super) async fn close(&self) {
        if let Files::Owned(store, _) = &self.files {
            store.close().await;
        }
    }

    fn store(&self) -> Result<&Store, Rejection> {
        match &self.files {
            Files::Owned(store, _) => Ok(store),
            Files::Watched(_) | Files::None => Err(only_read()),
        }
    }

    async fn applier(&self) -> Result<EventApplier<'_>, Rejection> {
        let Files::Owned(store, books) = &self.files else {
            return Err(only_read());
        };
        // Events may be older than what the file says now.
        store
            .overrule_payments(books.overruled.clone(), None)
            .await?;
        Ok(EventApplier {
            accounts: &books.accounts,
            store,
            settings: &books.webhooks,
            declared: Arc::clone(&books.declared),
        })
    }

    fn credit_ledger(&self) -> Result<CreditLedger<'_>, Rejection> {
        match &self.files {
            Files::Owned(store, books) => Ok(CreditLedger {
                accounts: &books.accounts,
                store,
            }),
            Files::Watched(_) | Files::None => Err(only_read()),
        }
    }
}

/// Whether there is no such file. One that cannot be looked at, in a folder that is not open to this user, may be there.
pub(super) fn is_missing(file: &Path) -> bool {
    !file.try_exists().unwrap_or(true)
}

impl Registry for Offline {
    fn roster(&self) -> Arc<Roster> {
        Arc::clone(&locked(&self.roster))
    }

    async fn put_account(&self, account: AccountSpec, spoken: Spoken) -> Result<(), Rejection> {
        let store = self.store()?;
        store.put_account(account.clone(), spoken).await?;
        let mut roster = locked(&self.roster);
        let accounts = &mut Arc::make_mut(&mut roster).accounts;
        accounts.retain(|known| known.id != account.id);
        accounts.push(Arc::new(account));
        Ok(())
    }

    async fn put_key(&self, key: KeySpec) -> Result<(), Rejection> {
        let store = self.store()?;
        store.put_key(key.clone()).await?;
        let mut roster = locked(&self.roster);
        let keys = &mut Arc::make_mut(&mut roster).keys;
        keys.retain(|known| known.id != key.id);
        keys.push(Arc::new(key));
        Ok(())
    }

    async fn calls(&self, filter: CallFilter) -> Result<Page<CallRow>, Rejection> {
        Ok(match &self.files {
            Files::Owned(store, _) => store.calls(filter).await?,
            Files::Watched(reader) => locked(reader).calls(&filter)?,
            Files::None => Page::empty(),
        })
    }

    async fn call(&self, id: RequestId) -> Result<Option<CallDetails>, Rejection> {
        Ok(match &self.files {
            Files::Owned(store, _) => store.call(id).await?,
            Files::Watched(reader) => locked(reader).call(id)?,
            Files::None => None,
        })
    }

    async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageRow>, Rejection> {
        Ok(match &self.files {
            Files::Owned(store, _) => store.usage(query).await?,
            Files::Watched(reader) => locked(reader).usage(&query)?,
            Files::None => Vec::new(),
        })
    }

    async fn notifications(
        &self,
        filter: NotificationFilter,
    ) -> Result<Page<NotificationRow>, Rejection> {
        Ok(match &self.files {
            Files::Owned(store, _) => store.notifications(filter).await?,
            Files::Watched(reader) => locked(reader).notifications(&filter)?,
            Files::None => Page::empty(),
        })
    }

    async fn credit_add(&self, entry: NewEntry) -> Result<Posted, Rejection> {
        self.credit_ledger()?.add(entry).await
    }

    async fn credit_transfer(&self, transfer: NewTransfer) -> Result<[Posted; 2], Rejection> {
        self.credit_ledger()?.transfer(transfer).await
    }

    async fn credit(&self, account: AccountId) -> Result<CreditSheet, Rejection> {
        let stored = match &self.files {
            Files::Owned(..) => return self.credit_ledger()?.sheet(account).await,
            Files::Watched(reader) => locked(reader).credit(&account)?,
            Files::None => StoredCredit::default(),
        };
        let stored = stored.at(self.clock.now());
        Ok(CreditSheet {
            balance: stored.balance,
            held: None,
            lots: stored.lots,
        })
    }

    async fn entries(&self, filter: EntryFilter) -> Result<Page<EntryRow, i64>, Rejection> {
        Ok(match &self.files {
            Files::Owned(store, _) => store.entries(filter).await?,
            Files::Watched(reader) => locked(reader).entries(&filter)?,
            Files::None => Page::empty(),
        })
    }

    async fn retry_notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<NotificationRow>, Rejection> {
        match &self.files {
            Files::None => Ok(None),
            _ => Ok(self.store()?.retry_notification(id).await?),
        }
    }

    async fn test_notification(&self) -> Result<usize, Rejection> {
        Err(Rejection::unavailable(
            "Messages are sent by a running daemon, and none is running. Start it with `faregate serve`.",
        ))
    }

    async fn payment_events(&self, filter: EventFilter) -> Result<Page<EventRow, i64>, Rejection> {
        Ok(match &self.files {
            Files::Owned(store, _) => store.payment_events(filter).await?,
            Files::Watched(reader) => locked(reader).payment_events(&filter)?,
            Files::None => Page::empty(),
        })
    }

    async fn replay_payment(&self, id: String) -> Result<Received, Rejection> {
        let applier = self.applier().await?;
        // Nobody is served from here, so there is nothing to publish.
        applier.replay(&id).await.map(|(received, _)| received)
    }

    async fn customers(
        &self,
        filter: CustomerFilter,
    ) -> Result<Page<CustomerRow, String>, Rejection> {
        Ok(match &self.files {
            Files::Owned(store, _) => store.customers(filter).await?,
            Files::Watched(reader) => locked(reader).customers(&filter)?,
            Files::None => Page::empty(),
        })
    }

    async fn link_customer(&self, link: NewLink) -> Result<Linked, Rejection> {
        let applier = self.applier().await?;
        // Nobody is served from here, so there is nothing to publish.
        applier.link(link).await.map(|(linked, _)| linked)
    }

    fn ready(&self) -> Result<(), &'static str> {
        Err("no daemon is running")
    }
}

fn only_read() -> Rejection {
    Rejection::unavailable("The store was opened to be read.")
}

/// Nothing panics while it holds one of these locks; a poisoned one would still hold a whole value.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

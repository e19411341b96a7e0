//! The store without its daemon: the registry that the command line puts in the daemon's place.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    accounts::{AccountSpec, KeySpec, Roster},
    admin::{Registry, Rejection},
    app::merged,
    domain::Clock,
    store::{
        self, CallFilter, CallRow, NotificationFilter, NotificationId, NotificationRow, OpenError,
        Page, ReadError, Reader, Store, UsageQuery, UsageRow,
    },
};

/// What the configuration and the store say together, and the store.
#[derive(Debug)]
pub(super) struct Offline {
    roster: Mutex<Arc<Roster>>,
    files: Files,
}

#[derive(Debug)]
enum Files {
    /// Ours alone while we hold it.
    Owned(Store),
    /// Looked into; a daemon may be writing.
    Watched(Mutex<Reader>),
    /// There is no store yet.
    None,
}

impl Offline {
    /// Takes the store, or makes it.
    pub(super) fn own(
        declared: Roster,
        settings: &store::Settings,
        clock: &Clock,
    ) -> Result<Self, OpenError> {
        let (store, loaded) = Store::open(settings, clock.clone())?;
        let roster = merged(
            &declared,
            &loaded.accounts,
            &loaded.keys,
            &loaded.first_seen,
        );
        Ok(Self::over(roster, Files::Owned(store)))
    }

    /// Looks into the store; one that was never made is empty.
    pub(super) fn watch(declared: Roster, file: &Path) -> Result<Self, String> {
        if !file.exists() {
            return Ok(Self::over(declared, Files::None));
        }
        let reader = Reader::open(file).map_err(|error| error.to_string())?;
        let words = |error: ReadError| error.to_string();
        let (accounts, keys) = (
            reader.accounts().map_err(words)?,
            reader.keys().map_err(words)?,
        );
        let roster = merged(&declared, &accounts, &keys, &HashMap::new());
        Ok(Self::over(roster, Files::Watched(Mutex::new(reader))))
    }

    fn over(roster: Roster, files: Files) -> Self {
        Self {
            roster: Mutex::new(Arc::new(roster)),
            files,
        }
    }

    /// Gives the store back.
    pub(super) async fn close(&self) {
        if let Files::Owned(store) = &self.files {
            store.close().await;
        }
    }

    fn store(&self) -> Result<&Store, Rejection> {
        match &self.files {
            Files::Owned(store) => Ok(store),
            Files::Watched(_) | Files::None => {
                Err(Rejection::unavailable("The store was opened to be read."))
            }
        }
    }
}

impl Registry for Offline {
    fn roster(&self) -> Arc<Roster> {
        Arc::clone(&locked(&self.roster))
    }

    async fn put_account(&self, account: AccountSpec) -> Result<(), Rejection> {
        let store = self.store()?;
        store
            .put_account(account.clone())
            .await
            .map_err(|error| Rejection::unavailable(error.to_string()))?;
        let mut roster = locked(&self.roster);
        let accounts = &mut Arc::make_mut(&mut roster).accounts;
        accounts.retain(|known| known.id != account.id);
        accounts.push(account);
        Ok(())
    }

    async fn put_key(&self, key: KeySpec) -> Result<(), Rejection> {
        let store = self.store()?;
        store
            .put_key(key.clone())
            .await
            .map_err(|error| Rejection::unavailable(error.to_string()))?;
        let mut roster = locked(&self.roster);
        let keys = &mut Arc::make_mut(&mut roster).keys;
        keys.retain(|known| known.id != key.id);
        keys.push(key);
        Ok(())
    }

    async fn calls(&self, filter: CallFilter) -> Result<Page<CallRow>, Rejection> {
        match &self.files {
            Files::Owned(store) => store.calls(filter).await,
            Files::Watched(reader) => locked(reader).calls(&filter),
            Files::None => Ok(Page {
                data: Vec::new(),
                next_cursor: None,
            }),
        }
        .map_err(|error| Rejection::unavailable(error.to_string()))
    }

    async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageRow>, Rejection> {
        match &self.files {
            Files::Owned(store) => store.usage(query).await,
            Files::Watched(reader) => locked(reader).usage(&query),
            Files::None => Ok(Vec::new()),
        }
        .map_err(|error| Rejection::unavailable(error.to_string()))
    }

    async fn notifications(
        &self,
        filter: NotificationFilter,
    ) -> Result<Page<NotificationRow>, Rejection> {
        match &self.files {
            Files::Owned(store) => store.notifications(filter).await,
            Files::Watched(reader) => locked(reader).notifications(&filter),
            Files::None => Ok(Page {
                data: Vec::new(),
                next_cursor: None,
            }),
        }
        .map_err(|error| Rejection::unavailable(error.to_string()))
    }

    async fn retry_notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<NotificationRow>, Rejection> {
        let row = self.store()?.retry_notification(id).await;
        row.map_err(|error| Rejection::unavailable(error.to_string()))
    }

    async fn test_notification(&self) -> Result<usize, Rejection> {
        Err(Rejection::unavailable(
            "Messages are sent by a running daemon, and none is running. Start it with `faregate serve`.",
        ))
    }

    fn ready(&self) -> Result<(), &'static str> {
        Err("no daemon is running")
    }
}

/// Nothing panics while it holds one of these locks; a poisoned one would still hold a whole value.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

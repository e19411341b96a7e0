//! From a host's name to its addresses, by the system's resolver.
//!
//! The resolver blocks its thread, and one that hangs blocks it for as long as it likes. So a lookup has a thread of its
//! own, none of those that the runtime has for work that blocks, and there are few of them for a name: whoever comes
//! meanwhile waits for their answer. Nothing is kept: how long an answer holds, the system does not say.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::{
    sync::watch,
    time::{Duration, Instant},
};

/// Lookups of one name at once.
const AT_ONCE: usize = 4;

/// How long a lookup may take before the next who comes begins another beside it: a resolver waits some seconds for a
/// packet that was lost before it asks again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a lookup came to, for all who wait for it.
type Found = Result<Arc<[SocketAddr]>, Arc<io::Error>>;

type Resolver = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// One name, and the lookups of it.
pub(super) struct Name {
    host: String,
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    resolver: Box<Resolver>,
    under_way: Mutex<UnderWay>,
    /// What the last lookup came to; who waits takes the next.
    found: watch::Sender<Option<Found>>,
}

#[derive(Debug, Default)]
struct UnderWay {
    lookups: usize,
    last: Option<Instant>,
}

/// A lookup under way, which ends when it is dropped.
struct Lookup {
    shared: Arc<Shared>,
    found: Option<Found>,
}

impl Name {
    /// The name of a host as the system's resolver knows it.
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self::resolved(host, port, |host, port| {
            Ok((host, port).to_socket_addrs()?.collect())
        })
    }

    fn resolved(
        host: &str,
        port: u16,
        resolver: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            host: host.to_owned(),
            port,
            shared: Arc::new(Shared {
                resolver: Box::new(resolver),
                under_way: Mutex::default(),
                found: watch::Sender::new(None),
            }),
        }
    }

    /// Its addresses now. Waits for as long as the resolver does.
    ///
    /// # Errors
    /// The resolver knows none, or gave up.
    pub(super) async fn addresses(&self) -> io::Result<Arc<[SocketAddr]>> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(Arc::new([SocketAddr::new(address, self.port)]));
        }
        let mut told = self.shared.found.subscribe();
        self.look_up();
        let changed = told.changed().await;
        let found = changed.ok().and_then(|()| told.borrow_and_update().clone());
        match found {
            Some(Ok(addresses)) => Ok(addresses),
            Some(Err(error)) => Err(io::Error::new(error.kind(), error)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Begins a lookup, unless there is one to wait for.
    fn look_up(&self) {
        let now = Instant::now();
        {
            let mut under_way = self.shared.under_way();
            let fresh = under_way.last.is_some_and(|last| now < last + AGAIN);
            let waits = fresh || under_way.lookups >= AT_ONCE;
            if under_way.lookups > 0 && waits {
                return;
            }
            under_way.lookups += 1;
            under_way.last = Some(now);
        }
        let lookup = Lookup {
            shared: Arc::clone(&self.shared),
            found: None,
        };
        let (host, port) = (self.host.clone(), self.port);
        let thread = thread::Builder::new().name("faregate-name".to_owned());
        let begun = thread.spawn(move || lookup.run(&host, port));
        // The lookup has ended with the thread that there is not, and whoever waits has been told.
        if let Err(error) = begun {
            tracing::warn!(error = %error, "a name could not be looked up: there is no thread for it");
        }
    }
}

impl Shared {
    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        // Nothing that runs under this lock can panic half-way through a change.
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lookup {
    fn run(mut self, host: &str, port: u16) {
        let found = (self.shared.resolver)(host, port);
        self.found = Some(found.map(Arc::from).map_err(Arc::new));
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        let unknown = || {
            Err(Arc::new(io::Error::other(
                "the name could not be looked up",
            )))
        };
        let found = self.found.take().unwrap_or_else(unknown);
        let mut under_way = self.shared.under_way();
        under_way.lookups = under_way.lookups.saturating_sub(1);
        // One that gives up says nothing while another may still find it.
        if found.is_ok() || under_way.lookups == 0 {
            self.shared.found.send_replace(Some(found));
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({}:{})", self.host, self.port)
    }
}

#[cfg(test)]
mod tests;

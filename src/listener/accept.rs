//! The accept loop and the drain.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use http_body::Body;
use hyper::{Request, Response, body::Incoming, service::Service};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

use super::{
    bind::Listener,
    boxes::FutureBoxes,
    clocks::Clocks,
    connection::{Connection, Peer},
    pressure::Pressure,
    session::{self, Shared},
    shutdown::Shutdown,
    tasks::Tasks,
};

/// Pauses after an accept that failed, doubled from the first to the last: long enough not to spin while descriptors
/// are short, short enough to go on soon after.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_LAST: Duration = Duration::from_secs(1);

/// How the connections that were open at the start of a drain ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// Those that came to their end.
    pub finished: usize,
    /// Those that were dropped because the time was up.
    pub forced: usize,
}

/// The socket, and how many of its connections are served at once.
pub(super) struct Acceptor {
    pub(super) socket: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) permits: Arc<Semaphore>,
    /// On while no further one can be.
    pub(super) crowded: Pressure,
}

#[derive(Debug, Default)]
struct Ended {
    finished: AtomicUsize,
    forced: AtomicUsize,
}

impl Listener {
    /// Accepts and serves until a shutdown has begun and every connection has ended. `make` makes the service of one
    /// connection; it is called for each connection accepted, before the handshake.
    ///
    /// At most `connections` are served at once; further ones wait in the kernel's backlog. The future ends at the
    /// latest when the shutdown is forced and its last word is over. It ends before a shutdown only if the runtime cannot
    /// take the socket, which is logged.
    pub async fn serve<M, S, B>(self, make: M, shutdown: Shutdown) -> Drained
    where
        M: Fn(Peer, Connection) -> S,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Self {
            socket,
            address,
            tuning,
            pressure,
        } = self;
        let socket = match TcpListener::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => {
                // The reactor has no room for one more descriptor: there is nothing to serve.
                tracing::error!(%address, %error, "cannot listen");
                return Drained::default();
            }
        };
        let tasks = Tasks::default();
        let ended = Arc::new(Ended::default());
        let crowded = Pressure::default();
        let share = |settings| {
            let shared = Shared::new(settings, tasks.clone(), shutdown.clone());
            Arc::new(shared.under(pressure.clone(), crowded.clone()))
        };
        let mut shared = share(Arc::clone(&tuning.current()));
        let places = shared.settings.connections.min(Semaphore::MAX_PERMITS);
        let acceptor = Acceptor {
            socket,
            address,
            permits: Arc::new(Semaphore::new(places)),
            crowded: crowded.clone(),
        };

        let boxes = Arc::<FutureBoxes<S::Future>>::default();
        let mut start = |tcp: TcpStream, addr, permit: OwnedSemaphorePermit| {
            let settings = tuning.current();
            if !Arc::ptr_eq(&settings, &shared.settings) {
                shared = share(Arc::clone(&settings));
            }
            let peer = Peer {
                addr,
                tls: shared.settings.tls.is_some(),
            };
            let clocks = Arc::new(Clocks::start(&shared.settings));
            let (service, boxes) = (make(peer, Connection::new(&clocks)), Arc::clone(&boxes));
            let (shared, ended) = (Arc::clone(&shared), Arc::clone(&ended));
            tasks.spawn(async move {
                // Given back when the connection is over, by panic too.
                let _permit = permit;
                let forced =
                    session::run(tcp, peer, clocks, service, boxes, Arc::clone(&shared)).await;
                if shared.shutdown.is_draining() {
                    ended.count(forced);
                }
            });
        };

        acceptor.accept_until(&shutdown, &mut start).await;
        acceptor.accept_backlog(&mut start);
        drop(acceptor);
        tasks.wait().await;
        ended.drained()
    }
}

impl Acceptor {
    /// Starts what comes until a shutdown begins.
    async fn accept_until(
        &self,
        shutdown: &Shutdown,
        start: &mut impl FnMut(TcpStream, SocketAddr, OwnedSemaphorePermit),
    ) {
        let mut pause = None;
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.draining() => return,
                accepted = self.accept() => accepted,
            };
            match accepted {
                Ok((tcp, addr, permit)) => {
                    pause = None;
                    start(tcp, addr, permit);
                }
                Err(error) => {
                    let Some(next) = back_off(&error, pause) else {
                        continue;
                    };
                    if pause.is_none() {
                        tracing::warn!(address = %self.address, %error, "cannot accept connections for now; they wait");
                    }
                    pause = Some(next);
                    tokio::select! {
                        () = shutdown.draining() => return,
                        () = sleep(next) => {}
                    }
                }
            }
        }
    }

    /// The next connection. The permit comes first: a connection that cannot be served yet stays in the kernel's backlog.
    /// While there is none, connections that have not asked for anything yet are told to leave.
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        self.crowded.set(self.permits.available_permits() == 0);
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(io::Error::other)?;
        // The place that we hold is free, however long it takes until somebody wants it.
        self.crowded.set(false);
        let (tcp, addr) = self.socket.accept().await?;
        Ok((tcp, addr, permit))
    }

    /// Connections that the kernel has already taken would be reset by closing the socket. They are served their one answer
    /// instead, as far as permits go.
    fn accept_backlog(&self, start: &mut impl FnMut(TcpStream, SocketAddr, OwnedSemaphorePermit)) {
        while let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned()
            && let Some(Ok((tcp, addr))) = self.socket.accept().now_or_never()
        {
            start(tcp, addr, permit);
        }
    }
}

impl Ended {
    fn count(&self, forced: bool) {
        let counter = if forced { &self.forced } else { &self.finished };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn drained(&self) -> Drained {
        Drained {
            finished: self.finished.load(Ordering::Relaxed),
            forced: self.forced.load(Ordering::Relaxed),
        }
    }
}

/// How long to pause after an error, `None` for not at all: an error of the connection that would have been accepted
/// says nothing about the next one; one of ours (no descriptors, no memory) does.
pub(super) fn back_off(error: &io::Error, last: Option<Duration>) -> Option<Duration> {
    match error.kind() {
        io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionRefused
        | io::ErrorKind::Interrupted => None,
        _ => Some(last.map_or(PAUSE_FIRST, |last| last.saturating_mul(2).min(PAUSE_LAST))),
    }
}

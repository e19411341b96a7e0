//! What a service knows of the connection it serves.

use std::{net::SocketAddr, sync::Arc, task::Poll};

use tokio::time::Instant;

use super::{clocks::Clocks, streams::Progress};

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The address that connected to us: a client's, or a proxy's in front of us.
    pub addr: SocketAddr,
    /// Whether the connection is encrypted up to here.
    pub tls: bool,
}

/// A service's handle on its connection. Cloning is shallow.
#[derive(Debug, Clone)]
pub struct Connection {
    clocks: Arc<Clocks>,
}

/// One request under way. Belongs first into the service's future and then into the response body, so that it goes when
/// the body has ended or is dropped. While one lives, the connection is neither idle nor waiting for a head.
#[derive(Debug)]
#[must_use = "dropping it says that the request is over"]
pub struct InFlight {
    clocks: Arc<Clocks>,
    arrived: Instant,
    answered: bool,
    progress: Option<Arc<Progress>>,
}

// === impl Connection ===

impl Connection {
    pub(super) fn new(clocks: &Arc<Clocks>) -> Self {
        Self {
            clocks: Arc::clone(clocks),
        }
    }

    /// Says that a request is under way. To be called once for each request, within the service's `call` itself and
    /// not in the future that it returns: only there it is known which stream it belongs to.
    pub fn in_flight(&self) -> InFlight {
        let arrived = Instant::now();
        InFlight {
            progress: self.clocks.exchange_began(arrived),
            clocks: Arc::clone(&self.clocks),
            arrived,
            answered: false,
        }
    }
}

// === impl InFlight ===

impl InFlight {
    /// Says that the answer's head exists; to be called when the service's future resolves. (A first [`Self::watch`] says
    /// the same, but not every body is polled.) A request that is dropped before was taken back by the client. One that
    /// takes back a hundred within a second of asking, and most of all it asks, loses its HTTP/2 connection.
    pub fn answered(&mut self) {
        self.answered = true;
    }

    /// Notes what the response body's `poll_frame` is about to return. A client that does not ask for more within
    /// `write_stall` of a frame has stalled; its HTTP/2 stream is then reset, and the body dropped.
    pub fn watch<T>(&self, polled: &Poll<T>) {
        if let Some(progress) = &self.progress {
            progress.polled(polled.is_ready());
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // Only streams can be taken back one by one: an HTTP/1 client has to connect anew for each.
        let taken_back = self
            .progress
            .as_ref()
            .is_some_and(|progress| !self.answered && !progress.is_answered());
        self.clocks
            .exchange_ended(taken_back.then_some(self.arrived));
    }
}

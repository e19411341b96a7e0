//! The end in two stages: first nothing new, then nothing more.

use std::sync::Arc;

use super::signal::{Signal, Until};

/// What the running parts see of a shutdown. Cloning is shallow.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    draining: Arc<Signal>,
    cut_off: Arc<Signal>,
}

/// What starts a shutdown. Cloning is shallow.
#[derive(Debug, Clone)]
pub struct ShutdownHandle {
    shutdown: Shutdown,
}

// === impl Shutdown ===

impl Shutdown {
    /// Whether nothing new is taken any more.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_raised()
    }

    /// Waits until the drain begins.
    pub fn draining(&self) -> Until {
        self.draining.wait()
    }

    /// Whether bodies still under way have to end now.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.cut_off.is_raised()
    }

    /// Waits until bodies still under way have to end: a stream says so in its last event and stops. Connections
    /// that are still open [`super::Closing::last_word`] later are dropped.
    pub fn cut_off(&self) -> Until {
        self.cut_off.wait()
    }
}

// === impl ShutdownHandle ===

impl ShutdownHandle {
    /// A shutdown that has not begun.
    #[must_use]
    pub fn new() -> (Self, Shutdown) {
        let shutdown = Shutdown::default();
        let handle = Self {
            shutdown: shutdown.clone(),
        };
        (handle, shutdown)
    }

    /// Begins the drain: listeners stop accepting, idle connections close, the others finish what they are at.
    /// HTTP/1 says `Connection: close` with its answer, HTTP/2 sends GOAWAY. Calling it again does nothing.
    pub fn begin(&self) {
        self.shutdown.draining.raise();
    }

    /// Ends the drain: [`Shutdown::cut_off`] resolves, and what is left after the last word is dropped. Begins the
    /// drain where that has not happened.
    pub fn force(&self) {
        self.begin();
        self.shutdown.cut_off.raise();
    }
}

//! How a listener listens.

use std::{net::SocketAddr, sync::Arc, time::Duration};

/// Everything a listener needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// Certificate and key, loaded; `None` speaks plain HTTP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Connections served at once; further ones wait in the backlog.
    pub connections: usize,
    /// Requests on one HTTP/1 connection; it is closed after the last.
    pub connection_requests: u32,
    /// Bytes of a request head at most.
    pub head_bytes: usize,
    /// Header fields of a request at most.
    pub fields: usize,
    /// Deadlines.
    pub timeouts: Timeouts,
    /// HTTP/2's own limits.
    pub http2: Http2,
    /// How a connection is closed.
    pub closing: Closing,
}

/// Deadlines of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From accept to the end of the TLS handshake.
    pub tls: Duration,
    /// From accept, or from a head's first byte, to the end of the head.
    pub head: Duration,
    /// How long a client may take nothing of what we write.
    pub write_stall: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long any connection is kept, a tenth more or less; `None` keeps it.
    pub connection_age: Option<Duration>,
}

/// HTTP/2's own limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http2 {
    /// Streams at once.
    pub streams: u32,
    /// How long a connection without streams is kept.
    pub idle: Duration,
    /// How often a silent connection is asked whether it lives.
    pub ping: Duration,
}

/// How a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// Request bytes read and thrown away after an early answer at most.
    pub linger_bytes: u64,
    /// How long they are thrown away, and how long a connection told to close may stay without a request in flight.
    pub linger: Duration,
    /// How long an idle connection is kept while connections are short.
    pub pressed: Duration,
    /// From the cut-off at the end of a drain until what is left is dropped.
    pub last_word: Duration,
}

/// Durations are cut to this, so that instants computed from them exist.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

impl Settings {
    /// The same with every duration short enough to count with.
    pub(super) fn bounded(mut self) -> Self {
        let Timeouts {
            tls,
            head,
            write_stall,
            keep_alive,
            connection_age,
        } = &mut self.timeouts;
        let Http2 {
            streams: _,
            idle,
            ping,
        } = &mut self.http2;
        let Closing {
            linger_bytes: _,
            linger,
            pressed,
            last_word,
        } = &mut self.closing;
        for duration in [
            tls,
            head,
            write_stall,
            keep_alive,
            idle,
            ping,
            linger,
            pressed,
            last_word,
        ]
        .into_iter()
        .chain(connection_age)
        {
            *duration = LONGEST.min(*duration);
        }
        self
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tls: Duration::from_secs(10),
            head: Duration::from_secs(10),
            write_stall: Duration::from_secs(60),
            keep_alive: Duration::from_secs(75),
            connection_age: Some(Duration::from_secs(3600)),
        }
    }
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            streams: 100,
            idle: Duration::from_secs(300),
            ping: Duration::from_secs(30),
        }
    }
}

impl Default for Closing {
    fn default() -> Self {
        Self {
            linger_bytes: 32 << 20,
            linger: Duration::from_secs(2),
            pressed: Duration::from_secs(2),
            last_word: Duration::from_secs(5),
        }
    }
}

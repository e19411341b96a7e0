//! From a base URL to a usable connection: name, TCP, TLS, HTTP.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::TcpStream,
    time::{Duration, Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    BaseUrl, Failure, FailureKind, Outgoing, failure::cause, h1::Wire, head, names::Name,
    pool::Connection, shared::Shared,
};
use crate::listener::Stream;

/// HTTP/2 first, as almost every provider speaks it (RFC 7301 has the list in order of preference).
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Unacknowledged bytes, and silence that probes do not break, end a connection after about this long.
const DEAD_PEER: Duration = Duration::from_secs(30);
const KEEPALIVE_PROBES: u32 = 3;

/// HTTP/2 counts name and value and 32 bytes for each field against this (RFC 9113 §6.5.2).
const H2_HEAD_LIST: u32 = (head::MAX_BYTES + head::MAX_FIELDS * 32) as u32;
/// One stream's window, and all of them together: a reader that has stopped must not stop its neighbours.
const H2_STREAM_WINDOW: u32 = 64 * 1024;
const H2_CONNECTION_WINDOW: u32 = H2_STREAM_WINDOW * Shared::MAX_STREAMS;
const H2_SEND_BUFFER: usize = 64 * 1024;

/// Where a provider's connections lead.
pub(super) struct Origin {
    name: Name,
    tls: Option<Tls>,
}

struct Tls {
    connector: TlsConnector,
    /// `None` for a host that no certificate can name.
    name: Option<ServerName<'static>>,
}

impl Origin {
    pub(super) fn new(url: &BaseUrl, tls: &Arc<rustls::ClientConfig>) -> Self {
        let https = url.scheme == http::uri::Scheme::HTTPS;
        // RFC 3986 §3.2.2 puts an IPv6 address in brackets; the resolver and TLS want it without.
        let host = url.authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let usual = if https { 443 } else { 80 };
        Self {
            name: Name::new(host, url.authority.port_u16().unwrap_or(usual)),
            tls: https.then(|| Tls {
                connector: TlsConnector::from(with_alpn(tls)),
                name: ServerName::try_from(host.to_owned()).ok(),
            }),
        }
    }

    pub(super) const fn is_https(&self) -> bool {
        self.tls.is_some()
    }

    /// A new connection. Nothing of the request is sent before it stands.
    pub(super) async fn open(&self, deadline: Instant) -> Result<Connection, Failure> {
        let stream = self.dial(deadline).await?;
        let Some(Tls { connector, name }) = &self.tls else {
            return Ok(h1(Stream::Plain(stream)));
        };
        let Some(name) = name else {
            return Err(Failure::unsent(FailureKind::Tls).because("not a host name"));
        };
        let stream = connector
            .connect(name.clone(), stream)
            .await
            .map_err(|error| Failure::unsent(FailureKind::Tls).because(error))?;
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => h2(stream).await,
            _ => Ok(h1(Stream::Tls(Box::new(stream.into())))),
        }
    }

    /// Tries the host's addresses in turn. All but the last get a share of the time, so that one that swallows packets
    /// does not use it up.
    async fn dial(&self, deadline: Instant) -> Result<TcpStream, Failure> {
        let unreachable =
            |error: io::Error| Failure::unsent(FailureKind::Unreachable).because(error);
        let addresses = self.name.addresses().await.map_err(unreachable)?;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for (index, address) in addresses.iter().enumerate() {
            let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
            let now = Instant::now();
            let share = now + deadline.saturating_duration_since(now) / left;
            match timeout_at(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    return tune(&stream).map(|()| stream).map_err(unreachable);
                }
                Ok(Err(error)) => last = error,
                Err(_) if left == 1 => return Err(Failure::unsent(FailureKind::ConnectTimeout)),
                Err(elapsed) => last = io::Error::new(io::ErrorKind::TimedOut, elapsed),
            }
        }
        Err(unreachable(last))
    }
}

/// The same configuration, offering both protocols. Sessions to resume stay shared with the original.
fn with_alpn(tls: &Arc<rustls::ClientConfig>) -> Arc<rustls::ClientConfig> {
    if tls.alpn_protocols == ALPN {
        return Arc::clone(tls);
    }
    let mut offering = rustls::ClientConfig::clone(tls);
    offering.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Arc::new(offering)
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(DEAD_PEER)
            .with_interval(DEAD_PEER / KEEPALIVE_PROBES)
            .with_retries(KEEPALIVE_PROBES),
    )?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(DEAD_PEER))?;
    Ok(())
}

/// The box is one for each connection: it moves from hand to hand with every call.
fn h1(stream: Stream) -> Connection {
    Connection::H1(Box::new(Wire::new(stream)))
}

async fn h2(stream: TlsStream<TcpStream>) -> Result<Connection, Failure> {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(H2_STREAM_WINDOW)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .max_header_list_size(H2_HEAD_LIST)
        .max_send_buf_size(H2_SEND_BUFFER)
        .handshake::<_, Outgoing>(TokioIo::new(stream))
        .await
        .map_err(handshake_failed)?;
    let connection = Arc::new(Mutex::new(connection));
    let shared = Shared::new(sender, Arc::downgrade(&connection));
    drive(poll_fn(move |cx| {
        let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *connection).poll(cx)
    }));
    Ok(Connection::H2(Arc::new(shared)))
}

/// The only thing a handshake of hyper's does is to write.
fn handshake_failed(error: hyper::Error) -> Failure {
    let kind = match cause::<io::Error>(&error) {
        Some(_) => FailureKind::Disconnected,
        None => FailureKind::InvalidResponse,
    };
    Failure::unsent(kind).because(error)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the task is the connection: it ends when the last call or pool that holds it is gone, and nothing in it outlives a drain"
)]
fn drive(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "a connection to a provider ended badly");
        }
    });
}

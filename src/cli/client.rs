//! Talking to a running daemon: one request, one connection, bounded in time and size.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::Instant,
};

use super::exit::{Exit, Failure};
use crate::{admin::Reason, domain::Secret};

/// From connecting to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same for a probe: whoever has a limit of its own ends it after a few seconds, and learns nothing of what it saw.
pub(super) const PROBE: Duration = Duration::from_secs(3);

/// A page of a thousand accounts is a few hundred kilobytes.
const ANSWER_BYTES: usize = 32 << 20;

/// The admin API of a running daemon.
#[derive(Debug)]
pub(super) struct Client {
    address: SocketAddr,
    token: Secret,
}

/// Nothing that answers was found.
#[derive(Debug, thiserror::Error)]
#[error("{address} does not answer: {why}")]
pub(super) struct Unreachable {
    address: SocketAddr,
    why: String,
}

impl Client {
    /// A client for the listener at `address`, opened by `token`.
    pub(super) fn new(address: SocketAddr, token: Secret) -> Self {
        let address = reachable(address);
        Self { address, token }
    }

    /// Whether somebody listens.
    pub(super) async fn listens(&self) -> Result<(), Unreachable> {
        connect(self.address).await.map(drop)
    }

    /// Where it is asked.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a daemon answers that knows our token.
    pub(super) async fn takes_us(&self) -> bool {
        let asked = self.call(&Method::GET, "/admin/v1/plans?limit=1", None);
        asked.await.is_ok()
    }

    /// Asks the API; `target` is path and query.
    pub(super) async fn call(
        &self,
        method: &Method,
        target: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, self.address.to_string())
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", self.token.expose()),
            )
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|wrong| Failure::failed(format!("the request cannot be written: {wrong}")))?;
        let (status, answer) = connect(self.address)
            .await
            .map_err(|error| Failure::unavailable(error.to_string()))?
            .exchange(request)
            .await
            .map_err(|error| Failure::unavailable(unanswered(method, &error)))?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|_| {
            Failure::failed(format!(
                "{} answered {status} with something that is not JSON; is it Faregate's admin listener?",
                self.address
            ))
        })?;
        if status.is_success() {
            return Ok(answer);
        }
        Err(refused(self.address, status, &answer))
    }
}

/// A request that was sent and not answered. Whoever asks for a change again may have it made twice.
fn unanswered(method: &Method, error: &Unreachable) -> String {
    if method.is_safe() {
        return error.to_string();
    }
    format!(
        "{error}; what was asked for may have been done all the same\n  hint: look whether it was before you ask again"
    )
}

/// What a problem document says, and the exit code for it.
fn refused(address: SocketAddr, status: StatusCode, problem: &Value) -> Failure {
    let reason = problem["code"].as_str().and_then(Reason::parse);
    match (reason, problem["detail"].as_str()) {
        (Some(Reason::Unauthorized), _) => Failure::failed(
            "the running daemon has another `admin.token` than this configuration; reload it, or name its file with \
             --config",
        ),
        (Some(Reason::Unavailable), Some(detail)) => Failure::new(Exit::Unavailable, detail),
        (_, Some(detail)) => Failure::failed(detail),
        (_, None) => Failure::failed(format!("{address} answered {status} without a reason")),
    }
}

/// Asks a listener that needs no token whether it is ready; `secure` says that it speaks TLS. Nobody waits beyond
/// `until`.
pub(super) async fn ready(
    address: SocketAddr,
    secure: bool,
    until: Instant,
) -> Result<StatusCode, Unreachable> {
    let address = reachable(address);
    let limit = until.saturating_duration_since(Instant::now());
    let asked = async {
        let mut connection = connect(address).await?;
        if secure {
            connection = connection.secured().await?;
        }
        let request = Request::get("/readyz")
            .header(header::HOST, address.to_string())
            .body(Full::new(Bytes::new()))
            .map_err(|error| unreachable(address, &error))?;
        connection.exchange(request).await.map(|(status, _)| status)
    };
    tokio::time::timeout_at(until, asked)
        .await
        .unwrap_or_else(|_| Err(late(address, limit)))
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

struct Connection {
    address: SocketAddr,
    stream: Box<dyn Stream>,
}

async fn connect(address: SocketAddr) -> Result<Connection, Unreachable> {
    let connecting = tokio::time::timeout(PATIENCE, TcpStream::connect(address));
    let stream = connecting
        .await
        .map_err(|_| late(address, PATIENCE))?
        .map_err(|error| unreachable(address, &error))?;
    Ok(Connection {
        address,
        stream: Box::new(stream),
    })
}

impl Connection {
    /// Speaks TLS without checking the certificate: a probe sends no secret and asks only this machine's daemon, whose
    /// certificate names its public address and not the one that is asked.
    async fn secured(self) -> Result<Self, Unreachable> {
        let address = self.address;
        let connector = tokio_rustls::TlsConnector::from(super::probe_tls::config());
        let handshake = connector.connect(address.ip().into(), self.stream);
        let stream = tokio::time::timeout(PATIENCE, handshake)
            .await
            .map_err(|_| late(address, PATIENCE))?
            .map_err(|error| unreachable(address, &error))?;
        Ok(Self {
            address,
            stream: Box::new(stream),
        })
    }

    async fn exchange(
        self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), Unreachable> {
        let address = self.address;
        let lost = |error: &dyn std::error::Error| unreachable(address, error);
        let exchange = async {
            let (mut sender, connection) = http1::handshake(TokioIo::new(self.stream))
                .await
                .map_err(|error| lost(&error))?;
            let answer = async {
                let response = sender.send_request(request).await;
                let response = response.map_err(|error| lost(&error))?;
                let status = response.status();
                let body = bounded(response.into_body())
                    .await
                    .map_err(|why| Unreachable { address, why })?;
                Ok((status, body))
            };
            // The connection moves the bytes; what it ends with, the answer learns too.
            let moving = async {
                let _ = connection.await;
                std::future::pending::<()>().await;
            };
            tokio::select! {
                answered = answer => answered,
                () = moving => Err(Unreachable { address, why: "it closed".to_owned() }),
            }
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .map_err(|_| late(address, PATIENCE))?
    }
}

async fn bounded(mut body: Incoming) -> Result<Bytes, String> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        if let Ok(data) = frame.into_data() {
            if whole.len() + data.len() > ANSWER_BYTES {
                return Err(format!("its answer is larger than {ANSWER_BYTES} bytes"));
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

/// A listener on every address is asked on this machine's own.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        named => named,
    };
    SocketAddr::new(ip, address.port())
}

fn late(address: SocketAddr, limit: Duration) -> Unreachable {
    let why = format!("not within {:.0} seconds", limit.as_secs_f64());
    Unreachable { address, why }
}

fn unreachable(address: SocketAddr, error: &dyn std::error::Error) -> Unreachable {
    // The reason is the innermost error: "connection refused", not "tcp connect error".
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let why = innermost.to_string();
    Unreachable { address, why }
}

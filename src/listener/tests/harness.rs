//! A listener with a service whose answers are chosen by the path, and a client that reads and writes bytes.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::{http2, http2::SendRequest},
    service::Service,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, watch},
    task::JoinSet,
    time::timeout,
};

use crate::listener::{
    Closing, Connection, Drained, Http2, InFlight, Listener, Peer, Pressure, Settings, Shutdown,
    ShutdownHandle, Timeouts, Tuning, Until,
};

/// Far above what anything here takes, so that a fault is a failure and not a hang.
const HANG: Duration = Duration::from_secs(120);

/// A deadline that does come.
pub(super) const SOON: Duration = Duration::from_millis(50);
/// A deadline that does not come.
pub(super) const NEVER: Duration = Duration::from_secs(3600);

pub(super) struct Running {
    pub(super) addr: SocketAddr,
    pub(super) handle: ShutdownHandle,
    pub(super) tuning: Tuning,
    pub(super) seen: Arc<Seen>,
    server: JoinSet<Drained>,
}

/// A client's side of a connection of HTTP/2.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// Speaks HTTP/2 over a connection; with the task that drives it.
pub(super) async fn http2<C>(connection: C) -> (Sender, JoinSet<hyper::Result<()>>)
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(connection));
    let (sender, connection) = within(handshake.boxed()).await.unwrap();
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    (sender, driver)
}

pub(super) fn request(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(format!("http://test{path}"))
        .body(Full::new(body.into()))
        .unwrap()
}

/// Bytes of `/large`, more than the kernels of both ends hold for a client that does not read.
pub(super) const LARGE: usize = 1 << 20;

/// What the service has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) calls: watch::Sender<usize>,
    /// Bodies and requests that are over.
    pub(super) over: watch::Sender<usize>,
    pub(super) peers: watch::Sender<Vec<Peer>>,
    /// Lets `/wait` go on.
    pub(super) go: Notify,
}

struct Demo {
    connection: Connection,
    shutdown: Shutdown,
    seen: Arc<Seen>,
}

#[derive(Debug)]
pub(super) struct DemoBody {
    kind: Kind,
    _over: Over,
    in_flight: InFlight,
}

#[derive(Debug)]
enum Kind {
    Once(Option<Bytes>),
    Endless(Bytes),
    /// One frame, then silence until the cut-off, then a last word.
    Until(Option<Bytes>, Until),
    Broken,
}

/// Counts the end of a request, whatever it is.
#[derive(Debug)]
struct Over(Arc<Seen>);

/// Settings in which no deadline comes.
pub(super) fn settings() -> Settings {
    Settings {
        address: ([127, 0, 0, 1], 0).into(),
        tls: None,
        connections: 100,
        connection_requests: u32::MAX,
        head_bytes: 16 << 10,
        fields: 100,
        timeouts: Timeouts {
            tls: NEVER,
            head: NEVER,
            write_stall: NEVER,
            keep_alive: NEVER,
            connection_age: None,
        },
        http2: Http2 {
            idle: NEVER,
            ping: NEVER,
            ..Http2::default()
        },
        closing: Closing {
            linger: NEVER,
            pressed: NEVER,
            last_word: NEVER,
            ..Closing::default()
        },
    }
}

pub(super) fn serve(settings: Settings) -> Running {
    serve_under(settings, Pressure::default())
}

pub(super) fn serve_under(settings: Settings, pressure: Pressure) -> Running {
    let listener = Listener::bind(settings).unwrap().under(pressure);
    let (addr, tuning) = (listener.local_addr(), listener.tuning());
    let (handle, shutdown) = ShutdownHandle::new();
    let seen = Arc::new(Seen::default());
    let make = {
        let (seen, shutdown) = (Arc::clone(&seen), shutdown.clone());
        move |peer, connection| {
            seen.peers.send_modify(|peers| peers.push(peer));
            Demo {
                connection,
                shutdown: shutdown.clone(),
                seen: Arc::clone(&seen),
            }
        }
    };
    let mut server = JoinSet::new();
    server.spawn(listener.serve(make, shutdown));
    Running {
        addr,
        handle,
        tuning,
        seen,
        server,
    }
}

pub(super) async fn within<F: Future>(future: F) -> F::Output {
    timeout(HANG, future).await.expect("hangs")
}

pub(super) async fn reaches(counter: &watch::Sender<usize>, count: usize) {
    within(counter.subscribe().wait_for(|now| *now >= count))
        .await
        .unwrap();
}

// === impl Running ===

impl Running {
    pub(super) async fn connect(&self) -> TcpStream {
        within(TcpStream::connect(self.addr)).await.unwrap()
    }

    pub(super) async fn drained(mut self) -> Drained {
        within(self.server.join_next()).await.unwrap().unwrap()
    }
}

// === impl Demo ===

impl Service<Request<Incoming>> for Demo {
    type Response = Response<DemoBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut in_flight = self.connection.in_flight();
        let over = Over(Arc::clone(&self.seen));
        self.seen.calls.send_modify(|calls| *calls += 1);
        let (seen, shutdown) = (Arc::clone(&self.seen), self.shutdown.clone());
        async move {
            let once = |text: &'static str| Kind::Once(Some(Bytes::from_static(text.as_bytes())));
            let path = request.uri().path().to_owned();
            let (status, kind) = match path.as_str() {
                "/" => (200, once("hello")),
                "/count" => {
                    let mut body = request.into_body();
                    let mut bytes = 0;
                    while let Some(frame) = body.frame().await {
                        bytes += frame.unwrap().data_ref().map_or(0, Bytes::len);
                    }
                    (200, Kind::Once(Some(bytes.to_string().into())))
                }
                "/refuse" => (413, once("too large")),
                "/wait" => {
                    seen.go.notified().await;
                    (200, once("waited"))
                }
                "/large" => {
                    seen.go.notified().await;
                    (200, Kind::Once(Some(vec![b'x'; LARGE].into())))
                }
                "/never" => std::future::pending().await,
                "/endless" => (200, Kind::Endless(vec![b'x'; 16 << 10].into())),
                "/until" => {
                    let start = Some(Bytes::from_static(b"start"));
                    (200, Kind::Until(start, shutdown.cut_off()))
                }
                "/broken" => (200, Kind::Broken),
                "/panic" => panic!("asked for"),
                _ => (404, once("nothing here")),
            };
            in_flight.answered();
            let body = DemoBody {
                kind,
                _over: over,
                in_flight,
            };
            Ok(Response::builder().status(status).body(body).unwrap())
        }
        .boxed()
    }
}

// === impl Kind ===

impl Kind {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let bytes = match self {
            Self::Once(bytes) => bytes.take(),
            Self::Endless(bytes) => Some(bytes.clone()),
            Self::Until(start @ Some(_), _) => start.take(),
            Self::Until(None, until) => {
                std::task::ready!(Pin::new(until).poll(cx));
                *self = Self::Once(None);
                Some(Bytes::from_static(b"cut"))
            }
            Self::Broken => return Poll::Ready(Some(Err(std::io::Error::other("broken")))),
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

// === impl DemoBody ===

impl Body for DemoBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = self.kind.poll(cx);
        self.in_flight.watch(&polled);
        polled
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.kind, Kind::Once(None))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.kind {
            Kind::Once(bytes) => {
                let left = bytes.as_ref().map_or(0, Bytes::len);
                http_body::SizeHint::with_exact(left.try_into().unwrap())
            }
            _ => http_body::SizeHint::default(),
        }
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        self.0.over.send_modify(|over| *over += 1);
    }
}

// === the client ===

pub(super) async fn send(stream: &mut (impl AsyncWriteExt + Unpin), bytes: impl AsRef<[u8]>) {
    within(stream.write_all(bytes.as_ref())).await.unwrap();
}

pub(super) async fn get(stream: &mut (impl AsyncWriteExt + Unpin), path: &str) {
    send(stream, format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
}

/// Reads one answer with a `content-length`; returns it whole.
pub(super) async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8(read.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
        let got = within(stream.read_buf(&mut read)).await.unwrap();
        assert!(got > 0, "closed after {text:?}");
    }
}

/// Reads until the connection is closed, by an end or by a reset; returns what came before.
pub(super) async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    while let Ok(1..) = within(stream.read_buf(&mut read)).await {}
    String::from_utf8(read).unwrap()
}

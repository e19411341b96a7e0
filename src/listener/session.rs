//! One connection, from accept to close.

use std::{convert::Infallible, future::poll_fn, io, pin::pin, sync::Arc, task::Poll};

use bytes::Bytes;
use http_body::Body;
use hyper::{
    Request, Response,
    body::Incoming,
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, sleep_until},
};
use tokio_rustls::TlsAcceptor;

use super::{
    boxes::FutureBoxes,
    clocks::Clocks,
    connection::Peer,
    drive::{End, Limits, drive},
    frames::Frames,
    heads::Heads,
    io::{Io, Watch},
    lingering_close,
    pressure::Pressure,
    protocol::{self, Version, negotiated, sniff},
    settings::Settings,
    shutdown::Shutdown,
    stream::Stream,
    streams::Streams,
    tasks::Tasks,
    timer::{CatchUp, by},
    watched::Watched,
};

/// What all connections share that are served by the same settings.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Arc<Settings>,
    pub(super) http1: http1::Builder,
    /// Runs the streams of HTTP/2.
    pub(super) tasks: Tasks,
    pub(super) shutdown: Shutdown,
    pub(super) pressure: Pressure,
    /// Comes when no connection can be taken any more.
    pub(super) crowded: Pressure,
}

impl Shared {
    pub(super) fn new(settings: Arc<Settings>, tasks: Tasks, shutdown: Shutdown) -> Self {
        Self {
            http1: protocol::http1(&settings),
            tasks,
            settings,
            shutdown,
            pressure: Pressure::default(),
            crowded: Pressure::default(),
        }
    }

    pub(super) fn under(self, pressure: Pressure, crowded: Pressure) -> Self {
        Self {
            pressure,
            crowded,
            ..self
        }
    }
}

/// Serves one connection to its end. Returns whether it was forced to end.
pub(super) async fn run<S, B>(
    tcp: TcpStream,
    peer: Peer,
    clocks: Arc<Clocks>,
    service: S,
    boxes: Arc<FutureBoxes<S::Future>>,
    shared: Arc<Shared>,
) -> bool
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let opened = tokio::select! {
        biased;
        opened = open(tcp, &shared) => opened,
        () = abandoned(&shared) => return false,
        () = displaced(&shared, &clocks) => return false,
    };
    let (stream, version, prefix) = match opened {
        Ok(Some(opened)) => opened,
        Ok(None) => return false,
        Err(error) => {
            tracing::debug!(peer = %peer.addr, %error, "a connection ended before its first request");
            return false;
        }
    };

    let Shared {
        settings,
        http1,
        tasks,
        ..
    } = &*shared;
    let service = Watched::new(
        service,
        boxes,
        Arc::clone(&clocks),
        version == Version::Http2,
    );
    let frames = (version == Version::Http2).then(Frames::new);
    let watch = match version {
        Version::Http1 => protocol::watch(settings),
        Version::Http2 => Watch::Theirs,
    };
    let io = TokioIo::new(Io::new(stream, prefix, Arc::clone(&clocks), frames, watch));
    let end = match version {
        Version::Http1 => {
            let connection = pin!(http1.serve_connection(io, service));
            let limits = Limits::http1(settings);
            drive(
                connection,
                http1::Connection::graceful_shutdown,
                &clocks,
                limits,
                &shared,
            )
            .await
        }
        Version::Http2 => {
            let streams = Streams {
                tasks: tasks.clone(),
                clocks: Arc::clone(&clocks),
                write_stall: settings.timeouts.write_stall,
            };
            let service = Heads(service);
            let connection = protocol::http2(settings, streams).serve_connection(io, service);
            #[expect(
                clippy::disallowed_methods,
                reason = "once for a connection, so that one of HTTP/1 needs no room for it"
            )]
            let mut connection = Box::pin(connection);
            let limits = Limits::http2(settings);
            drive(
                connection.as_mut(),
                http2::Connection::graceful_shutdown,
                &clocks,
                limits,
                &shared,
            )
            .await
        }
    };

    log(peer, &end);
    // hyper has let go of the stream by now, whatever the end was. Over HTTP/2 a client that still reads says so in frames.
    if let Some(stream) = clocks.take_stream()
        && was_answered(&end)
        && (version == Version::Http2 || clocks.is_client_sending() || stream.has_unread())
    {
        lingering_close::linger(stream, settings.closing).await;
    }
    matches!(end, End::Forced)
}

/// Says why a connection ended, where that was not its client's wish.
fn log(peer: Peer, end: &End) {
    match end {
        End::Finished(Ok(())) => {}
        End::Finished(Err(error)) => {
            tracing::debug!(peer = %peer.addr, error = error as &dyn std::error::Error, "a connection failed");
        }
        why => tracing::debug!(peer = %peer.addr, ?why, "a connection was closed"),
    }
}

/// Whether a connection ended with an answer.
fn was_answered(end: &End) -> bool {
    match end {
        End::Finished(Ok(())) => true,
        // The parser's own 400, 414 and 431 come with an error.
        End::Finished(Err(error)) => error.is_parse(),
        _ => false,
    }
}

/// Handshake and choice of protocol; `None` when the client left without a byte.
async fn open(tcp: TcpStream, shared: &Shared) -> io::Result<Option<(Stream, Version, Bytes)>> {
    let timeouts = shared.settings.timeouts;
    let accepted = Instant::now();
    let head_due = accepted + timeouts.head;
    let mut catch_up = CatchUp::default();
    let Some(tls) = &shared.settings.tls else {
        let mut stream = Stream::Plain(tcp);
        let sniffed = by(head_due, &mut catch_up, pin!(sniff(&mut stream)))
            .await
            .ok_or(io::ErrorKind::TimedOut)??;
        return Ok(sniffed.map(|(version, prefix)| (stream, version, prefix)));
    };
    let handshake_due = head_due.min(accepted + timeouts.tls);
    let handshake = TlsAcceptor::from(Arc::clone(tls)).accept(tcp);
    let stream = by(handshake_due, &mut catch_up, pin!(handshake))
        .await
        .ok_or(io::ErrorKind::TimedOut)??;
    let version = negotiated(stream.get_ref().1.alpn_protocol());
    Ok(Some((
        Stream::Tls(Box::new(stream.into())),
        version,
        Bytes::new(),
    )))
}

/// Waits until others need the place of a connection that has not asked for anything in time.
async fn displaced(shared: &Shared, clocks: &Clocks) {
    let mut crowded = shared.crowded.watch();
    loop {
        poll_fn(|cx| {
            if crowded.is_on(cx) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        let leaves = clocks.accepted() + shared.settings.closing.pressed;
        if Instant::now() >= leaves {
            return;
        }
        sleep_until(leaves).await;
    }
}

/// Waits until a connection that has not asked for anything has had its time in a drain.
async fn abandoned(shared: &Shared) {
    shared.shutdown.draining().await;
    tokio::select! {
        () = sleep(shared.settings.closing.linger) => {}
        () = shared.shutdown.cut_off() => {}
    }
}

//! Which HTTP a connection speaks, and how hyper is told to speak it.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioTimer;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{io::Watch, settings::Settings, streams::Streams};

/// RFC 9113 §3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// ALPN names, RFC 7301 and RFC 9113 §3.2.
pub(super) const ALPN_H2: &[u8] = b"h2";
pub(super) const ALPN_HTTP1: &[u8] = b"http/1.1";

/// What hyper holds of an HTTP/1 connection at most, its default being 400 KiB.
const HTTP1_BUFFER: usize = 64 << 10;
/// The parser's own cap on fields. Up to here it keeps them on the stack, beyond it allocates twice for each head.
const PARSER_FIELDS: usize = 100;
/// How far the cap is above ours then: what is just too many is for the service to refuse, with a body.
const FIELDS_ABOVE: usize = 28;

const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
const SEND_BUFFER: usize = 64 << 10;
/// Streams that a client may reset before we look at them (CVE-2023-44487).
const PENDING_RESETS: usize = 20;
/// Streams that a client may make us reset (CVE-2025-8671).
const LOCAL_RESETS: usize = 200;
/// How long the answer to a ping may take.
const PONG: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// What HTTP/1 connections are made with.
pub(super) fn http1(settings: &Settings) -> http1::Builder {
    let buffer = head_cap(settings).max(HTTP1_BUFFER);
    let mut http1 = http1::Builder::new();
    if settings.fields >= PARSER_FIELDS {
        // No more than fit into the head, a field being four bytes at least, so that memory follows the head's limit.
        let fields = settings.fields.saturating_add(FIELDS_ABOVE);
        http1.max_headers(fields.min(buffer / 4));
    }
    http1
        // Both the time of a head and the time of idleness are the clocks'; hyper's would be a timer of its own, made
        // and thrown away with every request.
        .header_read_timeout(None)
        .max_buf_size(buffer)
        // A client that closes its side while it waits has gone away: what it asked for must be cancelled. Without
        // encryption the stream notices it, for less.
        .half_close(watch(settings) == Watch::Ours)
        .keep_alive(true)
        .pipeline_flush(false)
        .auto_date_header(true);
    http1
}

/// Who notices that the client of an HTTP/1 connection has closed its side.
pub(super) fn watch(settings: &Settings) -> Watch {
    if settings.tls.is_none() {
        Watch::Ours
    } else {
        Watch::Theirs
    }
}

/// What one HTTP/2 connection is made with; `streams` runs its requests.
pub(super) fn http2(settings: &Settings, streams: Streams) -> http2::Builder<Streams> {
    let mut http2 = http2::Builder::new(streams);
    http2
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(settings.http2.ping).filter(|ping| !ping.is_zero()))
        .keep_alive_timeout(PONG)
        .max_concurrent_streams(settings.http2.streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(head_cap(settings)).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(LOCAL_RESETS)
        .auto_date_header(true);
    http2
}

/// The parsers' cap on a head. It stands above ours, so that the refusal with a body is the service's.
fn head_cap(settings: &Settings) -> usize {
    settings.head_bytes.saturating_mul(2)
}

/// Reads until it is clear which protocol the client speaks. Returns what was read, too.
///
/// HTTP/2 without TLS begins with the preface (prior knowledge, RFC 9113 §3.3); anything else is HTTP/1, whose parser
/// will say what is wrong with it. No deadline of its own: the caller has one.
pub(super) async fn sniff(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<(Version, Bytes)>> {
    let mut read = BytesMut::with_capacity(PREFACE.len());
    loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Ok((!read.is_empty()).then(|| (Version::Http1, read.freeze())));
        }
        if !PREFACE.starts_with(&read) && !read.starts_with(PREFACE) {
            return Ok(Some((Version::Http1, read.freeze())));
        }
        if read.len() >= PREFACE.len() {
            return Ok(Some((Version::Http2, read.freeze())));
        }
    }
}

/// What the handshake has settled. A client without ALPN speaks HTTP/1 (RFC 9113 §3.2 requires `h2` to be negotiated).
pub(super) fn negotiated(alpn: Option<&[u8]>) -> Version {
    match alpn {
        Some(name) if name == ALPN_H2 => Version::Http2,
        _ => Version::Http1,
    }
}

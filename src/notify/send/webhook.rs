//! One POST over a connection of its own: nothing is reused, nothing is followed.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
};
use tokio_rustls::TlsConnector;

use super::{
    Tried,
    address::{is_listed, special},
    sign::signatures,
    url::{Host, WebhookUrl},
};
use crate::{
    domain::Timestamp,
    notify::{Webhook, schedule::retry_after},
    store::NotificationRow,
};

/// An answer's head may have so many bytes; only its status and `Retry-After` are of interest.
const HEAD_BYTES: usize = 32 * 1024;

/// Why no answer came.
#[derive(Debug)]
struct NoAnswer(String);

/// Sends a message to a webhook at `now`.
pub(super) async fn send(webhook: &Webhook, row: &NotificationRow, now: Timestamp) -> Tried {
    if let Err(error) = super::body(row) {
        return Tried::Refused { error };
    }
    let request = match request(webhook, row, now) {
        Ok(request) => request,
        Err(error) => return Tried::failed(format!("it cannot be written: {error}")),
    };
    let answer = match post(webhook, request).await {
        Ok(answer) => answer,
        Err(NoAnswer(error)) => return Tried::Failed { error, wait: None },
    };
    let status = answer.status();
    let error = format!("it answered {status}");
    match status {
        status if status.is_success() => Tried::Delivered,
        StatusCode::GONE => Tried::Gone { error },
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let field = answer.headers().get(header::RETRY_AFTER);
            let field = field.and_then(|field| field.to_str().ok());
            let wait = field.and_then(|field| retry_after(field, now));
            Tried::Failed { error, wait }
        }
        status if status.is_redirection() => {
            Tried::failed(format!("{error}, and redirects are not followed"))
        }
        _ => Tried::failed(error),
    }
}

fn request(
    webhook: &Webhook,
    row: &NotificationRow,
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let (id, timestamp) = (row.id.to_string(), now.unix_seconds());
    let signatures = signatures(&webhook.keys, &id, timestamp, &row.body);
    Request::post(webhook.url.path.as_str())
        .header(header::HOST, webhook.url.authority.as_str())
        .header(header::CONTENT_TYPE, "application/json")
        .header(
            header::USER_AGENT,
            concat!("faregate/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::CONNECTION, "close")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signatures)
        .body(Full::new(Bytes::from(row.body.clone())))
}

async fn post(
    webhook: &Webhook,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, NoAnswer> {
    let stream = connect(webhook).await?;
    if !webhook.url.secure {
        return exchange(stream, request).await;
    }
    let name = match &webhook.url.host {
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(NoAnswer::of)?,
        Host::Address(address) => ServerName::from(*address),
    };
    let connector = TlsConnector::from(Arc::clone(&webhook.tls));
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|error| NoAnswer(format!("no TLS connection: {error}")))?;
    exchange(stream, request).await
}

/// Connects to the first address of the host that lets itself be connected to. A host of which one address is not the
/// public internet's is not connected to at all: an honest name has no such mixture.
async fn connect(webhook: &Webhook) -> Result<TcpStream, NoAnswer> {
    let port = webhook.url.port;
    let found: Vec<SocketAddr> = match &webhook.url.host {
        Host::Address(address) => vec![SocketAddr::new(*address, port)],
        Host::Name(name) => lookup_host((name.as_str(), port))
            .await
            .map_err(|error| NoAnswer(format!("its host is not found: {error}")))?
            .collect(),
    };
    for address in &found {
        permitted(&webhook.url, address.ip(), webhook)?;
    }
    let mut last = NoAnswer("its host has no address".to_owned());
    for address in found {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(NoAnswer::of)?;
                return Ok(stream);
            }
            Err(error) => last = NoAnswer::of(error),
        }
    }
    Err(last)
}

/// Whether an address may be connected to. It is asked of the very address that is connected to, after the name was
/// looked up for this connection.
fn permitted(url: &WebhookUrl, address: IpAddr, webhook: &Webhook) -> Result<(), NoAnswer> {
    if is_listed(address, &webhook.allowed) {
        return Ok(());
    }
    if let Some(word) = special(address) {
        return Err(NoAnswer(format!(
            "its host leads to {address}, which is {word} and not in notifications.allow_private_targets"
        )));
    }
    if !url.secure {
        return Err(NoAnswer(format!(
            "its host leads to {address}, which http:// is not for"
        )));
    }
    Ok(())
}

async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, NoAnswer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(NoAnswer::of)?;
    let connection = std::pin::pin!(connection);
    // The connection moves the bytes; what it ends with, the answer learns too. With the answer's head it may go.
    let moving = async {
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = sender.send_request(request) => answer.map_err(NoAnswer::of),
        () = moving => Err(NoAnswer("it closed the connection".to_owned())),
    }
}

impl NoAnswer {
    /// The innermost error says what happened: "connection refused", not "error trying to connect".
    fn of(error: impl std::error::Error + 'static) -> Self {
        let mut innermost: &dyn std::error::Error = &error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        Self(innermost.to_string())
    }
}

#[cfg(test)]
mod tests;

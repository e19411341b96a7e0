//! A provider that does what a test says, byte for byte.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response,
    header::AUTHORIZATION,
    uri::{Authority, Scheme},
};
use http_body_util::BodyExt;
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    domain::ProviderId,
    providers::ProviderKind,
    upstream::{
        BaseUrl, Credential, Encoding, Failure, Outgoing, OutputLimitField, Settings, Timeouts,
        Upstream, UpstreamBody,
    },
};

/// A listening provider.
pub(super) struct Server {
    listener: TcpListener,
}

/// One accepted connection.
pub(super) struct Peer {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Server {
    pub(super) async fn bind() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    pub(super) fn authority(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    pub(super) fn upstream(&self) -> Upstream {
        Upstream::new(settings("http", &self.authority()))
    }

    pub(super) async fn accept(&self) -> Peer {
        Peer {
            stream: self.stream().await,
            buffer: Vec::new(),
        }
    }

    pub(super) async fn stream(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// Nobody has connected beyond those accepted: the kernel finishes a loopback connection before `connect` returns.
    pub(super) fn assert_no_more(self) {
        let error = self.listener.into_std().unwrap().accept().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    }
}

impl Peer {
    /// The next request's head, and its body where it has a length.
    pub(super) async fn request(&mut self) -> String {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head = String::from_utf8(self.buffer[..end + 4].to_vec()).unwrap();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .map_or(0, |length| length.parse().unwrap());
                let whole = end + 4 + length;
                if self.buffer.len() >= whole {
                    let request = self.buffer.drain(..whole).collect();
                    return String::from_utf8(request).unwrap();
                }
            }
            assert_ne!(
                self.read().await,
                0,
                "the connection closed before a request"
            );
        }
    }

    pub(super) async fn read(&mut self) -> usize {
        self.stream.read_buf(&mut self.buffer).await.unwrap_or(0)
    }

    /// What has been read beyond the requests.
    pub(super) fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    pub(super) async fn answer(&mut self, body: &str) {
        self.send(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    }

    /// Says no more.
    pub(super) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Ends when the other side closes or resets, and not before.
    pub(super) async fn closed(&mut self) {
        while self.read().await > 0 {}
    }

    /// Closes with a reset.
    pub(super) fn reset(self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

pub(super) fn settings(scheme: &str, authority: &str) -> Settings {
    Settings {
        id: ProviderId::parse("local").unwrap(),
        kind: ProviderKind::OpenAi,
        base_url: BaseUrl {
            scheme: Scheme::try_from(scheme).unwrap(),
            authority: Authority::try_from(authority).unwrap(),
            path: String::new(),
        },
        credential: Some(Credential::new(
            AUTHORIZATION,
            HeaderValue::from_static("Bearer provider"),
        )),
        tls: trusting(rustls::RootCertStore::empty()),
        timeouts: Timeouts::default(),
        on_client_disconnect: None,
        stream_usage: true,
        output_limit_field: OutputLimitField::default(),
    }
}

pub(super) fn trusting(roots: rustls::RootCertStore) -> Arc<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

pub(super) type Answer = Result<Response<UpstreamBody>, Failure>;

pub(super) async fn post(upstream: &Upstream, body: &'static str) -> Answer {
    let body = Outgoing::full(Bytes::from_static(body.as_bytes()));
    send(upstream, Method::POST, HeaderMap::new(), body).await
}

pub(super) async fn get(upstream: &Upstream) -> Answer {
    send(upstream, Method::GET, HeaderMap::new(), Outgoing::empty()).await
}

pub(super) async fn send(
    upstream: &Upstream,
    method: Method,
    headers: HeaderMap,
    body: Outgoing,
) -> Answer {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = method;
    head.headers = headers;
    upstream
        .send(head, "/v1/x", Encoding::AsAsked, body, || Ok(()))
        .await
}

/// The body as text, or what broke it.
pub(super) async fn text(answer: Answer) -> Result<String, Failure> {
    read(answer?.into_body()).await
}

pub(super) async fn read(mut body: UpstreamBody) -> Result<String, Failure> {
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        text.extend_from_slice(&frame?.into_data().unwrap());
    }
    Ok(String::from_utf8(text).unwrap())
}

//! TLS towards clients and towards providers.

mod handshakes;
mod panics;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{
    client::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

use crate::harness::{Gateway, KEY, LIMITED, Upstream, shared_config, within};

/// In place of a name: 127.0.0.1, years ago.
const EXPIRED: &str = "expired";

/// An authority of the test's own, and its files.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self {
            issuer,
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::write(authority.file("ca.pem"), authority.issuer.pem()).unwrap();
        authority
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for `name`, and its key, both as PEM.
    fn certificate(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if name == EXPIRED {
            params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// What accepts for `name` in a provider's place.
    pub(crate) fn acceptor(&self, name: &str, protocols: &[&str]) -> TlsAcceptor {
        let (certificate, key) = self.certificate(name);
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// The `server` section of a gateway with a certificate of this authority.
    pub(crate) fn server(&self) -> String {
        let (certificate, key) = self.certificate("127.0.0.1");
        std::fs::write(self.file("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(self.file("key.pem"), key.serialize_pem()).unwrap();
        format!(
            "server: {{listen: \"127.0.0.1:0\", tls: {{certificate: {}, private_key: {}}}}}\n",
            self.file("cert.pem").display(),
            self.file("key.pem").display()
        )
    }

    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        protocols: &[&str],
    ) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let mut config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        within(
            "a handshake",
            TlsConnector::from(Arc::new(config)).connect(name, stream),
        )
        .await
        .unwrap()
    }
}

fn chat(uri: &str) -> Request<Full<Bytes>> {
    let request = Request::post(uri).header("authorization", format!("Bearer {KEY}"));
    let request = request.header("host", "127.0.0.1");
    request
        .body(Full::new(Bytes::from_static(b"{\"model\":\"m\"}")))
        .unwrap()
}

#[tokio::test]
async fn the_protocol_is_agreed_in_the_handshake() {
    let authority = Authority::new();
    let upstream = Upstream::answering("200 OK", "{}").await;
    let gateway = Gateway::start(&(authority.server() + &shared_config(&upstream.url(), ""))).await;
    let cases = [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ];
    for (offered, agreed) in cases {
        let stream = authority.connect(gateway.address, offered).await;
        let protocol = stream.get_ref().1.alpn_protocol();
        assert_eq!(protocol, agreed.map(str::as_bytes));
        let answer: Response<_> = if agreed == Some("h2") {
            let (mut sender, connection) =
                http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            let request = chat("https://127.0.0.1/v1/chat/completions");
            within("an answer", sender.send_request(request))
                .await
                .unwrap()
        } else {
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            within(
                "an answer",
                sender.send_request(chat("/v1/chat/completions")),
            )
            .await
            .unwrap()
        };
        assert_eq!(answer.status(), 200);
        let body = within("a body", answer.into_body().collect())
            .await
            .unwrap();
        assert_eq!(body.to_bytes(), "{}");
    }
    gateway.calls(4).await;
    gateway.stop().await;
}

#[tokio::test]
async fn who_speaks_no_tls_is_not_served() {
    let authority = Authority::new();
    let upstream = Upstream::answering("200 OK", "{}").await;
    let gateway = Gateway::start(&(authority.server() + &shared_config(&upstream.url(), ""))).await;
    let mut plain = TcpStream::connect(gateway.address).await.unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut read = Vec::new();
    let _ = within("the end", plain.read_to_end(&mut read)).await;
    assert!(!String::from_utf8_lossy(&read).contains("HTTP"), "{read:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn an_early_refusal_arrives_through_tls() {
    let authority = Authority::new();
    let upstream = Upstream::answering("200 OK", "{}").await;
    let gateway = Gateway::start(&(authority.server() + &shared_config(&upstream.url(), ""))).await;
    for _ in 0..3 {
        let stream = authority.connect(gateway.address, &["http/1.1"]).await;
        let (mut read, mut write) = tokio::io::split(stream);
        let send = async {
            let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer nobodys\r\ncontent-length: 20971520\r\n\r\n";
            write.write_all(head.as_bytes()).await?;
            let piece = vec![b'x'; 64 << 10];
            for _ in 0..320 {
                write.write_all(&piece).await?;
            }
            write.shutdown().await
        };
        let receive = async {
            let mut answer = Vec::new();
            // The end of the socket without TLS's own goodbye is no reason to doubt an answer with a length.
            let _ = read.read_to_end(&mut answer).await;
            String::from_utf8(answer).unwrap()
        };
        let (_, answer) = within("a refusal", async { tokio::join!(send, receive) }).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains("invalid_api_key"), "{answer}");
    }
    gateway.stop().await;
}

/// A provider behind TLS with a certificate for `name`, and its port.
async fn provider(authority: &Authority, name: &str, protocols: &[&str]) -> u16 {
    let acceptor = authority.acceptor(name, protocols);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let answer = service_fn(|request: Request<hyper::body::Incoming>| async move {
                    let told = format!("{{\"version\":\"{:?}\"}}", request.version());
                    Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(told))))
                });
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_provider_is_trusted_by_its_configured_authority() {
    let authority = Authority::new();
    let ca = format!(", ca: {}", authority.file("ca.pem").display());
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], "HTTP/2.0"),
        (&["http/1.1"], "HTTP/1.1"),
        (&[], "HTTP/1.1"),
    ] {
        let port = provider(&authority, "127.0.0.1", protocols).await;
        let gateway =
            Gateway::start(&shared_config(&format!("https://127.0.0.1:{port}"), &ca)).await;
        for _ in 0..3 {
            let answer = gateway.chat(KEY, r#"{"model":"m"}"#).send().await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.text(), format!("{{\"version\":\"{version}\"}}"));
        }
        gateway.calls(3).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_provider_that_nobody_vouches_for_gets_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    let theirs = format!(", ca: {}", other.file("ca.pem").display());
    let ours = format!(", ca: {}", authority.file("ca.pem").display());
    for (name, ca) in [
        // Another authority's, the system's, another host's name, and one that is no longer true.
        ("127.0.0.1", theirs.as_str()),
        ("127.0.0.1", ""),
        ("elsewhere.example", ours.as_str()),
        (EXPIRED, ours.as_str()),
    ] {
        let port = provider(&authority, name, &["http/1.1"]).await;
        let gateway =
            Gateway::start(&shared_config(&format!("https://127.0.0.1:{port}"), ca)).await;
        for body in [r#"{"model":"m"}"#, r#"{"model":"m","stream":true}"#] {
            let answer = gateway.chat(LIMITED, body).send().await;
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (502, "upstream_tls"),
                "{name}"
            );
        }
        for call in gateway.calls(2).await {
            assert_eq!(call["outcome"], "upstream_failed");
            assert_eq!(call["tokens"]["input"], 0, "{call}");
        }
        gateway.nothing_held(LIMITED).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn what_was_not_sent_when_its_client_left_is_not_sent_any_more() {
    let authority = Authority::new();
    let acceptor = authority.acceptor("127.0.0.1", &["http/1.1"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let ca = format!(", ca: {}", authority.file("ca.pem").display());
    let gateway = Gateway::start(&shared_config(&url, &ca)).await;
    // An answer that is no stream is read on when its client has left; nothing of this one was asked for yet.
    let call = tokio::spawn(gateway.chat(LIMITED, r#"{"model":"m"}"#).open());
    let (stream, _) = within("a connection", listener.accept()).await.unwrap();
    call.abort();
    let _ = call.await;
    assert_eq!(gateway.records(1).await[0]["status"], 499);
    let mut said = Vec::new();
    if let Ok(mut stream) = within("a handshake or an end", acceptor.accept(stream)).await {
        let _ = within("an end", stream.read_buf(&mut said)).await;
    }
    assert_eq!(String::from_utf8_lossy(&said), "");
    gateway.nothing_held(LIMITED).await;
    for call in gateway.calls(1).await {
        assert_eq!(call["outcome"], "client_closed", "{call}");
        assert_eq!(call["tokens"]["input"], 0, "{call}");
    }
    gateway.stop().await;
}

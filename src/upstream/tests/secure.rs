//! TLS towards a provider.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    join,
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::server::{Server, post, settings, text, trusting};
use crate::upstream::{FailureKind, Processed, Upstream};

/// An authority of our own and a certificate by it.
pub(super) struct Authority {
    roots: RootCertStore,
    server: Arc<ServerConfig>,
}

impl Authority {
    /// A certificate for `name`, on a server that speaks the first of `protocols` that the client knows.
    pub(super) fn certify(name: &str, protocols: &[&str]) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()])
            .unwrap()
            .signed_by(&key, &ca)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        server.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Self {
            roots,
            server: Arc::new(server),
        }
    }

    /// Reaches `server` as `localhost`, trusting this authority.
    pub(super) fn upstream(&self, server: &Server) -> Upstream {
        let authority = server.authority().replace("127.0.0.1", "localhost");
        let mut settings = settings("https", &authority);
        settings.tls = trusting(self.roots.clone());
        Upstream::new(settings)
    }

    pub(super) async fn accept(&self, server: &Server) -> std::io::Result<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.server));
        acceptor.accept(server.stream().await).await
    }
}

#[tokio::test]
async fn a_trusted_provider_is_spoken_to() {
    for protocols in [&["http/1.1"][..], &[]] {
        let server = Server::bind().await;
        let authority = Authority::certify("localhost", protocols);
        let upstream = authority.upstream(&server);
        join!(
            async {
                for _ in 0..2 {
                    assert_eq!(text(post(&upstream, "x").await).await.unwrap(), "hello");
                }
            },
            async {
                let mut stream = authority.accept(&server).await.unwrap();
                for _ in 0..2 {
                    request(&mut stream).await;
                    stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
                        .await
                        .unwrap();
                    stream.flush().await.unwrap();
                }
            }
        );
        server.assert_no_more();
    }
}

async fn request(stream: &mut TlsStream<TcpStream>) {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\nx") {
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
    }
}

/// What was decrypted and not read is seen by nobody who asks the socket.
#[tokio::test]
async fn what_comes_decrypted_behind_an_answer_is_nobodys() {
    let server = Server::bind().await;
    let authority = Authority::certify("localhost", &["http/1.1"]);
    let upstream = authority.upstream(&server);
    let (answers, ()) = join!(
        async {
            let first = text(post(&upstream, "x").await).await.unwrap();
            (first, text(post(&upstream, "x").await).await.unwrap())
        },
        async {
            let mut first = authority.accept(&server).await.unwrap();
            request(&mut first).await;
            // As much as one read takes, and more in the same record.
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 4055\r\n\r\n";
            let body = "a".repeat(4055);
            assert_eq!(head.len() + body.len(), 4096);
            let poison = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nPOISON";
            let all = [head, &body, poison].concat();
            first.write_all(all.as_bytes()).await.unwrap();
            first.flush().await.unwrap();
            let mut second = authority.accept(&server).await.unwrap();
            request(&mut second).await;
            let right = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nright";
            second.write_all(right).await.unwrap();
            second.flush().await.unwrap();
        }
    );
    assert_eq!(answers.0.len(), 4055);
    assert_eq!(answers.1, "right");
}

#[tokio::test]
async fn nothing_is_said_to_one_that_is_not() {
    let stranger = Authority::certify("localhost", &["h2"]);
    for (authority, trusted) in [
        (Authority::certify("elsewhere.example", &["h2"]), None),
        (Authority::certify("localhost", &["h2"]), Some(&stranger)),
    ] {
        let server = Server::bind().await;
        let upstream = trusted.unwrap_or(&authority).upstream(&server);
        let (answer, accepted) = join!(post(&upstream, "x"), authority.accept(&server));
        let failure = answer.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Tls);
        assert_eq!(failure.processed, Processed::No);
        // With TLS 1.3 the server may think it is through; then it reads an alert and not a byte of a request.
        if let Ok(mut stream) = accepted {
            let mut seen = Vec::new();
            stream.read_to_end(&mut seen).await.unwrap_err();
            assert!(seen.is_empty());
        }
    }
}

#[tokio::test]
async fn a_provider_without_tls_is_not_spoken_to_without_it() {
    let server = Server::bind().await;
    let upstream = Upstream::new(settings("https", &server.authority()));
    let (answer, ()) = join!(post(&upstream, "x"), async {
        let mut peer = server.accept().await;
        peer.read().await;
        peer.send("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            .await;
        peer.closed().await;
        assert!(!String::from_utf8_lossy(peer.buffered()).contains("provider"));
    });
    assert_eq!(answer.unwrap_err().kind, FailureKind::Tls);
}

//! What a handshake may be: versions and suites, names and protocols, sizes; and certificates that are exchanged.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::Authority;
use crate::harness::{Gateway, KEY, Upstream, raw, shared_config, within};

/// RFC 8446 §6, RFC 7301 §3.2.
const CLOSE_NOTIFY: u8 = 0;
const HANDSHAKE_FAILURE: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// ECDHE-ECDSA with AES-128-GCM, which every server of our kind takes.
const GOOD: u16 = 0xc02b;

/// A ClientHello (RFC 5246 §7.4.1.2) in as many records as it needs.
struct Hello {
    record: u16,
    version: u16,
    suites: Vec<u16>,
    extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    /// One of TLS 1.2 that is taken.
    fn taken() -> Self {
        Self {
            record: 0x0301,
            version: 0x0303,
            suites: vec![GOOD],
            extensions: vec![
                // Groups: X25519, P-256. Formats of points: uncompressed. Signatures: ECDSA with P-256 and SHA-256.
                (10, vec![0, 4, 0, 29, 0, 23]),
                (11, vec![1, 0]),
                (13, vec![0, 2, 4, 3]),
            ],
        }
    }

    fn extended(mut self, number: u16, body: Vec<u8>) -> Self {
        self.extensions.push((number, body));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.push(0);
        body.extend((self.suites.len() as u16 * 2).to_be_bytes());
        body.extend(self.suites.iter().flat_map(|suite| suite.to_be_bytes()));
        body.extend([1, 0]);
        let mut extensions = Vec::new();
        for (number, inside) in &self.extensions {
            extensions.extend(number.to_be_bytes());
            extensions.extend((inside.len() as u16).to_be_bytes());
            extensions.extend(inside);
        }
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        let mut message = vec![1];
        message.extend(&(body.len() as u32).to_be_bytes()[1..]);
        message.extend(body);
        let mut records = Vec::new();
        for piece in message.chunks(16 << 10) {
            records.push(22);
            records.extend(self.record.to_be_bytes());
            records.extend((piece.len() as u16).to_be_bytes());
            records.extend(piece);
        }
        records
    }
}

/// The description of the alert that a server answers with; `None` where it goes on, or just closes.
async fn alert(gateway: &Gateway, bytes: &[u8]) -> (Vec<u8>, Option<u8>) {
    let mut stream = raw(gateway.address, bytes).await;
    // Whoever is told more to say has not been refused; the rest of a handshake never comes.
    let mut read = vec![0; 7];
    let mut length = 0;
    while length < read.len() {
        match within("an answer or an end", stream.read(&mut read[length..])).await {
            Ok(0) | Err(_) => break,
            Ok(more) => length += more,
        }
    }
    read.truncate(length);
    let description = (length == 7 && read[0] == 21).then(|| read[6]);
    (read, description)
}

async fn gateway(authority: &Authority, upstream: &Upstream) -> Gateway {
    Gateway::start(&(authority.server() + &shared_config(&upstream.url(), ""))).await
}

/// A connection by these versions and suites, to whoever calls itself by this name.
async fn connect(
    authority: &Authority,
    gateway: &Gateway,
    versions: &[&'static SupportedProtocolVersion],
    provider: CryptoProvider,
    name: &'static str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.issuer.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let name = ServerName::try_from(name).unwrap();
    within(
        "a handshake",
        TlsConnector::from(Arc::new(config)).connect(name, stream),
    )
    .await
}

#[tokio::test]
async fn only_tls_1_2_and_1_3_with_forward_secrecy_and_authenticated_encryption() {
    let (authority, upstream) = (Authority::new(), Upstream::answering("200 OK", "{}").await);
    let gateway = gateway(&authority, &upstream).await;
    // The server goes on with its own hello: what is refused below is refused for its own reason.
    let (read, refused) = alert(&gateway, &Hello::taken().bytes()).await;
    assert_eq!((read.first(), refused), (Some(&22), None), "{read:?}");
    for version in [0x0300, 0x0301, 0x0302] {
        let hello = Hello {
            record: version,
            version,
            ..Hello::taken()
        };
        let (read, refused) = alert(&gateway, &hello.bytes()).await;
        assert_eq!(refused, Some(PROTOCOL_VERSION), "{version:04x} {read:?}");
        // The same, named in the list of TLS 1.3.
        let listed = [2, version.to_be_bytes()[0], version.to_be_bytes()[1]].to_vec();
        let (read, refused) = alert(&gateway, &Hello::taken().extended(43, listed).bytes()).await;
        assert_eq!(refused, Some(PROTOCOL_VERSION), "{version:04x} {read:?}");
    }
    for (suite, what) in [
        (0x0001, "no encryption"),
        (0x0003, "export"),
        (0x0005, "RC4"),
        (0x000a, "3DES"),
        (0x0018, "anonymous"),
        (0x002f, "AES-CBC without forward secrecy"),
        (0x0033, "finite fields"),
        (0x003c, "AES-CBC-SHA256 without forward secrecy"),
        (0x009c, "AES-GCM without forward secrecy"),
        (0xc007, "RC4 with forward secrecy"),
        (0xc009, "AES-CBC with forward secrecy"),
        (0xc023, "AES-CBC-SHA256 with forward secrecy"),
        (0xc0ac, "AES-CCM"),
        (0x0a0a, "nothing that exists"),
    ] {
        let hello = Hello {
            suites: vec![suite],
            ..Hello::taken()
        };
        let (read, refused) = alert(&gateway, &hello.bytes()).await;
        assert_eq!(refused, Some(HANDSHAKE_FAILURE), "{what}: {read:?}");
    }
    for version in [&TLS12, &TLS13] {
        for suite in aws_lc_rs::default_provider().cipher_suites {
            let mut provider = aws_lc_rs::default_provider();
            provider.cipher_suites = vec![suite];
            // One of the other version's, or for a key of another kind.
            let rsa = format!("{:?}", suite.suite()).contains("ECDHE_RSA");
            if suite.version().version != version.version || rsa {
                continue;
            }
            let stream = connect(&authority, &gateway, &[version], provider, "127.0.0.1").await;
            let stream = stream.unwrap();
            let agreed = stream.get_ref().1.protocol_version();
            assert_eq!(agreed, Some(version.version), "{suite:?}");
            assert!(!stream.get_ref().1.is_early_data_accepted(), "{suite:?}");
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_sent_before_the_handshake_ends_is_never_taken() {
    let (authority, upstream) = (Authority::new(), Upstream::answering("200 OK", "{}").await);
    let yaml = authority.server() + &shared_config(&upstream.url(), "");
    let start = "2026-11-20T12:00:00Z".parse().unwrap();
    let mut early = None;
    let gateway = Gateway::start_with(&yaml, faregate::domain::Clock::manual(start), |config| {
        early = config
            .listener
            .tls
            .as_ref()
            .map(|tls| (tls.max_early_data_size, tls.send_half_rtt_data));
    })
    .await;
    assert_eq!(
        early,
        Some((0, false)),
        "no 0-RTT, and nothing of ours before the client is known"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_handshake_that_makes_no_sense_is_refused_and_harms_nobody() {
    let (authority, upstream) = (Authority::new(), Upstream::answering("200 OK", "{}").await);
    let gateway = gateway(&authority, &upstream).await;
    let alpn = |names: &[&[u8]]| {
        let list: Vec<u8> = names
            .iter()
            .flat_map(|name| [&[name.len() as u8], *name].concat())
            .collect();
        [&(list.len() as u16).to_be_bytes(), list.as_slice()].concat()
    };
    let name = |name: &[u8]| {
        let entry = [&[0][..], &(name.len() as u16).to_be_bytes(), name].concat();
        [&(entry.len() as u16).to_be_bytes(), entry.as_slice()].concat()
    };
    let spoken = Hello::taken().extended(16, alpn(&[b"spdy/1", b"\xff\x00x"]));
    let (read, refused) = alert(&gateway, &spoken.bytes()).await;
    assert_eq!(refused, Some(NO_APPLICATION_PROTOCOL), "{read:?}");
    for (what, hello) in [
        ("no protocol", Hello::taken().extended(16, vec![0, 0])),
        (
            "a protocol without a name",
            Hello::taken().extended(16, alpn(&[b""])),
        ),
        (
            "half a protocol",
            Hello::taken().extended(16, vec![0, 9, 2, b'h']),
        ),
        (
            "half a name",
            Hello::taken().extended(0, vec![0, 9, 0, 0, 5, b'x']),
        ),
        (
            "two names",
            Hello::taken()
                .extended(0, name(b"a.test"))
                .extended(0, name(b"b.test")),
        ),
        (
            "no suite",
            Hello {
                suites: Vec::new(),
                ..Hello::taken()
            },
        ),
        (
            "a very long name",
            Hello::taken().extended(0, name(&[b'a'; 60_000])),
        ),
    ] {
        let (read, refused) = alert(&gateway, &hello.bytes()).await;
        let closed = read.is_empty() || refused.is_some_and(|alert| alert != CLOSE_NOTIFY);
        assert!(closed, "{what}: {read:?}");
    }
    // A hello that says it is larger than any: what was read is not kept for long.
    let mut endless = vec![22, 3, 1, 64, 0, 1, 255, 255, 255];
    endless.resize(5 + (16 << 10), 7);
    for bytes in [
        endless.repeat(8),
        vec![22, 3, 1, 255, 255],
        vec![22, 3, 1, 0, 0],
        // SSL 2's hello, an alert, data of an application, and noise.
        vec![0x80, 0x2e, 1, 0, 2, 0, 21, 0, 0, 0, 16],
        vec![21, 3, 3, 0, 2, 2, 40],
        vec![23, 3, 3, 0, 1, 0],
        (0..=255).collect(),
    ] {
        let mut stream = raw(gateway.address, &bytes[..bytes.len().min(5)]).await;
        // It may have been closed by the first bytes.
        let _ = stream.write_all(&bytes[bytes.len().min(5)..]).await;
        let _ = stream.shutdown().await;
        let mut read = Vec::new();
        let _ = within("the end", stream.read_to_end(&mut read)).await;
        assert!(read.first().is_none_or(|kind| *kind == 21), "{read:?}");
    }
    // A client that wants somebody else goes by itself.
    let other = connect(
        &authority,
        &gateway,
        &[&TLS13],
        aws_lc_rs::default_provider(),
        "elsewhere.example",
    )
    .await;
    assert!(other.is_err());
    let healthy = connect(
        &authority,
        &gateway,
        &[&TLS13],
        aws_lc_rs::default_provider(),
        "127.0.0.1",
    )
    .await;
    assert!(healthy.is_ok());
    gateway.stop().await;
}

/// Asks on a connection, and gives the status of the answer.
async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    let request = format!(
        "GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {KEY}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = vec![0; 16 << 10];
    let length = within("an answer", stream.read(&mut read)).await.unwrap();
    String::from_utf8_lossy(&read[..length])
        .chars()
        .take(12)
        .collect()
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_whoever_comes_and_drops_nobody() {
    let (authority, upstream) = (Authority::new(), Upstream::answering("200 OK", "{}").await);
    let mut gateway = gateway(&authority, &upstream).await;
    let shown =
        |stream: &TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let new = async |gateway: &Gateway| {
        let provider = aws_lc_rs::default_provider();
        connect(&authority, gateway, &[&TLS13], provider, "127.0.0.1")
            .await
            .unwrap()
    };
    let mut old = new(&gateway).await;
    assert_eq!(ask(&mut old).await, "HTTP/1.1 200");
    let first = shown(&old);
    let mut last = first.clone();
    for _ in 0..10 {
        // The file says the same; what it names is another certificate.
        gateway
            .reload(&(authority.server() + &shared_config(&upstream.url(), "")))
            .await;
        let mut next = new(&gateway).await;
        assert_ne!(shown(&next), last);
        last = shown(&next);
        assert_eq!(ask(&mut next).await, "HTTP/1.1 200");
        assert_eq!(ask(&mut old).await, "HTTP/1.1 200");
    }
    assert_eq!(shown(&old), first);
    gateway.stop().await;
}

//! TLS and what ALPN decides.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{PrivatePkcs8KeyDer, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::harness::{
    Running, SOON, answer, get, http2, request, rest, send, serve, settings, within,
};
use crate::listener::Settings;

pub(super) fn with_certificate(mut settings: Settings) -> (Settings, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    settings.tls = Some(Arc::new(config));
    (settings, roots)
}

pub(super) async fn connect(
    running: &Running,
    roots: &RootCertStore,
    alpn: &[&[u8]],
) -> TlsStream<TcpStream> {
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, running.connect().await))
        .await
        .unwrap()
}

#[tokio::test]
async fn http1_is_served_by_alpn_and_without_it() {
    let (settings, roots) = with_certificate(settings());
    let running = serve(settings);
    for alpn in [&[b"http/1.1".as_slice()][..], &[]] {
        let mut client = connect(&running, &roots, alpn).await;
        get(&mut client, "/").await;
        assert!(answer(&mut client).await.ends_with("hello"));
    }
    assert!(running.seen.peers.borrow().iter().all(|peer| peer.tls));
}

#[tokio::test]
async fn http2_is_served_by_alpn() {
    let (settings, roots) = with_certificate(settings());
    let running = serve(settings);
    let client = connect(&running, &roots, &[b"h2", b"http/1.1"]).await;
    assert_eq!(client.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (mut sender, _driver) = http2(client).await;
    let response = within(sender.send_request(request("/", ""))).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn no_preface_is_looked_for_under_tls() {
    let (settings, roots) = with_certificate(settings());
    let running = serve(settings);
    let mut client = connect(&running, &roots, &[]).await;
    send(&mut client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let rest = rest(&mut client).await;
    assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 4"), "{rest}");
    assert_eq!(*running.seen.calls.borrow(), 0);
}

#[tokio::test]
async fn half_a_client_hello_is_closed_in_time() {
    let mut hasty = settings();
    hasty.timeouts.tls = SOON;
    let (settings, _) = with_certificate(hasty);
    let running = serve(settings);
    let mut client = running.connect().await;
    // A handshake record of 512 bytes, of which six come.
    send(&mut client, [22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await;
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn plain_http_on_a_tls_port_reaches_no_service() {
    let (settings, roots) = with_certificate(settings());
    let running = serve(settings);
    let mut client = running.connect().await;
    get(&mut client, "/").await;
    // An alert, which is not text, or a reset.
    let mut alert = Vec::new();
    while let Ok(1..) = within(tokio::io::AsyncReadExt::read_buf(&mut client, &mut alert)).await {}
    assert_eq!(*running.seen.calls.borrow(), 0);
    let mut client = connect(&running, &roots, &[]).await;
    get(&mut client, "/").await;
    assert!(answer(&mut client).await.ends_with("hello"));
}

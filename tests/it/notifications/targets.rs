use std::{path::Path, sync::Arc};

use faregate::{
    config::{self, ProcessEnvironment},
    domain::{Clock, Timestamp},
    notify::Webhook,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::{SECRET, listed, message, receiver, test};
use crate::harness::{Gateway, within};

fn tried(message: &serde_json::Value) -> bool {
    message["attempts"] == 1
}

/// The configuration takes the name, because some private network is meant; where it leads to is not that one.
#[tokio::test]
async fn a_name_that_leads_elsewhere_than_meant_is_not_connected_to() {
    let receiver = receiver(&["200 OK"]).await;
    let url = format!("http://localhost:{}/", receiver.address.port());
    let yaml = format!(
        "notifications: {{webhooks: [{{url: \"{url}\", secrets: [\"{SECRET}\"]}}], allow_private_targets: [10.0.0.0/8]}}"
    );
    let gateway = Gateway::start(&yaml).await;
    test(&gateway).await;
    let message = message(&gateway, tried).await;
    let error = message["last_error"].as_str().unwrap();
    assert!(
        error.contains("which is loopback and not in notifications.allow_private_targets"),
        "{error}"
    );
    assert_eq!(*receiver.connections.borrow(), 0);
    gateway.stop().await;
}

#[test]
fn what_is_not_public_is_refused_by_the_file_with_words() {
    for url in [
        "http://127.0.0.1:1/",
        "https://127.1/",
        "https://metadata.google.internal/",
        "https://u:p@example.com/",
    ] {
        let yaml =
            format!("notifications: {{webhooks: [{{url: \"{url}\", secrets: [\"{SECRET}\"]}}]}}");
        let problems =
            config::parse(&yaml, Path::new("test.yaml"), &ProcessEnvironment).unwrap_err();
        let words = problems.to_string();
        assert!(
            words.starts_with("test.yaml:1:34: notifications.webhooks[0].url: "),
            "{words}"
        );
        assert!(!words.contains("u:p"), "{words}");
    }
}

#[tokio::test]
async fn a_receiver_without_anybody_listening_is_tried_again() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    let yaml = format!(
        "notifications: {{webhooks: [{{url: \"{url}\", secrets: [\"{SECRET}\"]}}], allow_private_targets: [127.0.0.1]}}"
    );
    let gateway = Gateway::start(&yaml).await;
    test(&gateway).await;
    let message = message(&gateway, tried).await;
    assert_eq!(message["status"], "pending");
    gateway.stop().await;
}

/// A receiver behind TLS, and the certificate that vouches for it.
async fn secure() -> (u16, RootCertStore) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut read = Vec::new();
            while !read.ends_with(b"}") && stream.read_buf(&mut read).await.is_ok_and(|n| n > 0) {}
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
    });
    (port, roots)
}

#[tokio::test]
async fn a_receiver_behind_tls_has_to_be_who_it_says() {
    let (port, roots) = secure().await;
    let yaml = format!(
        "notifications: {{webhooks: [{{url: \"https://127.0.0.1:{port}/\", secrets: [\"{SECRET}\"]}}], \
         allow_private_targets: [127.0.0.1]}}"
    );
    let start: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    let trusting = |roots: RootCertStore| {
        move |config: &mut config::Config| {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let tls = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let settings = config.notifications.as_mut().unwrap();
            let webhook = Webhook {
                tls: Arc::new(tls),
                ..(*settings.webhooks[0]).clone()
            };
            settings.webhooks = vec![Arc::new(webhook)];
        }
    };
    let stranger = Gateway::start_with(
        &yaml,
        Clock::manual(start),
        trusting(RootCertStore::empty()),
    )
    .await;
    test(&stranger).await;
    let refused = message(&stranger, tried).await;
    let error = refused["last_error"].as_str().unwrap();
    assert!(error.starts_with("no TLS connection: "), "{error}");
    stranger.stop().await;

    let gateway = Gateway::start_with(&yaml, Clock::manual(start), trusting(roots)).await;
    test(&gateway).await;
    within("it was delivered", async {
        while listed(&gateway).await[0]["status"] != "delivered" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    gateway.stop().await;
}

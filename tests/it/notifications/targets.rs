use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use faregate::{
    config::{self, ProcessEnvironment},
    domain::{Clock, Timestamp},
    notify::Webhook,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::PrivateKeyDer};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::{SECRET, listed, message, receiver, test};
use crate::harness::{Call, Daemon, Gateway, TOKEN, notice, within, write};

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

/// Has a program read this file instead of `/etc/hosts`; `None`, and a word about it, where that is not permitted.
fn names(hosts: &Path) -> Option<String> {
    let mount = format!("mount --bind {} /etc/hosts", hosts.display());
    let mut tried = Command::new("unshare");
    tried.args(["-m", "sh", "-c", &mount]).stderr(Stdio::null());
    if !tried.status().is_ok_and(|status| status.success()) {
        notice("NAME WITH TWO ADDRESSES NOT TESTED: a list of hosts of one's own is not permitted");
        return None;
    }
    // More than one line of the file is about a name.
    Some(format!(
        "export RESOLV_MULTI=on; exec unshare -m sh -c '{mount} && exec \"$0\" \"$@\"' \"$0\" \"$@\""
    ))
}

/// An honest name has no such mixture: not even the public address is connected to, whichever comes first.
#[tokio::test]
async fn a_name_with_a_public_and_a_private_address_is_not_connected_to() {
    // The private one first, as resolvers put loopback before all others, and last, as the file has it.
    for (public, private, word) in [
        ("2606:4700::1", "127.0.0.1", "loopback"),
        ("93.184.215.14", "10.0.0.1", "private"),
    ] {
        let receiver = receiver(&["200 OK"]).await;
        let folder = TempDir::new().unwrap();
        let hosts = folder.path().join("hosts");
        let listed = format!("{public} receiver.test\n{private} receiver.test\n");
        std::fs::write(&hosts, listed).unwrap();
        let Some(names) = names(&hosts) else {
            return;
        };
        let url = format!("https://receiver.test:{}/", receiver.address.port());
        let yaml = format!(
            "server: {{listen: \"127.0.0.1:0\"}}\nadmin: {{listen: \"127.0.0.1:0\", token: {TOKEN}}}\n\
             store: {{url: \"sqlite::memory:\"}}\nlog: {{format: json}}\n\
             notifications: {{webhooks: [{{url: \"{url}\", secrets: [\"{SECRET}\"]}}]}}\n"
        );
        write(folder.path(), &yaml);
        let daemon = Daemon::start_after(&names, folder).await;
        let words = format!(
            "its host leads to {private}, which is {word} and not in notifications.allow_private_targets"
        );
        assert_eq!(error_of_a_test(&daemon).await, words);
        assert_eq!(*receiver.connections.borrow(), 0);
    }
}

/// Has everybody told something, and says why the first try failed.
async fn error_of_a_test(daemon: &Daemon) -> String {
    let ask = |method, path| Call::new(daemon.admin, method, path).bearer(TOKEN);
    let asked = ask("POST", "/admin/v1/notifications/test").send().await;
    assert_eq!(asked.status, 200, "{}", asked.text());
    within("it was tried", async {
        loop {
            let listed = ask("GET", "/admin/v1/notifications").send().await.value();
            let first = &listed["data"][0];
            if tried(first) {
                return first["last_error"].as_str().unwrap().to_owned();
            }
        }
    })
    .await
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

//! The private key of a listener, and its certificate, in handshakes that succeed and fail.

use std::sync::Arc;

use rcgen::generate_simple_self_signed;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::tells_none;
use crate::harness::{Daemon, Upstream, faregate, raw, shared_config, within, write};

#[tokio::test]
async fn the_private_key_is_never_written() {
    let upstream = Upstream::answering("200 OK", "{}").await;
    let folder = TempDir::new().unwrap();
    let made = generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = made.signing_key.serialize_pem();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), &key).unwrap();
    let server =
        "server: {listen: \"127.0.0.1:0\", tls: {certificate: cert.pem, private_key: key.pem}}\n";
    let rest = "admin: {listen: \"127.0.0.1:0\", token: test-admin-token-of-32-bytes-or-more}\n\
                store: {url: \"sqlite::memory:\"}\nlog: {format: json}\n";
    write(
        folder.path(),
        &format!("{server}{rest}{}", shared_config(&upstream.url(), "")),
    );
    let lines: Vec<&str> = key.lines().filter(|line| !line.starts_with('-')).collect();
    assert!(lines.len() > 1, "{}", lines.len());

    let checked = faregate(folder.path(), "check");
    assert!(checked.status.success());
    tells_none(&lines, "check", &checked.stdout);
    tells_none(&lines, "check", &checked.stderr);
    let daemon = Daemon::start_in_at(folder, "trace").await;
    // No handshake, half of one, and one that offers nothing.
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x16\x03\x01\x00\xff\x01",
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
    ] {
        let mut client = raw(daemon.address, bytes).await;
        let mut said = Vec::new();
        if bytes.len() != 6 {
            let _ = within("the connection ends", client.read_to_end(&mut said)).await;
        }
        tells_none(&lines, "a handshake", &said);
    }
    // And one that succeeds, with a request behind it.
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots);
    let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
    let client = raw(daemon.address, b"").await;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut client = within("a handshake", connector.connect(name, client))
        .await
        .unwrap();
    client
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut said = String::new();
    let _ = within("an answer", client.read_to_string(&mut said)).await;
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    tells_none(&lines, "an answer", said);
    daemon.signal("TERM");
    let log = daemon.whole_log().await;
    tells_none(&lines, "the log", log);
}

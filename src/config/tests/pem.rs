use std::{fs, path::Path};

use rcgen::generate_simple_self_signed;

use super::Fixed;
use crate::config::{Config, Problems, parse};

fn compiled(folder: &Path, text: &str) -> Result<Config, Problems> {
    parse(text, &folder.join("faregate.yaml"), &Fixed::default())
}

#[test]
fn certificates_and_keys_are_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let own = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("cert.pem", &own.cert.pem());
    write("key.pem", &own.signing_key.serialize_pem());
    write("other.pem", &other.signing_key.serialize_pem());
    write("empty.pem", "");
    write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n",
    );

    let tls = |certificate: &str, key: &str| {
        let text = format!("server: {{tls: {{certificate: {certificate}, private_key: {key}}}}}");
        compiled(folder.path(), &text)
    };
    let config = tls("cert.pem", "key.pem").unwrap();
    let named = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    assert_eq!(config.files, named);
    let loaded = config.listener.tls.unwrap();
    assert_eq!(
        loaded.alpn_protocols,
        [b"h2".to_vec(), b"http/1.1".to_vec()]
    );
    assert_eq!(config.gateway.links.public_url, "https://127.0.0.1:8402");

    let said = |result: Result<Config, Problems>| {
        let said = result.unwrap_err().to_string();
        said.replace(&folder.path().display().to_string(), "…")
    };
    insta::assert_snapshot!(
        [
            tls("cert.pem", "other.pem"),
            tls("missing.pem", "key.pem"),
            tls("empty.pem", "empty.pem"),
            tls("broken.pem", "key.pem"),
            tls("key.pem", "cert.pem"),
        ]
        .map(said)
        .join("\n")
    );
}

#[test]
fn a_secret_of_a_file_is_a_file_that_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "x".repeat(32)).unwrap();
    let config = compiled(folder.path(), "admin: {token: {file: token}}").unwrap();
    assert_eq!(config.files, [folder.path().join("token")]);
}

#[test]
fn authorities_are_loaded_once() {
    let folder = tempfile::tempdir().unwrap();
    let own = generate_simple_self_signed(vec!["ca.example".to_owned()]).unwrap();
    fs::write(folder.path().join("ca.pem"), own.cert.pem()).unwrap();
    let text = "models: {}
providers:
  a: {kind: openai, base_url: 'https://a.example.com', ca: ca.pem}
  b: {kind: openai, base_url: 'https://b.example.com', ca: ./ca.pem}
  c: {kind: openai, base_url: 'https://c.example.com', ca: ca.pem}
  d: {kind: openai, base_url: 'https://d.example.com'}
";
    let config = compiled(folder.path(), text).unwrap();
    let [a, _, c, d] = &config.gateway.providers[..] else {
        panic!("four providers were written")
    };
    assert!(std::sync::Arc::ptr_eq(&a.tls, &c.tls));
    assert!(!std::sync::Arc::ptr_eq(&a.tls, &d.tls));
    let missing = compiled(folder.path(), &text.replace("ca: ca.pem", "ca: no.pem"));
    assert_eq!(missing.unwrap_err().iter().count(), 2);
}

#[test]
fn a_system_without_roots_is_a_problem_only_for_https() {
    #[derive(Debug)]
    struct Bare;
    impl crate::config::Environment for Bare {
        fn get(&self, _: &str) -> Option<String> {
            None
        }
        fn system_roots(&self) -> Vec<rustls::pki_types::CertificateDer<'static>> {
            Vec::new()
        }
    }
    let path = Path::new("faregate.yaml");
    let text = "models: {}\nproviders: {a: {kind: openai, api_key: x}, b: {kind: openai, base_url: 'http://127.0.0.1:1'}}";
    let said = parse(text, path, &Bare).unwrap_err().to_string();
    insta::assert_snapshot!(said);
    assert!(
        parse(
            &text.replace("a: {kind: openai, api_key: x}, ", ""),
            path,
            &Bare
        )
        .is_ok()
    );
}

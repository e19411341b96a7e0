use std::sync::Arc;

use ipnet::IpNet;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

use super::permitted;
use crate::notify::{Pattern, Webhook, WebhookUrl};

fn webhook(url: &str, allowed: &[&str]) -> Webhook {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let allowed: Vec<IpNet> = allowed
        .iter()
        .map(|network| network.parse().unwrap())
        .collect();
    Webhook {
        url: WebhookUrl::parse(url, &allowed).unwrap(),
        keys: Vec::new(),
        events: vec![Pattern::All],
        tls: Arc::new(tls),
        allowed,
    }
}

/// A name that was public when the configuration was read may lead elsewhere when it is connected to.
#[test]
fn the_address_that_is_connected_to_is_what_counts() {
    let public = webhook("https://hooks.example.com/", &[]);
    let ask = |webhook: &Webhook, address: &str| {
        let asked = permitted(&webhook.url, address.parse().unwrap(), webhook);
        asked.map_err(|refused| refused.0)
    };
    assert_eq!(ask(&public, "93.184.215.14"), Ok(()));
    assert_eq!(ask(&public, "2606:4700::1"), Ok(()));
    let words = "its host leads to 169.254.169.254, which is link-local and not in notifications.allow_private_targets";
    assert_eq!(ask(&public, "169.254.169.254"), Err(words.to_owned()));
    for private in [
        "127.0.0.1",
        "10.0.0.1",
        "::1",
        "::ffff:10.0.0.1",
        "fd00::1",
        "100.64.1.1",
    ] {
        assert!(ask(&public, private).is_err(), "{private}");
    }

    let listed = webhook("http://receiver.test/", &["10.0.0.0/8"]);
    assert_eq!(ask(&listed, "10.1.1.1"), Ok(()));
    assert!(ask(&listed, "127.0.0.1").is_err());
    // What is sent in the clear goes to listed networks only.
    assert!(ask(&listed, "93.184.215.14").is_err());
}

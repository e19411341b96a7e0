//! A fault of ours, in the middle of a call: looking at a provider's certificate panics.

use std::{
    panic,
    sync::{
        Arc, Once,
        atomic::{AtomicU64, Ordering},
    },
};

use faregate::domain::{Clock, Timestamp};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{Authority, provider};
use crate::harness::{Gateway, LIMITED, Upstream, metrics, shared_config, tells_no_secret};

#[derive(Debug)]
struct Faulty;

impl ServerCertVerifier for Faulty {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        panic!("on purpose: a fault in the middle of a call")
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

/// How often something was asked to go on after it had panicked.
static RESUMED: AtomicU64 = AtomicU64::new(0);

fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.to_string().contains("resumed after panicking") {
                RESUMED.fetch_add(1, Ordering::Relaxed);
            }
            usual(info);
        }));
    });
}

#[tokio::test]
async fn a_panic_fails_its_call_alone() {
    const ANSWER: &str = r#"{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;
    watch();
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let authority = Authority::new();
    let port = provider(&authority, "127.0.0.1", &["http/1.1"]).await;
    let secure = format!("kind: anthropic, base_url: \"https://127.0.0.1:{port}\"");
    let plain = format!("kind: anthropic, base_url: \"{}\"", upstream.url());
    let yaml = shared_config(&upstream.url(), "").replace(&plain, &secure);
    assert!(yaml.contains(&secure));
    let start: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    let gateway = Gateway::start_with(&yaml, Clock::manual(start), |config| {
        let faulty = ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Faulty))
            .with_no_client_auth();
        let providers = &mut config.gateway.providers;
        let secure = providers.iter_mut().find(|one| one.id.as_str() == "an");
        secure.unwrap().tls = Arc::new(faulty);
    })
    .await;
    for _ in 0..5 {
        let message = r#"{"model":"c","max_tokens":9,"messages":[]}"#;
        let call = gateway.call("POST", "/v1/messages").bearer(LIMITED);
        let answer = call.json(message).send().await;
        assert_eq!(answer.status, 500, "{}", answer.text());
        assert_eq!(answer.code(), "internal_error");
        assert!(!answer.text().contains("on purpose"), "{}", answer.text());
        let other = gateway.chat(LIMITED, r#"{"model":"m"}"#).send().await;
        assert_eq!(other.status, 200, "{}", other.text());
    }
    // What was held for the calls that failed is resolved, and each has a record.
    gateway.nothing_held(LIMITED).await;
    let records = gateway.records(10).await;
    let failed = records.iter().filter(|record| record["status"] == 500);
    assert_eq!(failed.count(), 5, "{records:#?}");
    tells_no_secret(&gateway.recorded());
    let page = metrics(gateway.admin).await;
    let refused = "faregate_refusals_total{code=\"internal_error\"} 5";
    assert!(page.text().contains(refused), "{}", page.text());
    gateway.stop().await;
    // Nobody reads on what has panicked.
    assert_eq!(RESUMED.load(Ordering::Relaxed), 0);
}

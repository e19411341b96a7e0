use crate::harness::{Gateway, raw_until_close};

#[tokio::test]
async fn http_1_0_needs_no_host_and_http_1_1_does() {
    let gateway = Gateway::start("providers: {up: {kind: simulated}}").await;
    let answer = raw_until_close(gateway.address, b"GET /readyz HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    let without = b"GET /readyz HTTP/1.1\r\nconnection: close\r\n\r\n";
    let answer = raw_until_close(gateway.address, without).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("invalid_host"), "{answer}");
    gateway.stop().await;
}

//! Whatever the `Host` is called, the same key opens the same door. `FAREGATE_HOSTS=10000` tries as many.

use crate::{
    fixture::{KEY, planned, provider},
    harness::{Gateway, number_of, raw_until_close},
};

/// Letters that some reader takes for the end of a host, or for the start of something else.
const LETTERS: &[u8] = b"abcxyz019.-_~:[]%@/?#\\,;=&+!$'()*\"<>^`{|} \t\x01\x7f\x80\xc3\xa4";

/// Names that mean something somewhere.
const NAMES: [&str; 12] = [
    "admin.local",
    "localhost",
    "127.0.0.1:8403",
    "metrics",
    "gateway.test/admin",
    "gateway.test?/healthz",
    "gateway.test#@evil.test",
    "evil.test, gateway.test",
    "[::1",
    "",
    "gateway.test:80:80",
    "169.254.169.254",
];

fn status(answer: &str) -> u16 {
    answer
        .get(9..12)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

#[tokio::test]
async fn no_host_opens_what_its_key_does_not() {
    let tries = number_of("FAREGATE_HOSTS").unwrap_or(400);
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{}")).await;
    let mut chance = 11_u64;
    let mut below = |bound: usize| {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(chance >> 33).unwrap() % bound
    };
    let (mut taken, mut refused) = (0, 0);
    for number in 0..tries {
        let host: Vec<u8> = match NAMES.get(usize::try_from(number).unwrap()) {
            Some(name) => name.as_bytes().to_vec(),
            None => {
                let length = 1 + below(12);
                // Half of them of plain letters alone, which are hosts.
                let letters = if below(2) == 0 {
                    &LETTERS[..13]
                } else {
                    LETTERS
                };
                (0..length).map(|_| letters[below(letters.len())]).collect()
            }
        };
        let ask = async |path: &str, key: &str| {
            let mut request =
                format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{key}host: ").into_bytes();
            request.extend(&host);
            request.extend(b"\r\n\r\n");
            status(&raw_until_close(gateway.address, &request).await)
        };
        let bearer = format!("authorization: Bearer {KEY}\r\n");
        let (without, with) = (
            ask("/v1/models", "").await,
            ask("/v1/models", &bearer).await,
        );
        let shown = String::from_utf8_lossy(&host);
        match (without, with) {
            (401, 200) => taken += 1,
            (400, 400) => refused += 1,
            other => panic!("{shown:?}: {other:?}"),
        }
        let admin = ask("/admin/v1/keys", &bearer).await;
        assert_eq!(admin, if without == 401 { 404 } else { 400 }, "{shown:?}");
    }
    assert!(
        taken > 50 && refused > 50,
        "{taken} taken, {refused} refused"
    );
    gateway.all_settled(&upstream, KEY).await;
    gateway.stop().await;
}

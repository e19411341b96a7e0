//! Heads, without a wire.

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

use crate::upstream::{
    Credential, Encoding,
    head::{to_client, to_provider},
};

fn fields(text: &str) -> HeaderMap {
    text.lines()
        .map(|line| line.trim().split_once(": ").unwrap())
        .map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect()
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort();
    lines
}

fn provider() -> Credential {
    Credential::new(AUTHORIZATION, HeaderValue::from_static("Bearer provider"))
}

#[test]
fn a_provider_gets_what_concerns_it_and_its_own_credential() {
    let mut headers = fields(
        "host: gate.example
         connection: keep-alive, X-Hop
         connection: close, authorization
         x-hop: 1
         keep-alive: timeout=5
         proxy-authorization: Basic x
         proxy-connection: keep-alive
         te: trailers
         trailer: x-sum
         transfer-encoding: chunked
         upgrade: h2c
         http2-settings: AAMAAABkAAQAoAAAAAIAAAAA
         expect: 100-continue
         authorization: Bearer client
         x-api-key: client
         x-goog-api-key: client
         api-key: client
         x-request-id: theirs
         cookie: a=b
         cookie: c=d
         openai-organization: org-1
         openai-project: proj-1
         x-goog-user-project: p
         forwarded: for=1.2.3.4
         x-forwarded-for: 1.2.3.4
         x-forwarded-anything: 1
         x-real-ip: 1.2.3.4
         content-length: 12
         accept-encoding: gzip
         content-type: application/json
         anthropic-version: 2023-06-01
         traceparent: 00-1-2-01
         x-stainless-lang: python",
    );
    to_provider(&mut headers, Some(&provider()), Encoding::AsAsked);
    insta::assert_snapshot!(lines(&headers).join("\n"), @r"
    accept-encoding: gzip
    anthropic-version: 2023-06-01
    authorization: Bearer provider
    content-type: application/json
    traceparent: 00-1-2-01
    x-stainless-lang: python
    ");
}

#[test]
fn identity_replaces_every_coding_asked_for() {
    let mut headers = fields("accept-encoding: gzip\naccept-encoding: br");
    to_provider(&mut headers, None, Encoding::Identity);
    assert_eq!(lines(&headers), ["accept-encoding: identity"]);
}

#[test]
fn without_a_credential_of_ours_the_clients_goes_all_the_same() {
    let mut headers = fields("authorization: Bearer client\nx-api-key: client");
    to_provider(&mut headers, None, Encoding::AsAsked);
    assert!(headers.is_empty());
}

#[test]
fn nobody_names_our_credential_away() {
    let credential = Credential::new(
        HeaderName::from_static("x-token"),
        HeaderValue::from_static("secret"),
    );
    let mut headers = fields("connection: x-token, connection\nx-token: client");
    to_provider(&mut headers, Some(&credential), Encoding::AsAsked);
    assert_eq!(lines(&headers), ["x-token: secret"]);
}

#[test]
fn more_unwanted_names_than_fit_one_batch_all_go() {
    let mut headers: HeaderMap = (0..60)
        .map(|n| format!("x-forwarded-{n}"))
        .map(|name| {
            (
                HeaderName::try_from(name).unwrap(),
                HeaderValue::from_static("1"),
            )
        })
        .collect();
    headers.insert("x-kept", HeaderValue::from_static("1"));
    to_provider(&mut headers, None, Encoding::AsAsked);
    assert_eq!(lines(&headers), ["x-kept: 1"]);
}

#[test]
fn a_client_gets_the_answer_without_hops_and_cookies() {
    let mut headers = fields(
        "connection: close, x-hop
         x-hop: 1
         keep-alive: timeout=5
         transfer-encoding: chunked
         trailer: x-sum
         upgrade: h2
         proxy-authenticate: Basic
         set-cookie: __cf_bm=1
         set-cookie: _cfuvid=2
         alt-svc: h3=\":443\"
         strict-transport-security: max-age=31536000; includeSubDomains
         access-control-allow-origin: *
         access-control-allow-credentials: true
         access-control-expose-headers: x-secret
         x-ratelimit-remaining-tokens: 5
         anthropic-ratelimit-requests-limit: 5
         x-ratelimitbysize-remaining-month: 5
         x-tokenlimit-limit: 5
         x-endpoint-monthly-call-limit: 5
         x-trial-endpoint-call-remaining: 5
         anthropic-priority-input-tokens-limit: 5
         anthropic-fast-input-tokens-limit: 5
         faregate-notice: budget
         nel: {}
         report-to: {}
         reporting-endpoints: default=\"https://collector.example\"
         clear-site-data: \"*\"
         ratelimit: \"default\";r=5
         ratelimit-policy: \"default\";q=5
         openai-organization: org-1
         openai-project: proj-1
         anthropic-organization-id: org-2
         x-request-id: req_1
         content-type: text/event-stream
         openai-processing-ms: 12",
    );
    assert!(to_client(&mut headers));
    insta::assert_snapshot!(lines(&headers).join("\n"), @r"
    content-type: text/event-stream
    openai-processing-ms: 12
    x-upstream-request-id: req_1
    ");
}

#[test]
fn either_name_of_a_providers_request_id_is_renamed() {
    let mut headers = fields("request-id: req_2");
    to_client(&mut headers);
    assert_eq!(lines(&headers), ["x-upstream-request-id: req_2"]);
    let mut headers = fields("request-id: req_2\nx-request-id: req_1");
    to_client(&mut headers);
    assert_eq!(lines(&headers), ["x-upstream-request-id: req_1"]);
}

#[test]
fn two_framings_leave_one_and_no_second_use() {
    let mut headers = fields("transfer-encoding: chunked\ncontent-length: 5");
    assert!(!to_client(&mut headers));
    assert!(headers.is_empty());
}

#[test]
fn a_length_said_twice_is_said_once() {
    for twice in [
        "content-length: 5\ncontent-length: 5",
        "content-length: 5, 5",
    ] {
        let mut headers = fields(twice);
        assert!(to_client(&mut headers));
        assert_eq!(lines(&headers), ["content-length: 5"]);
    }
}

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};

use crate::{
    refusal::Code,
    upstream::{MAX_READ, Verdict, classify, wants_body},
};

const UNAVAILABLE: Verdict = Verdict::Refuse(Code::UpstreamUnavailable, None);
const OVERLOADED: Verdict = Verdict::Refuse(Code::UpstreamOverloaded, None);
const AUTH: Verdict = Verdict::Refuse(Code::UpstreamAuth, None);

fn verdict(status: u16, body: &str) -> Verdict {
    let status = StatusCode::from_u16(status).unwrap();
    let blind = classify(status, &HeaderMap::new(), b"");
    let seeing = classify(status, &HeaderMap::new(), body.as_bytes());
    assert!(
        wants_body(status) || blind == seeing,
        "{status} is decided by its body, which nobody would read"
    );
    seeing
}

#[test]
fn each_vendors_way_to_say_it() {
    for (status, body, expected) in [
        (
            401,
            r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            AUTH,
        ),
        (
            403,
            r#"{"error":{"message":"Country not supported","code":"unsupported_country_region_territory"}}"#,
            AUTH,
        ),
        (403, "<html>", AUTH),
        (
            402,
            r#"{"type":"error","error":{"type":"billing_error","message":"x"}}"#,
            UNAVAILABLE,
        ),
        (402, "", UNAVAILABLE),
        (
            429,
            "\n[{\"error\":{\"code\":429,\"message\":\"Your prepayment credits are depleted. Please go to AI Studio\",\"status\":\"RESOURCE_EXHAUSTED\"}}\n]\n",
            UNAVAILABLE,
        ),
        (
            429,
            r#"[{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}]"#,
            OVERLOADED,
        ),
        (429, "[]", OVERLOADED),
        (
            400,
            r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]"#,
            AUTH,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"Invalid value: API key not valid","status":"INVALID_ARGUMENT"}}"#,
            Verdict::Relay,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing"}}"#,
            UNAVAILABLE,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2026-12-01"}}"#,
            UNAVAILABLE,
        ),
        (
            400,
            r#"{"error":{"message":"Spend limit reached","type":"invalid_request_error","code":"blocked_api_access"}}"#,
            UNAVAILABLE,
        ),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            UNAVAILABLE,
        ),
        (
            429,
            r#"{"error":{"type":"insufficient_quota","code":"credit_balance_exhausted"}}"#,
            UNAVAILABLE,
        ),
        (
            429,
            r#"{"error":{"code":"organization_spend_limit_exceeded"}}"#,
            UNAVAILABLE,
        ),
        (
            429,
            r#"{"error":{"code":"project_spend_limit_exceeded"}}"#,
            UNAVAILABLE,
        ),
        (
            429,
            r#"{"error":{"code":"organization_usage_limit_exceeded"}}"#,
            UNAVAILABLE,
        ),
        (
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"x","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
            UNAVAILABLE,
        ),
        (
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"x","details":{"error_code":"ramp_limit_exceeded"}}}"#,
            OVERLOADED,
        ),
        (
            429,
            r#"{"error":{"message":"Rate limit reached","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
            OVERLOADED,
        ),
        (
            429,
            r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"}]}}"#,
            OVERLOADED,
        ),
        (
            429,
            r#"{"error":{"code":429,"message":"Your prepayment credits are depleted.","status":"RESOURCE_EXHAUSTED"}}"#,
            UNAVAILABLE,
        ),
        (
            429,
            r#"{"code":"x","error":"Your team 1f has either used all available credits or reached its monthly spending limit."}"#,
            UNAVAILABLE,
        ),
        (
            403,
            r#"{"code":"x","error":"Your team 1f has either used all available credits or reached its monthly spending limit."}"#,
            UNAVAILABLE,
        ),
        (
            403,
            r#"{"error":{"code":403,"message":"Workspace monthly budget of $500.00 exceeded.","metadata":{"limit_source":"workspace"}}}"#,
            UNAVAILABLE,
        ),
        (
            429,
            r#"{"error":{"message":"Your account is not active, please check your billing details on our website.","type":"billing_not_active","param":null,"code":null}}"#,
            UNAVAILABLE,
        ),
        (
            429,
            r#"{"error":{"message":"Your account is suspended due to insufficient balance","type":"exceeded_current_quota_error"}}"#,
            UNAVAILABLE,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified workspace API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."}}"#,
            UNAVAILABLE,
        ),
        (
            412,
            r#"{"error":{"message":"Account acme is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices. Please go to https://fireworks.ai/account/billing for more information."}}"#,
            UNAVAILABLE,
        ),
        (
            412,
            r#"{"error":"Account acme is suspended, possibly due to reaching the monthly spending limit"}"#,
            UNAVAILABLE,
        ),
        (
            412,
            r#"{"error":{"message":"Account of whom? It is suspended."}}"#,
            Verdict::Relay,
        ),
        (
            403,
            r#"{"error":{"code":"AccountOverdueError","message":"The request failed because your account has an overdue balance.","type":"Forbidden"}}"#,
            UNAVAILABLE,
        ),
        (
            429,
            r#"{"error":{"code":"1113","message":"Insufficient balance or no resource package. Please recharge."}}"#,
            UNAVAILABLE,
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.","status":"FAILED_PRECONDITION"}}]"#,
            UNAVAILABLE,
        ),
        (
            429,
            r#"{"error":{"message":"Organization Rate limit exceeded","type":"rate_limit_reached_error"}}"#,
            OVERLOADED,
        ),
        (
            400,
            r#"{"error":{"message":"Access denied, please make sure your account is in good standing.","type":"Arrearage","param":null,"code":"Arrearage"}}"#,
            UNAVAILABLE,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"This organization has been disabled."},"request_id":"req_1"}"#,
            AUTH,
        ),
        (429, "not json", OVERLOADED),
        (503, "", OVERLOADED),
        (
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            OVERLOADED,
        ),
    ] {
        assert_eq!(verdict(status, body), expected, "{status} {body}");
    }
}

#[test]
fn the_callers_own_mistakes_and_unknown_faults_are_relayed() {
    for (status, body) in [
        (200, "{}"),
        (302, ""),
        (
            400,
            r#"{"error":{"message":"Invalid value: 'Your credit balance is too low'","type":"invalid_request_error","code":null}}"#,
        ),
        (400, r#"{"error":{"code":"context_length_exceeded"}}"#),
        (400, r#"{"error":[1,2]}"#),
        (404, r#"{"error":{"code":"insufficient_quota"}}"#),
        (413, ""),
        (422, ""),
        (500, r#"{"error":{"code":"insufficient_quota"}}"#),
        (502, ""),
        (504, ""),
    ] {
        assert_eq!(verdict(status, body), Verdict::Relay, "{status} {body}");
    }
}

#[test]
fn a_wait_is_passed_on_where_waiting_helps() {
    let asked = |value: &'static str, status: u16| {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
        classify(StatusCode::from_u16(status).unwrap(), &headers, b"")
    };
    let wait =
        |seconds| Verdict::Refuse(Code::UpstreamOverloaded, Some(Duration::from_secs(seconds)));
    assert_eq!(asked("7", 429), wait(7));
    assert_eq!(asked("30", 529), wait(30));
    assert_eq!(asked("Fri, 20 Nov 2026 10:00:00 GMT", 503), OVERLOADED);
    assert_eq!(asked("-1", 503), OVERLOADED);
    assert_eq!(asked("7", 402), UNAVAILABLE);
    // As Python's and Node's SDKs of OpenAI read it: a fraction is a second that has begun.
    assert_eq!(asked("2.0", 429), wait(2));
    assert_eq!(asked("0.25", 429), wait(1));
    for nonsense in ["1.", ".5", "1.5s", "1.-5", "1e3"] {
        assert_eq!(asked(nonsense, 429), OVERLOADED, "{nonsense}");
    }
}

#[test]
fn a_wait_in_milliseconds_says_more_than_one_in_seconds() {
    let asked = |millis: &'static str, seconds: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after-ms", HeaderValue::from_static(millis));
        headers.extend(seconds.map(|value| (RETRY_AFTER, HeaderValue::from_static(value))));
        classify(StatusCode::TOO_MANY_REQUESTS, &headers, b"")
    };
    let wait = |millis| {
        Verdict::Refuse(
            Code::UpstreamOverloaded,
            Some(Duration::from_millis(millis)),
        )
    };
    assert_eq!(asked("1500", None), wait(1500));
    assert_eq!(asked("1500", Some("9")), wait(1500));
    assert_eq!(asked("499.5", Some("9")), wait(500));
    assert_eq!(asked("soon", Some("9")), wait(9000));
}

#[test]
fn what_lies_beyond_the_bound_decides_nothing() {
    let message = "x".repeat(MAX_READ);
    let body = format!(r#"{{"error":{{"message":"{message}","code":"insufficient_quota"}}}}"#);
    assert_eq!(verdict(429, &body), OVERLOADED);
}

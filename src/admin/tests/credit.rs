//! Credit: what is asked for, what is refused, and how it is shown.

use http::{Method, StatusCode};
use serde_json::json;

use super::{admin, ask, get, read, registry, rejections, request};

const CREDIT: &str = "/admin/v1/accounts/bob/credit";
const TRANSFER: &str = "/admin/v1/credit/transfer";

#[tokio::test]
async fn an_entry_is_posted_as_it_was_asked_for() {
    let registry = registry();
    let (status, plain) = ask(&registry, Method::POST, CREDIT, json!({"amount": "12.50"})).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(
        (&plain["kind"], &plain["amount"], &plain["author"]),
        (&json!("top_up"), &json!("12.50"), &json!("api"))
    );
    let whole = json!({
        "amount": "-0.000000001", "kind": "adjustment", "id": "again-1", "reason": "counted twice", "author": "ann",
        "priority": 0, "related": "call-7",
    });
    let (status, posted) = ask(&registry, Method::POST, CREDIT, whole).await;
    assert_eq!(status, StatusCode::OK, "it was posted before");
    insta::assert_snapshot!("entry", format!("{posted:#}"));
    // A whole number is exact.
    let body = json!({"amount": 5, "expires_at": "2027-01-01T00:00:00Z", "author": "cli"});
    let (_, posted) = ask(&registry, Method::POST, CREDIT, body).await;
    assert_eq!(
        (&posted["amount"], &posted["author"]),
        (&json!("5.00"), &json!("cli"))
    );
    insta::assert_snapshot!("entries_asked", registry.asked.lock().unwrap().join("\n"));
}

#[tokio::test]
async fn a_transfer_names_both_sides() {
    let registry = registry();
    let body = json!({"from": "bob", "to": "acme", "amount": "3", "id": "t"});
    let (status, moved) = ask(&registry, Method::POST, TRANSFER, body).await;
    assert_eq!(status, StatusCode::CREATED);
    insta::assert_snapshot!("transfer", format!("{moved:#}"));
}

#[tokio::test]
async fn credit_and_entries_are_shown() {
    let registry = registry();
    let (status, sheet) = get(&registry, CREDIT).await;
    assert_eq!(status, StatusCode::OK);
    insta::assert_snapshot!("sheet", format!("{sheet:#}"));
    let query = "account=bob&kind=top_up&since=2026-11-01T00%3A00%3A00Z&limit=5&cursor=9";
    let (status, page) = get(&registry, &format!("/admin/v1/ledger?{query}")).await;
    assert_eq!(status, StatusCode::OK);
    insta::assert_snapshot!(
        "ledger",
        format!("{page:#}\n{}", registry.asked.lock().unwrap()[1])
    );
}

#[tokio::test]
async fn mistakes_are_named() {
    let registry = registry();
    let post = |body| (Method::POST, CREDIT, body);
    let transfer = |body| (Method::POST, TRANSFER, body);
    let get = |path| (Method::GET, path, json!(null));
    let cases = [
        post(json!({})),
        post(json!({"amount": "0"})),
        post(json!({"amount": 12.5})),
        post(json!({"amount": "1e3"})),
        post(json!({"amount": "12,50"})),
        post(json!({"amount": "0.0000000001"})),
        post(json!({"amount": "1000000000.01"})),
        post(json!({"amount": "-1000000000.01", "kind": "refund"})),
        post(json!({"amount": "99999999999999999999"})),
        post(json!({"amount": true})),
        post(json!({"amount": "-1"})),
        post(json!({"amount": "-1", "kind": "grant"})),
        post(json!({"amount": "1", "kind": "expiry"})),
        post(json!({"amount": "1", "kind": 7})),
        post(json!({"amount": "1", "priority": 101})),
        post(json!({"amount": "1", "id": "two words"})),
        post(json!({"amount": "1", "id": ""})),
        post(json!({"amount": "1", "id": "config-credit:acme"})),
        post(json!({"amount": "1", "reason": "a\nb"})),
        post(json!({"amount": "1", "expires_at": "2026-11-20T12:00:00Z"})),
        post(json!({"amount": "-1", "kind": "refund", "expires_at": "2027-11-20T12:00:00Z"})),
        post(json!({"amount": "1", "currency": "EUR"})),
        (
            Method::POST,
            "/admin/v1/accounts/nobody/credit",
            json!({"amount": "1"}),
        ),
        (Method::DELETE, CREDIT, json!(null)),
        transfer(json!({"from": "bob", "amount": "1"})),
        transfer(json!({"from": "bob", "to": "bob", "amount": "1"})),
        transfer(json!({"from": "bob", "to": "nobody", "amount": "1"})),
        transfer(json!({"from": "bob", "to": "acme", "amount": "-1"})),
        transfer(json!({"from": "bob", "to": "acme", "amount": "0.00"})),
        get(TRANSFER),
        get("/admin/v1/credit"),
        get("/admin/v1/accounts/nobody/credit"),
        get("/admin/v1/accounts/bob/credit?limit=1"),
        get("/admin/v1/ledger?kind=gift"),
        get("/admin/v1/ledger?cursor=x"),
        get("/admin/v1/ledger?limit=0"),
        (Method::POST, "/admin/v1/ledger", json!({})),
    ];
    insta::assert_snapshot!("credit_mistakes", rejections(&registry, &cases).await);
    assert!(
        registry.asked.lock().unwrap().is_empty(),
        "nothing was asked of the store"
    );
}

#[tokio::test]
async fn a_store_that_does_not_write_is_said() {
    let mut registry = registry();
    registry.broken = true;
    let (status, answer) = ask(&registry, Method::POST, CREDIT, json!({"amount": "1"})).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer["code"], "store_unavailable");
}

#[tokio::test]
async fn an_amount_that_is_too_large_is_called_so() {
    let registry = registry();
    // Written into the body as they are; beyond 2^64 the reader of JSON has no whole numbers.
    for amount in [
        "9223372037",
        "9223372036854775808",
        "18446744073709551615",
        "99999999999999999999999",
        "-99999999999999999999999",
        "1e30",
        "\"99999999999999999999\"",
        "\"9223372036.854775808\"",
    ] {
        let body = format!("{{\"amount\": {amount}, \"kind\": \"adjustment\"}}");
        let answer = admin(&registry)
            .handle(request(Method::POST, CREDIT, &body))
            .await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{amount}");
        let text = read(answer).await;
        let words = "`amount` is too large; one entry has at most 1000000000.00 USD.";
        assert!(text.contains(words), "{amount}: {text}");
    }
    for amount in ["12.5", "1e3", "-0.5"] {
        let body = format!("{{\"amount\": {amount}}}");
        let answer = admin(&registry)
            .handle(request(Method::POST, CREDIT, &body))
            .await;
        let text = read(answer).await;
        assert!(
            text.contains("not a number with a point"),
            "{amount}: {text}"
        );
    }
}

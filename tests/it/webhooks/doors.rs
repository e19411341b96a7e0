use serde_json::json;

use super::{
    NOW, SECRET, STANDARD_SECRET, STRIPE, balance, bought, hex, hmac, posted, shared_config,
    signed, standard, taken,
};
use crate::{
    fixture::{file, provider, refused, shown},
    harness::{Gateway, raw_until_close},
};

#[tokio::test]
async fn an_endpoint_without_a_usable_secret_does_not_exist() {
    let upstream = provider().await;
    let rest = "payment: {webhooks: {stripe: {secrets: ['']}, paddle: {secrets: ['   ']}, standard: {secrets: []},
        lemonsqueezy: {secrets: [fifteen-bytes-!]}}}\n";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    // What an empty key would have signed is nobody's.
    let body = bought("evt_1").to_string();
    let empty = signed("", NOW, &body);
    for vendor in [
        "stripe",
        "paddle",
        "lemonsqueezy",
        "standard",
        "paypal",
        "",
        "stripe/x",
    ] {
        for method in ["POST", "GET"] {
            let path = format!("/faregate/webhooks/{vendor}");
            let call = gateway
                .call(method, &path)
                .header("stripe-signature", &empty);
            let answer = call.json(&body).send().await;
            refused(&answer, 404, "route_not_found");
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn only_a_signature_over_these_bytes_opens() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    let body = bought("evt_1").to_string();
    let good = signed(SECRET, NOW, &body);
    let (time, signature) = good.split_once(",v1=").unwrap();
    let cases = [
        (None, body.clone()),
        (Some(format!("{time},v1={}", "0".repeat(64))), body.clone()),
        (Some(format!("{time},v0={signature}")), body.clone()),
        (
            Some(format!("{time},v1={}", &signature[..63])),
            body.clone(),
        ),
        (Some(format!("v1={signature}")), body.clone()),
        (
            Some(signed("another-secret-altogether", NOW, &body)),
            body.clone(),
        ),
        (Some(signed(SECRET, NOW - 301, &body)), body.clone()),
        (Some(signed(SECRET, NOW + 301, &body)), body.clone()),
        (Some(good.clone()), body.replacen(':', ": ", 1)),
    ];
    for (header, body) in cases {
        let mut call = gateway.call("POST", STRIPE);
        if let Some(header) = &header {
            call = call.header("stripe-signature", header);
        }
        let answer = call.json(&body).send().await;
        refused(&answer, 400, "invalid_signature");
        assert_eq!(answer.header("x-should-retry"), Some("false"));
    }
    let bare = gateway.call("POST", STRIPE).json("{}").send().await;
    let told = shown(&bare).replace(bare.header("x-request-id").unwrap(), "<id>");
    let told = told.replace(&gateway.address.to_string(), "<address>");
    insta::assert_snapshot!("invalid_signature", told);
    assert_eq!(balance(&gateway, "b").await, "0.00");
    // One good signature among others, and none of the keys of callers.
    let many = format!("{time},v1={},v1={signature},v0=x", "1".repeat(64));
    let call = gateway
        .call("POST", STRIPE)
        .header("stripe-signature", &many);
    assert_eq!(taken(&call.json(&body).send().await), "applied");
    assert_eq!(balance(&gateway, "b").await, "25.00");
    for edge in [-300, 300] {
        let header = signed(SECRET, NOW + edge, &body);
        let call = gateway
            .call("POST", STRIPE)
            .header("stripe-signature", &header);
        assert_eq!(taken(&call.json(&body).send().await), "duplicate");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_old_and_a_new_secret_both_sign_until_the_old_one_goes() {
    let upstream = provider().await;
    let both = shared_config(&upstream, "")
        .replace(SECRET, &format!("the-next-secret-of-stripe, {SECRET}"));
    let mut gateway = Gateway::start(&both).await;
    let body = bought("evt_1").to_string();
    let ask = |gateway: &Gateway, secret: &str| {
        let header = signed(secret, NOW, &body);
        let call = gateway
            .call("POST", STRIPE)
            .header("stripe-signature", &header);
        call.json(&body).send()
    };
    assert_eq!(taken(&ask(&gateway, SECRET).await), "applied");
    assert_eq!(
        taken(&ask(&gateway, "the-next-secret-of-stripe").await),
        "duplicate"
    );
    gateway
        .reload(&shared_config(&upstream, "").replace(SECRET, "the-next-secret-of-stripe"))
        .await;
    refused(&ask(&gateway, SECRET).await, 400, "invalid_signature");
    assert_eq!(
        taken(&ask(&gateway, "the-next-secret-of-stripe").await),
        "duplicate"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn methods_sizes_and_codings_are_bounded() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    for method in ["GET", "PUT", "DELETE"] {
        let answer = gateway.call(method, STRIPE).send().await;
        refused(&answer, 405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    let large = vec![b' '; (1 << 20) + 1];
    let answer = gateway.call("POST", STRIPE).body(large).send().await;
    refused(&answer, 413, "body_too_large");
    let zipped = gateway
        .call("POST", STRIPE)
        .header("content-encoding", "gzip");
    refused(
        &zipped.json("{}").send().await,
        415,
        "unsupported_content_encoding",
    );
    // A body of a megabyte that comes in pieces is read; its signature is not good.
    let chunk = "x".repeat(1 << 10);
    let mut raw = format!(
        "POST {STRIPE} HTTP/1.1\r\nhost: x\r\nstripe-signature: {}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        signed(SECRET, NOW, "{}")
    );
    for _ in 0..1024 {
        raw += &format!("400\r\n{chunk}\r\n");
    }
    let answer = raw_until_close(gateway.address, format!("{raw}0\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("invalid_signature"), "{answer}");
    let answer = raw_until_close(
        gateway.address,
        format!("{raw}1\r\nx\r\n0\r\n\r\n").as_bytes(),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let body = bought("evt_1").to_string();
    let head = format!(
        "POST {STRIPE} HTTP/1.1\r\nhost: x\r\nstripe-signature: {}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        signed(SECRET, NOW, &body)
    );
    let (front, back) = body.split_at(100);
    let chunks = format!(
        "{:x}\r\n{front}\r\n{:x}\r\n{back}\r\n0\r\n\r\n",
        100,
        back.len()
    );
    let answer = raw_until_close(gateway.address, format!("{head}{chunks}").as_bytes()).await;
    assert!(
        answer.contains(r#"{"received":true,"status":"applied"}"#),
        "{answer}"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_signed_and_no_event_is_told_or_kept() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    // Without an id there is nothing to keep it by.
    for body in [json!([1]), json!({"type": "invoice.paid"})] {
        refused(&posted(&gateway, &body).send().await, 400, "invalid_json");
    }
    let odd = json!({"id": "evt_9", "type": "customer.subscription.updated", "created": NOW});
    assert_eq!(taken(&posted(&gateway, &odd).send().await), "failed");
    let (status, words) = super::told(&gateway, "stripe:evt_9").await;
    assert_eq!(status, "failed");
    assert!(words.contains("data.object.id is missing"), "{words}");
    gateway.stop().await;
}

#[tokio::test]
async fn each_vendor_has_its_own_signature_and_words() {
    let upstream = provider().await;
    let rest = "plans: {free: {}, pro: {}}
accounts: [{id: a, plan: free, customers: {paddle: ctm_1, lemonsqueezy: '9'}}, {id: b, plan: free}]
payment:
  webhooks:
    paddle: {secrets: [a-secret-of-paddle-itself], prices: {pri_1: pro}}
    lemonsqueezy: {secrets: [a-secret-of-lemon-squeezy], variants: {'77': pro}}
    standard: {secrets: [";
    let gateway = Gateway::start(&file(&upstream, &format!("{rest}{STANDARD_SECRET}]}}\n"))).await;
    let time = NOW.to_string();
    let body = json!({
        "event_id": "evt_1", "event_type": "subscription.activated", "occurred_at": "2026-11-20T11:00:00Z",
        "data": {"id": "sub_1", "status": "trialing", "customer_id": "ctm_1", "items": [{"price": {"id": "pri_1"}}]},
    })
    .to_string();
    let mac = hex(&hmac(
        b"a-secret-of-paddle-itself",
        &[time.as_bytes(), b":", body.as_bytes()],
    ));
    let call = gateway.call("POST", "/faregate/webhooks/paddle");
    let call = call.header("paddle-signature", &format!("ts={time};h1={mac}"));
    assert_eq!(taken(&call.json(&body).send().await), "applied");
    let paid = super::account(&gateway, "a").await;
    assert_eq!(
        (&paid["plan"], &paid["subscription"]["status"]),
        (&json!("pro"), &json!("trialing"))
    );

    let body = json!({
        "meta": {"event_name": "subscription_updated"},
        "data": {"type": "subscriptions", "id": "1", "attributes": {
            "customer_id": 9, "variant_id": 77, "status": "active", "updated_at": "2026-11-20T11:30:00.000000Z"}},
    })
    .to_string();
    let mac = hex(&hmac(b"a-secret-of-lemon-squeezy", &[body.as_bytes()]));
    let ask = |mac: &str| {
        let call = gateway.call("POST", "/faregate/webhooks/lemonsqueezy");
        call.header("x-signature", mac).json(&body).send()
    };
    refused(&ask(&"0".repeat(64)).await, 400, "invalid_signature");
    assert_eq!(taken(&ask(&mac).await), "applied");
    assert_eq!(taken(&ask(&mac).await), "duplicate");
    // Two subscriptions: the better holds.
    assert_eq!(
        super::account(&gateway, "a").await["subscription"]["status"],
        "active"
    );

    let granted =
        json!({"account": "b", "amount": "12.50", "currency": "USD", "reason": "welcome"});
    let ask = |id: &str| standard(&gateway, id, "credit.granted", &granted).send();
    assert_eq!(taken(&ask("msg_1").await), "applied");
    assert_eq!(taken(&ask("msg_1").await), "duplicate");
    assert_eq!(taken(&ask("msg_2").await), "applied");
    assert_eq!(balance(&gateway, "b").await, "25.00");
    gateway.stop().await;
}

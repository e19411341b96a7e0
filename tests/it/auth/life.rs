//! Keys that are made, exchanged and revoked while they are used.

use std::time::Duration;

use serde_json::json;

use crate::{
    fixture::{CHAT, planned, provider, refused, served},
    harness::{Call, Gateway, within},
};

#[tokio::test]
async fn both_secrets_work_until_the_overlap_ends() {
    let upstream = provider().await;
    let plan =
        "{quotas: [{requests: 100, per: day}], per_key: {quotas: [{requests: 50, per: day}]}}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    let made = gateway
        .admin("POST", "/admin/v1/keys")
        .json(r#"{"account":"a","id":"ci"}"#)
        .send()
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let old = made.value()["key"].as_str().unwrap().to_owned();
    served(&gateway.chat(&old, CHAT).send().await);
    let rotated = gateway
        .admin("POST", "/admin/v1/keys/ci/rotate")
        .json(r#"{"overlap_seconds":3600}"#)
        .send()
        .await;
    served(&rotated);
    let rotated = rotated.value();
    assert_eq!(rotated["previous_secret_until"], "2026-11-20T13:00:00Z");
    let new = rotated["key"].as_str().unwrap().to_owned();
    assert_ne!(old, new);
    served(&gateway.chat(&old, CHAT).send().await);
    served(&gateway.chat(&new, CHAT).send().await);
    // The key's id and counters are the same.
    let limits = gateway.limits(&new).await;
    assert_eq!(
        (&limits["key"], &limits["limits"][0]["used"]),
        (&json!("ci"), &json!(3))
    );
    gateway.pass(Duration::from_millis(3_599_999));
    served(&gateway.chat(&old, CHAT).send().await);
    gateway.pass(Duration::from_millis(1));
    refused(
        &gateway.chat(&old, CHAT).send().await,
        401,
        "invalid_api_key",
    );
    served(&gateway.chat(&new, CHAT).send().await);
    // No overlap at all.
    let rotated = gateway
        .admin("POST", "/admin/v1/keys/ci/rotate")
        .json(r#"{"overlap_seconds":0}"#)
        .send()
        .await;
    refused(
        &gateway.chat(&new, CHAT).send().await,
        401,
        "invalid_api_key",
    );
    served(
        &gateway
            .chat(rotated.value()["key"].as_str().unwrap(), CHAT)
            .send()
            .await,
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_key_works_on_the_next_request_and_not_after_its_revocation() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{}")).await;
    for _ in 0..20 {
        let made = gateway
            .admin("POST", "/admin/v1/keys")
            .json(r#"{"account":"a"}"#)
            .send()
            .await
            .value();
        let secret = made["key"].as_str().unwrap();
        served(&gateway.chat(secret, CHAT).send().await);
        let path = format!("/admin/v1/keys/{}", made["id"].as_str().unwrap());
        served(&gateway.admin("DELETE", &path).send().await);
        refused(
            &gateway.chat(secret, CHAT).send().await,
            401,
            "invalid_api_key",
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_revocation_in_a_burst_refuses_whatever_comes_after_it() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{}")).await;
    let secret = gateway.make_key(r#"{"account":"a","id":"made"}"#).await;
    let burst = (0..8).map(|_| {
        let (address, secret) = (gateway.address, secret.clone());
        tokio::spawn(async move {
            let mut served = 0;
            loop {
                let call = Call::new(address, "POST", "/v1/chat/completions");
                match call.bearer(&secret).json(CHAT).send().await.status.as_u16() {
                    200 => served += 1,
                    401 => return served,
                    other => panic!("{other}"),
                }
            }
        })
    });
    let burst: Vec<_> = burst.collect();
    for _ in 0..20 {
        upstream.arrival().await;
    }
    served(&gateway.admin("DELETE", "/admin/v1/keys/made").send().await);
    let before = upstream.seen().len();
    refused(
        &gateway.chat(&secret, CHAT).send().await,
        401,
        "invalid_api_key",
    );
    let mut served = 0;
    for task in burst {
        served += within("the burst ended", task).await.unwrap();
    }
    assert_eq!(served, upstream.seen().len());
    // At most one call of each was past the check when the revocation was answered.
    assert!(served - before <= 8, "{served} {before}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_revocation_whose_client_leaves_is_finished() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{}")).await;
    for _ in 0..10 {
        let made = gateway
            .admin("POST", "/admin/v1/keys")
            .json(r#"{"account":"a"}"#)
            .send()
            .await
            .value();
        let secret = made["key"].as_str().unwrap();
        let request = format!(
            "DELETE /admin/v1/keys/{} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
            made["id"].as_str().unwrap(),
            crate::harness::TOKEN,
        );
        drop(crate::harness::raw(gateway.admin, request.as_bytes()).await);
        within("the key is revoked", async {
            while gateway.chat(secret, CHAT).send().await.status != 401 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    gateway.stop().await;
}

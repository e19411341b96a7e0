//! Credit that is lost when its time has come.

use std::time::Duration;

use faregate::domain::Clock;
use serde_json::{Value, json};

use super::{credit, priced};
use crate::{fixture::provider, harness::Gateway};

/// Its entry comes within about a second; a busy machine may take longer.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn expired_credit_gets_its_entry_soon_and_is_in_no_balance() {
    let upstream = provider().await;
    let gateway = Gateway::start(&priced(&upstream, "credit: required", "credit: 0.15")).await;
    let add = |body: Value| {
        let call = gateway.admin("POST", "/admin/v1/accounts/a/credit");
        call.json(&body.to_string()).send()
    };
    let short = add(json!({"amount": "1.00", "expires_at": "2026-11-20T12:00:05Z"})).await;
    assert_eq!(short.value()["balance"], "1.15");
    gateway.pass(Duration::from_secs(5));
    let more = add(json!({"amount": "0.25"})).await;
    assert_eq!(more.value()["balance"], "0.40");
    assert_eq!(credit(&gateway).await, (400_000_000, 0));

    // Nobody looks at the account, and the entry comes all the same.
    let short = add(json!({"amount": "1.00", "expires_at": "2026-11-20T12:00:10Z"})).await;
    assert_eq!(short.value()["balance"], "1.40");
    gateway.pass(Duration::from_secs(5));
    let expiries = tokio::time::timeout(SOON, async {
        loop {
            let page = gateway.admin("GET", "/admin/v1/ledger?account=a&kind=expiry");
            let page = page.send().await.value();
            let entries = page["data"].as_array().unwrap().clone();
            if entries.len() == 2 {
                return entries;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the expiry was recorded");
    let amounts: Vec<&Value> = expiries.iter().map(|entry| &entry["amount"]).collect();
    assert_eq!(amounts, ["-1.00", "-1.00"]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_start_under_a_wrong_clock_loses_no_credit() {
    let upstream = provider().await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("faregate.db").display().to_string();
    let yaml = priced(&upstream, "credit: required", "credit: 0.15")
        + &format!("store: {{url: \"sqlite:{store}\"}}\n");
    let start = async |at: &str| Gateway::start_at(&yaml, Clock::manual(at.parse().unwrap())).await;
    let balance = async |gateway: &Gateway| {
        let sheet = gateway
            .admin("GET", "/admin/v1/accounts/a/credit")
            .send()
            .await;
        sheet.value()["balance"].as_str().unwrap().to_owned()
    };
    let gateway = start("2026-11-20T12:00:00Z").await;
    let body = r#"{"amount": "1.00", "expires_at": "2026-12-20T00:00:00Z"}"#;
    let add = gateway
        .admin("POST", "/admin/v1/accounts/a/credit")
        .json(body);
    assert_eq!(add.send().await.value()["balance"], "1.15");
    gateway.stop().await;

    // Eight years ahead, for less than an hour.
    let gateway = start("2034-11-20T12:00:00Z").await;
    assert_eq!(balance(&gateway).await, "0.15");
    gateway.pass(Duration::from_secs(3500));
    assert_eq!(balance(&gateway).await, "0.15");
    gateway.stop().await;
    let gateway = start("2026-11-20T13:00:00Z").await;
    assert_eq!(balance(&gateway).await, "1.15");
    gateway.stop().await;

    // A machine that was off for weeks is believed after that hour.
    let gateway = start("2027-01-10T12:00:00Z").await;
    assert_eq!(balance(&gateway).await, "0.15");
    gateway.pass(Duration::from_secs(3601));
    assert_eq!(balance(&gateway).await, "0.15");
    let page = gateway.admin("GET", "/admin/v1/ledger?account=a&kind=expiry");
    let page = page.send().await.value();
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    gateway.stop().await;
}

//! Credit that is lost when its time has come.

use std::time::Duration;

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

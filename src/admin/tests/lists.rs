//! Lists: pages, filters, calls, usage.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{ask, get, registry, rejections};

fn ids(list: &Value) -> Vec<&str> {
    let data = list["data"].as_array().unwrap();
    data.iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn lists_come_in_pages_in_the_order_of_ids() {
    let registry = registry();
    for index in 0..5 {
        let body = json!({"id": format!("team-{index}"), "plan": "free"});
        ask(&registry, Method::POST, "/admin/v1/accounts", body).await;
    }
    let (_, first) = get(&registry, "/admin/v1/accounts?limit=3").await;
    assert_eq!(ids(&first), ["acme", "bob", "team-0"]);
    assert_eq!(first["next_cursor"], "team-0");
    let (_, second) = get(&registry, "/admin/v1/accounts?limit=4&cursor=team-0").await;
    assert_eq!(ids(&second), ["team-1", "team-2", "team-3", "team-4"]);
    assert_eq!(second["next_cursor"], json!(null), "the last page was full");
    let (_, plans) = get(&registry, "/admin/v1/plans").await;
    insta::assert_snapshot!("plans", format!("{plans:#}"));
}

#[tokio::test]
async fn keys_can_be_asked_for_by_account() {
    let registry = registry();
    let body = json!({"id": "k", "account": "bob"});
    ask(&registry, Method::POST, "/admin/v1/keys", body).await;
    let (_, all) = get(&registry, "/admin/v1/keys").await;
    assert_eq!(ids(&all), ["acme-ci", "k"]);
    let (_, bobs) = get(&registry, "/admin/v1/keys?account=bob").await;
    assert_eq!(ids(&bobs), ["k"]);
    assert!(!all.to_string().contains("sha256"), "no digest is shown");
}

#[tokio::test]
async fn calls_and_usage_ask_the_store_for_what_was_asked() {
    let registry = registry();
    let query =
        "account=acme&key=acme-ci&outcome=client_closed&since=2026-11-01T00%3A00%3A00Z&limit=5";
    let (status, calls) = get(&registry, &format!("/admin/v1/calls?{query}")).await;
    assert_eq!(
        (status, calls),
        (StatusCode::OK, json!({"data": [], "next_cursor": null}))
    );
    let (_, usage) = get(
        &registry,
        "/admin/v1/usage?by=model&until=2026-12-01T00:00:00Z",
    )
    .await;
    assert_eq!(usage["data"][0]["calls"], 2);
    assert_eq!(usage["data"][0]["tokens"]["input"], 10);
    get(&registry, "/admin/v1/usage").await;
    insta::assert_snapshot!("asked", registry.asked.lock().unwrap().join("\n"));
}

#[tokio::test]
async fn mistakes_are_named() {
    let registry = registry();
    let get = |path| (Method::GET, path, json!(null));
    let cases = [
        get("/admin/v1/accounts?limit=0"),
        get("/admin/v1/accounts?limit=1001"),
        get("/admin/v1/accounts?plan=free"),
        get("/admin/v1/accounts?limit=1&limit=2"),
        get("/admin/v1/accounts?cursor=%ff"),
        get("/admin/v1/keys?account=nobody"),
        get("/admin/v1/keys/nobody"),
        get("/admin/v1/plans?x=1"),
        get("/admin/v1/usage?by=hour"),
        get("/admin/v1/calls?outcome=good"),
        get("/admin/v1/calls?since=yesterday"),
        get("/admin/v1/calls?cursor=7"),
        get("/admin/v1/calls/1"),
        get("/admin/v1/accounts/a/b/c"),
        get("/admin/v2/accounts"),
        (Method::POST, "/admin/v1/plans", json!({})),
    ];
    insta::assert_snapshot!("list_mistakes", rejections(&registry, &cases).await);
}

#[tokio::test]
async fn a_list_that_ends_before_it_begins_is_a_mistake() {
    let registry = registry();
    let (early, late) = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z");
    for list in ["calls", "usage", "ledger"] {
        let path = format!("/admin/v1/{list}?since={late}&until={early}");
        let (status, answer) = get(&registry, &path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{list}: {answer}");
        let words = "`since` (2026-11-02T00:00:00Z) is after `until` (2026-11-01T00:00:00Z)";
        assert!(
            answer["detail"].as_str().unwrap().contains(words),
            "{answer}"
        );
        let path = format!("/admin/v1/{list}?since={early}&until={late}");
        assert_eq!(get(&registry, &path).await.0, StatusCode::OK, "{list}");
    }
}

#[tokio::test]
async fn a_day_is_its_midnight_in_utc() {
    let registry = registry();
    let path = "/admin/v1/accounts/acme/subscription";
    let days = json!({"status": "active", "current_period_start": "2026-11-20", "current_period_end": "2026-12-20"});
    let (_, created) = ask(
        &registry,
        Method::POST,
        "/admin/v1/accounts",
        json!({"id": "days", "plan": "free"}),
    )
    .await;
    assert_eq!(created["id"], "days", "{created}");
    let (status, set) = ask(&registry, Method::PUT, &path.replace("acme", "days"), days).await;
    assert_eq!(status, StatusCode::OK, "{set}");
    assert_eq!(
        set["subscription"]["current_period_start"], "2026-11-20T00:00:00Z",
        "{set}"
    );
    for list in ["calls", "usage", "ledger"] {
        let path = format!("/admin/v1/{list}?since=2026-12-02&until=2026-12-01");
        let (status, refused) = ask(&registry, Method::GET, &path, Value::Null).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let detail = refused["detail"].as_str().unwrap();
        let words = "`since` (2026-12-02T00:00:00Z) is after `until` (2026-12-01T00:00:00Z)";
        assert!(detail.contains(words), "{detail}");
    }
}

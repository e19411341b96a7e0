use serde_json::Value;

use crate::{
    fixture::{KEY, file, provider, refused, served, shown},
    harness::{Answer, Gateway},
};

const NARROW: &str = "a-key-that-may-use-two-models";

async fn gateway() -> Gateway {
    let upstream = provider().await;
    let rest = "\
plans: {p: {models: [m, c, big]}}
accounts:
  - id: a
    plan: p
    models: [c, m]
    keys: [{id: k, key: the-key-of-account-a-0001}, {id: narrow, key: a-key-that-may-use-two-models, models: [big, m]}]
";
    Gateway::start(&file(&upstream, rest)).await
}

async fn get(gateway: &Gateway, path: &str, key: &str, anthropic: bool) -> Answer {
    let call = gateway.call("GET", path).bearer(key);
    let call = if anthropic {
        call.header("anthropic-version", "2023-06-01")
    } else {
        call
    };
    call.send().await
}

fn ids(answer: &Answer) -> Vec<String> {
    let list = answer.value();
    let ids = list["data"].as_array().unwrap().iter();
    ids.map(|model| model["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_list_is_in_the_shape_that_the_client_reads() {
    let gateway = gateway().await;
    let openai = get(&gateway, "/v1/models", KEY, false).await;
    served(&openai);
    assert_eq!(openai.header("content-type"), Some("application/json"));
    insta::assert_snapshot!("openai", shown(&openai));
    let anthropic = get(&gateway, "/v1/models", KEY, true).await;
    served(&anthropic);
    assert_eq!(
        anthropic.header("request-id"),
        anthropic.header("x-request-id")
    );
    insta::assert_snapshot!("anthropic", shown(&anthropic));
    insta::assert_snapshot!(
        "openai_one",
        shown(&get(&gateway, "/v1/models/m", KEY, false).await)
    );
    insta::assert_snapshot!(
        "anthropic_one",
        shown(&get(&gateway, "/v1/models/c", KEY, true).await)
    );
    let head = gateway.call("HEAD", "/v1/models").bearer(KEY).send().await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    gateway.stop().await;
}

#[tokio::test]
async fn a_list_has_what_the_key_may_use_and_nothing_else() {
    let gateway = gateway().await;
    // The plan's, the account's and the key's lists all bind; the order is the file's.
    assert_eq!(
        ids(&get(&gateway, "/v1/models", KEY, false).await),
        ["m", "c"]
    );
    assert_eq!(
        ids(&get(&gateway, "/v1/models", NARROW, false).await),
        ["m"]
    );
    for (path, key, status) in [
        ("/v1/models/m", NARROW, 200),
        ("/v1/models/%6d", NARROW, 200),
        ("/models/m", NARROW, 200),
        ("/v1/models/c", NARROW, 404),
        ("/v1/models/big", NARROW, 404),
        ("/v1/models/big", KEY, 404),
        ("/v1/models/nope", KEY, 404),
        ("/v1/models/real-m", KEY, 404),
        ("/v1/models/m:x", KEY, 404),
        ("/v1/models/%22", KEY, 404),
    ] {
        let answer = get(&gateway, path, key, false).await;
        assert_eq!(answer.status, status, "{path} {}", answer.text());
        if status == 404 {
            refused(&answer, 404, "model_not_found");
        }
    }
    let nobody = gateway.call("GET", "/v1/models").send().await;
    refused(&nobody, 401, "invalid_api_key");
    let anthropic = gateway
        .call("GET", "/v1/models")
        .header("anthropic-version", "2023-06-01")
        .send()
        .await;
    refused(&anthropic, 401, "invalid_api_key");
    assert_eq!(anthropic.value()["type"], Value::from("error"));
    gateway.stop().await;
}

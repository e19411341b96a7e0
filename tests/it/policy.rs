mod dialects;
mod names;
mod substitutes;

use serde_json::{Value, json};

use crate::{
    fixture::{CHAT, KEY, MESSAGE, file, planned, provider, refused, served},
    harness::{Answer, Gateway, Upstream},
};

fn chat(model: &str) -> String {
    json!({"model": model, "messages": []}).to_string()
}

/// What the message of a refusal says.
fn words(answer: &Answer) -> String {
    answer.value()["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_model_is_refused_by_whoever_leaves_it_out() {
    let upstream = provider().await;
    let rest = "\
plans:
  small: {models: [m]}
  large: {models: [m, big]}
accounts:
  - id: a
    plan: small
    keys: [{id: k, key: the-key-of-account-a-0001}, {id: narrow, key: a-key-that-may-use-big-only, models: [big]}]
  - id: b
    plan: large
    models: [m]
    keys: [{id: b, key: the-only-key-of-account-b}]
";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    served(&gateway.chat(KEY, &chat("m")).send().await);
    // Another plan has it: somebody can pay for that.
    let refusal = gateway.chat(KEY, &chat("big")).send().await;
    refused(&refusal, 402, "plan_upgrade_required");
    assert_eq!(refusal.value()["billing"]["actions"][0]["rel"], "upgrade");
    assert!(words(&refusal).contains("big"), "{}", words(&refusal));
    // No plan has it: nobody can.
    let message = gateway
        .call("POST", "/v1/messages")
        .bearer(KEY)
        .json(MESSAGE)
        .send()
        .await;
    refused(&message, 403, "permission_denied");
    assert_eq!(message.value()["error"]["type"], "permission_error");
    // The key's and the account's own lists are decisions, not prices.
    let narrow = gateway
        .chat("a-key-that-may-use-big-only", &chat("m"))
        .send()
        .await;
    refused(&narrow, 403, "permission_denied");
    assert!(words(&narrow).contains("API key"), "{}", words(&narrow));
    let narrow = gateway
        .chat("a-key-that-may-use-big-only", &chat("big"))
        .send()
        .await;
    refused(&narrow, 402, "plan_upgrade_required");
    let account = gateway
        .chat("the-only-key-of-account-b", &chat("big"))
        .send()
        .await;
    refused(&account, 403, "permission_denied");
    assert!(words(&account).contains("account"), "{}", words(&account));
    for name in ["nope", "M", "real-m", "m ", "m/../big"] {
        let answer = gateway.chat(KEY, &chat(name)).send().await;
        assert!(
            matches!(answer.status.as_u16(), 400 | 404),
            "{name}: {}",
            answer.text()
        );
    }
    refused(
        &gateway.chat(KEY, &chat("nope")).send().await,
        404,
        "model_not_found",
    );
    assert_eq!(upstream.seen().len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_must_say_what_it_asks_for() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{}")).await;
    for (body, code) in [
        ("", "invalid_json"),
        ("nonsense", "invalid_json"),
        ("[]", "invalid_json"),
        ("{}", "invalid_json"),
        (r#"{"model":7}"#, "invalid_json"),
        (r#"{"model":""}"#, "invalid_json"),
        (r#"{"model":"m","max_tokens":-1}"#, "invalid_json"),
        (r#"{"model":"m","stream":"yes"}"#, "invalid_json"),
        (r#"{"model":"m","n":0}"#, "invalid_json"),
        (r#"{"model":"m"} {}"#, "invalid_json"),
        ("\u{feff}{\"model\":\"m\"}", "invalid_json"),
        (r#"{"model":"m","model":"big"}"#, "ambiguous_json"),
        (r#"{"model":"m","Model":"big"}"#, "ambiguous_json"),
        (
            r#"{"model":"m","max_tokens":5,"max\u005ftokens":500}"#,
            "ambiguous_json",
        ),
        (
            r#"{"model":"m","stream":false,"stream":true}"#,
            "ambiguous_json",
        ),
    ] {
        let answer = gateway.chat(KEY, body).send().await;
        refused(&answer, 400, code);
        assert_eq!(answer.value()["error"]["type"], "invalid_request_error");
    }
    assert_eq!(upstream.seen().len(), 0);
    gateway.stop().await;
}

/// Routes to each provider as is, beside the one by model.
const ROUTES: &str = "\
routes:
  - {path: /}
  - {path: /openai, provider: up, strip_prefix: true}
  - {path: /counted, provider: up, strip_prefix: true, meter: requests}
  - {path: /mine, provider: up, strip_prefix: true, accounts: [b]}
";

fn routed(upstream: &Upstream, plan: &str) -> String {
    planned(upstream, plan) + ROUTES
}

#[tokio::test]
async fn a_providers_route_takes_the_public_name_and_its_target() {
    let upstream = provider().await;
    let gateway = Gateway::start(&routed(
        &upstream,
        "{models: [m], quotas: [{tokens: 100000, per: day}]}",
    ))
    .await;
    let post = |path: &str, model: &str| {
        gateway
            .call("POST", path)
            .bearer(KEY)
            .json(&chat(model))
            .send()
    };
    for model in ["m", "real-m"] {
        served(&post("/openai/v1/chat/completions", model).await);
        let sent = upstream.seen().pop().unwrap();
        assert_eq!(
            (sent.target.as_str(), &sent.json()["model"]),
            ("/v1/chat/completions", &json!("real-m"))
        );
        assert_eq!(sent.json()["max_completion_tokens"], 500);
    }
    let calls = gateway.calls(2).await;
    assert!(
        calls
            .iter()
            .all(|call| call["model"] == "m" && call["tokens"]["input"] == 9),
        "{calls:#?}"
    );
    let before = upstream.seen().len();
    // Not in the plan, by either name; not at this provider; not at all; not named.
    for (model, status, code) in [
        ("big", 403, "permission_denied"),
        ("real-big", 403, "permission_denied"),
        ("c", 404, "model_not_found"),
        ("real-c", 404, "model_not_found"),
        ("nope", 404, "model_not_found"),
    ] {
        refused(
            &post("/openai/v1/chat/completions", model).await,
            status,
            code,
        );
    }
    let none = gateway
        .call("POST", "/openai/v1/chat/completions")
        .bearer(KEY)
        .json("{}")
        .send()
        .await;
    refused(&none, 404, "model_not_found");
    // What is almost a known path is metered as one, because some provider may serve it.
    for path in [
        "/openai/V1/Chat/Completions",
        "/openai/v1/chat/completions/",
        "/openai/v1/chat/completion%73",
    ] {
        refused(&post(path, "big").await, 403, "permission_denied");
        refused(&post(path, "nope").await, 404, "model_not_found");
    }
    assert_eq!(upstream.seen().len(), before);
    gateway.stop().await;
}

#[tokio::test]
async fn a_target_is_open_to_whoever_may_use_one_of_its_names() {
    let upstream = provider().await;
    // Both names have the target of `m`, which comes first and is the dearer one.
    let rest = "\
prices: {m: {input: 10, output: 10}, also: {input: 1, output: 1}, big: {input: 1, output: 1}}
plans:
  small: {models: [also], credit: required}
  large: {models: [m, also], credit: required}
  other: {models: [big], credit: required}
accounts:
  - {id: a, plan: small, credit: 1, keys: [{id: a, key: the-key-of-account-a-0001}]}
  - id: b
    plan: large
    credit: 1
    keys: [{id: b, key: the-first-key-of-account-b}, {id: narrow, key: a-narrow-key-of-account-b, models: [also]}]
  - {id: c, plan: other, credit: 1, keys: [{id: c, key: the-only-key-of-account-c}]}
";
    let also = "  also: {provider: up, model: real-m, context_window: 100000, max_output_tokens: 500}\n  big:";
    let yaml = file(&upstream, &(rest.to_owned() + ROUTES)).replacen("  big:", also, 1);
    let gateway = Gateway::start(&yaml).await;
    let path = "/openai/v1/chat/completions";
    let ask = |key: &str, model: &str| {
        gateway
            .call("POST", path)
            .bearer(key)
            .json(&chat(model))
            .send()
    };
    for (index, (id, key, model, cost)) in [
        ("a", KEY, "also", 11_000),
        ("b", "the-first-key-of-account-b", "m", 110_000),
        ("narrow", "a-narrow-key-of-account-b", "also", 11_000),
    ]
    .into_iter()
    .enumerate()
    {
        served(&ask(key, "real-m").await);
        let calls = gateway.calls(index + 1).await;
        let call = calls.iter().find(|call| call["key"] == id).unwrap();
        assert_eq!(
            (&call["model"], &call["cost_nano_usd"]),
            (&json!(model), &json!(cost)),
            "{call}"
        );
        assert_eq!(upstream.seen().pop().unwrap().json()["model"], "real-m");
    }
    // Who may use none of them is told what would help.
    refused(
        &ask("the-only-key-of-account-c", "real-m").await,
        402,
        "plan_upgrade_required",
    );
    // A public name is that name alone.
    refused(
        &ask("a-narrow-key-of-account-b", "m").await,
        403,
        "permission_denied",
    );
    gateway.stop().await;
}

#[tokio::test]
async fn an_unmetered_door_is_closed_before_anybody_is_asked_to_pay() {
    let upstream = provider().await;
    let rest = "\
plans:
  p: {subscription: required, quotas: [{tokens: 10000, per: day}, {requests: 1, per: day}], rate_limits: {requests_per_minute: 3}}
accounts:
  - {id: a, plan: p, keys: [{id: k, key: the-key-of-account-a-0001}], subscription: {status: active}}
  - {id: b, plan: p, keys: [{id: b, key: the-only-key-of-account-b}], subscription: {status: canceled}}
  - {id: c, plan: p, keys: [{id: c, key: the-only-key-of-account-c}]}
";
    let gateway = Gateway::start(&file(&upstream, &(rest.to_owned() + ROUTES))).await;
    let get = |key: &str, path: &str| gateway.call("GET", path).bearer(key).send();
    // Paying would not open it: neither a subscription, nor more of a quota that is used, nor waiting for a minute.
    served(
        &gateway
            .chat(KEY, r#"{"model":"m","max_tokens":2,"messages":[]}"#)
            .send()
            .await,
    );
    for key in [
        KEY,
        "the-only-key-of-account-b",
        "the-only-key-of-account-c",
    ] {
        for _ in 0..4 {
            refused(
                &get(key, "/openai/v1/files").await,
                403,
                "permission_denied",
            );
        }
        let preflight = gateway.call("POST", "/v1/faregate/preflight?for=/openai/v1/files");
        let foretold = preflight.bearer(key).send().await.value();
        assert_eq!(
            foretold["refusal"]["code"], "permission_denied",
            "{foretold}"
        );
    }
    for (key, code) in [
        (KEY, "quota_exhausted"),
        ("the-only-key-of-account-b", "subscription_canceled"),
        ("the-only-key-of-account-c", "subscription_required"),
    ] {
        refused(&get(key, "/counted/v1/files").await, 402, code);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn there_is_no_unmetered_door() {
    let upstream = provider().await;
    let gateway = Gateway::start(&routed(
        &upstream,
        "{quotas: [{tokens: 100000, per: day}, {requests: 3, per: day}]}",
    ))
    .await;
    let get = |path: &str| gateway.call("GET", path).bearer(KEY).send();
    for path in [
        "/openai/v1/files",
        "/openai/v1/chat/completions",
        "/openai/anything",
        "/openai",
    ] {
        let answer = get(path).await;
        refused(&answer, 403, "permission_denied");
        assert!(
            words(&answer).contains("meter: requests"),
            "{}",
            words(&answer)
        );
    }
    assert_eq!(upstream.seen().len(), 0);
    // The route counts requests instead, and known endpoints are metered there as anywhere.
    for _ in 0..2 {
        served(&get("/counted/v1/files").await);
    }
    let call = gateway
        .call("POST", "/counted/v1/chat/completions")
        .bearer(KEY)
        .json(CHAT)
        .send()
        .await;
    served(&call);
    refused(&get("/counted/v1/files").await, 402, "quota_exhausted");
    // A list of models is the provider's own there, and free of quotas.
    let list = get("/openai/v1/models").await;
    served(&list);
    assert_eq!(list.value()["object"], "something else");
    let limits = gateway.limits(KEY).await;
    let used: Vec<&Value> = limits["limits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|limit| &limit["used"])
        .collect();
    assert_eq!(used, [&json!(11), &json!(3)]);
    gateway.stop().await;
    // Where no tokens are limited the door is open.
    let gateway = Gateway::start(&routed(&upstream, "{quotas: [{requests: 3, per: day}]}")).await;
    served(
        &gateway
            .call("GET", "/openai/v1/files")
            .bearer(KEY)
            .send()
            .await,
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_route_may_be_for_some_accounts() {
    let upstream = provider().await;
    let gateway = Gateway::start(&routed(&upstream, "{}")).await;
    let answer = gateway
        .call("POST", "/mine/v1/chat/completions")
        .bearer(KEY)
        .json(CHAT)
        .send()
        .await;
    refused(&answer, 403, "permission_denied");
    assert!(words(&answer).contains("route"), "{}", words(&answer));
    gateway.stop().await;
}

#[tokio::test]
async fn without_models_every_name_goes_to_the_dialects_provider() {
    let upstream = provider().await;
    let url = upstream.url();
    let yaml = format!(
        "providers:\n  up: {{kind: openai, base_url: \"{url}/v1\", api_key: sk-upstream}}\n\
         \x20 claude: {{kind: anthropic, base_url: \"{url}\", api_key: sk-claude}}\n\
         plans: {{p: {{}}}}\n{}\
         routes: [{{path: /}}, {{path: /openai, provider: up, strip_prefix: true}}]\n",
        crate::fixture::ACCOUNT
    );
    let gateway = Gateway::start(&yaml).await;
    served(&gateway.chat(KEY, &chat("anything")).send().await);
    assert_eq!(upstream.seen().pop().unwrap().json()["model"], "anything");
    let message = gateway
        .call("POST", "/v1/messages")
        .bearer(KEY)
        .json(&chat("anything"))
        .send()
        .await;
    served(&message);
    assert_eq!(
        upstream.seen().pop().unwrap().headers["x-api-key"],
        "sk-claude"
    );
    // The lists are the providers' own, one for each dialect.
    let list = gateway
        .call("GET", "/v1/models?limit=5")
        .bearer(KEY)
        .send()
        .await;
    served(&list);
    assert_eq!(list.value()["object"], "something else");
    let seen = upstream.seen().pop().unwrap();
    assert_eq!(
        (seen.target.as_str(), seen.headers["authorization"].as_str()),
        ("/v1/models?limit=5", "Bearer sk-upstream")
    );
    let list = gateway
        .call("GET", "/v1/models/x")
        .header("x-api-key", KEY)
        .header("anthropic-version", "2023-06-01");
    served(&list.send().await);
    let seen = upstream.seen().pop().unwrap();
    assert_eq!(
        (seen.target.as_str(), seen.headers["x-api-key"].as_str()),
        ("/v1/models/x", "sk-claude")
    );
    // The largest numbers are numbers, too.
    let much = r#"{"model":"x","messages":[],"n":18446744073709551615,"max_tokens":1e400}"#;
    let much = gateway.chat(KEY, much).send().await;
    assert_eq!(much.status, 400, "{}", much.text());
    let much = r#"{"model":"x","messages":[],"n":18446744073709551615,"max_tokens":99999999999999999999999}"#;
    served(&gateway.chat(KEY, much).send().await);
    let calls = gateway.calls(5).await;
    assert!(
        calls.iter().all(|call| call["outcome"] == "completed"),
        "{calls:#?}"
    );
    // On a provider's route a body without a model passes, because nothing is limited by it.
    served(
        &gateway
            .call("POST", "/openai/v1/chat/completions")
            .bearer(KEY)
            .json("{}")
            .send()
            .await,
    );
    refused(&gateway.chat(KEY, "{}").send().await, 400, "invalid_json");
    gateway.stop().await;
}

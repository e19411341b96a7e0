//! Credit, budgets and prices, as a call would meet them.

use serde_json::{Value, json};

use super::{
    CHAT, Gate, Gateway, KEY, MESSAGE, Upstream, chat, file, foretold, gated, met, provider,
    refused, served, within,
};
use crate::money::nanos;

/// One dollar per million tokens of either kind, so that a token is a millionth of a dollar.
fn priced(upstream: &Upstream, plan: &str, credit: &str) -> String {
    let rest = format!(
        "routes: [{{path: /}}, {{path: /raw, provider: up, strip_prefix: true, price_per_request: 0.005}}]\n\
         prices: {{m: {{input: 1, output: 1}}, c: {{input: 1, output: 2}}}}\n\
         plans: {{p: {plan}}}\n\
         accounts: [{{id: a, plan: p{credit}, keys: [{{id: k, key: {KEY}}}]}}]\n"
    );
    file(upstream, &rest)
}

#[tokio::test]
async fn what_is_foretold_of_money_is_what_a_call_meets() {
    let upstream = provider().await;
    for (plan, credit) in [
        ("{credit: required, models: [m, c]}", ", credit: 0.0104"),
        (
            "{credit: required, models: [m, c], on_low_credit: clamp}",
            ", credit: 0.0104",
        ),
        (
            "{credit: required, models: [m, c], price_factor: 1.5}",
            ", credit: 0.0002",
        ),
        ("{credit: required, models: [m, c]}", ""),
        ("{models: [m, c], budgets: [{usd: 0.0056, per: day}]}", ""),
        ("{models: [m, c], budgets: [{usd: 0.0001, per: day}]}", ""),
        (
            "{models: [m, c], budgets: [{usd: 0, per: hour, status: 429}]}",
            "",
        ),
        (
            "{models: [m, c], budgets: [{usd: 0.0001, per: hour, mode: shadow}]}",
            "",
        ),
        (
            "{models: [m, c], redact: amounts, budgets: [{usd: 0.0001, per: day}]}",
            "",
        ),
    ] {
        let gateway = Gateway::start(&priced(&upstream, plan, credit)).await;
        for (path, body) in [
            ("/v1/chat/completions", CHAT),
            ("/v1/messages", MESSAGE),
            ("/v1/chat/completions", &chat(500)),
            ("/raw/v1/chat/completions", CHAT),
            ("/raw/v1/anything", "{}"),
            (
                "/v1/chat/completions",
                r#"{"model":"m","messages":[],"service_tier":"priority"}"#,
            ),
            ("/raw/v1/anything", "{}"),
            ("/v1/chat/completions", CHAT),
        ] {
            met(&gateway, &upstream, KEY, path, body).await;
            gateway.nothing_held(KEY).await;
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn the_cost_is_the_hold_that_a_call_takes() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let plan = "{credit: required, models: [m, c], price_factor: 1.2}";
    let gateway = Gateway::start(&priced(&upstream, plan, ", credit: 1")).await;
    for path in ["/v1/chat/completions", "/raw/v1/chat/completions"] {
        let told = foretold(&gateway, KEY, path, &chat(500)).await;
        let before = gateway.limits(KEY).await;
        let call = gateway.call("POST", path).bearer(KEY).json(&chat(500));
        let call = tokio::spawn(call.send());
        upstream.arrival().await;
        let credit = &gateway.limits(KEY).await["credit"];
        let available = |credit: &Value| nanos(&credit["available"]);
        let taken = available(&before["credit"]) - available(credit);
        assert_eq!(nanos(&told["hold"]["cost"]), taken);
        assert_eq!(told["hold"]["currency"], "USD");
        gate.open();
        served(&within("the answer", call).await.unwrap());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_retry_with_what_is_affordable_is_foretold_to_pass() {
    let upstream = provider().await;
    let plan = "{credit: required, models: [m, c]}";
    let gateway = Gateway::start(&priced(&upstream, plan, ", credit: 0.0003")).await;
    let path = "/v1/chat/completions";
    let told = foretold(&gateway, KEY, path, &chat(500)).await;
    let refusal = &told["refusal"];
    assert_eq!(
        (&refusal["status"], &refusal["code"]),
        (&json!(402), &json!("insufficient_credit_for_request"))
    );
    assert_eq!(
        told["binds"],
        json!({"kind": "credit", "scope": "account", "unit": "usd", "per": null, "limit": "0.0003", "used": "0.00",
            "held": "0.00", "remaining": "0.0003", "currency": "USD", "resets_at": null})
    );
    let most = refusal["max_affordable_tokens"].as_u64().unwrap();
    let told = foretold(&gateway, KEY, path, &chat(most + 1)).await;
    assert_eq!(told["admitted"], false);
    let told = foretold(&gateway, KEY, path, &chat(most)).await;
    assert_eq!(told["admitted"], true);
    served(&gateway.chat(KEY, &chat(most)).send().await);
    gateway.stop().await;
}

#[tokio::test]
async fn a_clamped_limit_is_foretold() {
    let upstream = provider().await;
    let plan = "{credit: required, models: [m, c], on_low_credit: clamp}";
    let gateway = Gateway::start(&priced(&upstream, plan, ", credit: 0.0003")).await;
    let told = foretold(&gateway, KEY, "/v1/chat/completions", &chat(500)).await;
    let limit = told["output_limit"].as_u64().unwrap();
    assert!((100..300).contains(&limit), "{told}");
    assert_eq!(told["hold"]["cost"], "0.0003");
    let answer = gateway.chat(KEY, &chat(500)).send().await;
    served(&answer);
    assert_eq!(
        answer.header("faregate-max-output-tokens"),
        Some(limit.to_string().as_str())
    );
    gateway.stop().await;
}

#[tokio::test]
async fn credit_that_calls_in_flight_hold_is_told_apart() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let plan = "{credit: required, models: [m, c]}";
    let gateway = Gateway::start(&priced(&upstream, plan, ", credit: 0.0008")).await;
    let first = tokio::spawn(gateway.chat(KEY, &chat(500)).send());
    upstream.arrival().await;
    let told = foretold(&gateway, KEY, "/v1/chat/completions", &chat(500)).await;
    assert_eq!(told["refusal"]["code"], "credit_on_hold");
    refused(
        &gateway.chat(KEY, &chat(500)).send().await,
        429,
        "credit_on_hold",
    );
    gate.open();
    served(&within("the answer", first).await.unwrap());
    gateway.stop().await;
}

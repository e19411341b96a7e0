//! What a price does not name is never free by accident.

use serde_json::{Value, json};

use super::priced;
use crate::{
    fixture::{KEY, provider, refused, served},
    harness::{Answer, Gateway, raw_until_close},
};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";

/// Everything that has a price of its own, as a body asks for it.
fn asked() -> Vec<(&'static str, Value)> {
    let tool = |kind: &str| json!({"tools": [{"type": kind, "name": "t"}]});
    let part = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    vec![
        (CHAT, json!({"service_tier": "flex"})),
        (CHAT, json!({"service_tier": "PRIORITY"})),
        (CHAT, json!({"Service_Tier": "flex"})),
        (CHAT, json!({"service_tier": "something-new"})),
        (CHAT, json!({"service_tier": 5})),
        (CHAT, json!({"service_tier": ["auto"]})),
        (CHAT, json!({"modalities": ["text", "audio"]})),
        (CHAT, json!({"modalities": ["image"]})),
        (CHAT, json!({"modalities": ["video"]})),
        (CHAT, json!({"audio": {"voice": "ash", "format": "wav"}})),
        (
            CHAT,
            part(json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}})),
        ),
        (CHAT, json!({"web_search_options": {}})),
        (CHAT, json!({"plugins": [{"id": "web"}]})),
        (CHAT, json!({"enable_search": true})),
        (CHAT, tool("browser_search")),
        (RESPONSES, json!({"service_tier": "flex"})),
        (RESPONSES, json!({"background": true})),
        (RESPONSES, tool("web_search_preview")),
        (RESPONSES, tool("file_search")),
        (RESPONSES, tool("code_interpreter")),
        (RESPONSES, tool("image_generation")),
        (RESPONSES, tool("mcp")),
        (RESPONSES, tool("something_new")),
        (
            RESPONSES,
            json!({"input": [{"type": "additional_tools", "role": "developer", "tools": [{"type": "web_search"}]}]}),
        ),
        (
            RESPONSES,
            json!({"input": [{"type": "tool_search_output", "tools": [{"type": "image_generation"}]}]}),
        ),
        (
            MESSAGES,
            json!({"messages": [{"role": "system", "content": [{"type": "tool_addition", "tool":
                {"type": "tool_definition", "definition": {"type": "web_search_20250305", "name": "w"}}}]}]}),
        ),
        (MESSAGES, json!({"service_tier": "priority"})),
        (MESSAGES, json!({"speed": "fast"})),
        (MESSAGES, json!({"inference_geo": "us"})),
        (
            MESSAGES,
            json!({"mcp_servers": [{"type": "url", "url": "https://example.com", "name": "x"}]}),
        ),
        (MESSAGES, tool("web_search_20250305")),
        (MESSAGES, tool("web_fetch_20250910")),
        (MESSAGES, tool("code_execution_20250825")),
        (
            MESSAGES,
            part(
                json!({"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}),
            ),
        ),
        (
            MESSAGES,
            json!({"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}),
        ),
        (
            MESSAGES,
            json!({"tools": [{"name": "f", "input_schema": {}, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}),
        ),
    ]
}

/// What costs no more than text, however it is said.
fn usual() -> Vec<(&'static str, Value)> {
    vec![
        (CHAT, json!({"service_tier": "auto"})),
        (CHAT, json!({"service_tier": "default"})),
        (CHAT, json!({"service_tier": null, "modalities": ["text"]})),
        (CHAT, json!({"enable_search": false})),
        (
            CHAT,
            json!({"tools": [{"type": "function", "function": {"name": "f"}}]}),
        ),
        (RESPONSES, json!({"tools": [{"type": "computer"}]})),
        (
            MESSAGES,
            json!({"tools": [{"type": "browser_toolset_20260801"}, {"type": "computer_toolset_20260801"}]}),
        ),
        (RESPONSES, json!({"background": false})),
        (MESSAGES, json!({"service_tier": "standard_only"})),
        (
            MESSAGES,
            json!({"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}),
        ),
    ]
}

async fn post(gateway: &Gateway, path: &str, more: &Value) -> Answer {
    let model = if path == MESSAGES { "c" } else { "m" };
    let mut body = json!({"model": model, "max_tokens": 5, "max_output_tokens": 5, "messages": [], "input": "x"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let call = gateway.call("POST", path).bearer(KEY);
    call.json(&body.to_string()).send().await
}

#[tokio::test]
async fn what_a_price_does_not_name_is_refused_before_it_is_sent() {
    let upstream = provider().await;
    for (plan, account) in [
        ("credit: required", "credit: 100"),
        ("budgets: [{usd: 100, per: day}]", ""),
        ("", "budgets: [{usd: 100, per: day}]"),
        (
            "per_key: {budgets: [{usd: 100, per: day, mode: shadow}]}",
            "",
        ),
    ] {
        // A price for keeping five minutes says nothing of an hour.
        let yaml = priced(&upstream, plan, account).replace(
            "{input: 3, output: 15}",
            "{input: 3, cache_write: 4, output: 15}",
        );
        let gateway = Gateway::start(&yaml).await;
        let before = upstream.seen().len();
        for (path, more) in asked() {
            let answer = post(&gateway, path, &more).await;
            refused(&answer, 400, "model_not_priced");
            assert_eq!(answer.header("x-should-retry"), Some("false"), "{more}");
        }
        assert_eq!(upstream.seen().len(), before);
        for (path, more) in usual() {
            served(&post(&gateway, path, &more).await);
        }
        gateway.nothing_held(KEY).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn where_no_money_is_counted_nobody_asks_for_a_price() {
    let upstream = provider().await;
    for plan in ["", "quotas: [{tokens: 100000000, per: day}]"] {
        let gateway = Gateway::start(&priced(&upstream, plan, "")).await;
        for (path, more) in asked().into_iter().chain(usual()) {
            served(&post(&gateway, path, &more).await);
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn what_a_price_names_is_served_and_charged() {
    let upstream = provider().await;
    let yaml = priced(&upstream, "credit: required", "credit: 1000")
        .replace(
            "m: {input: 1, output: 4}",
            "m: {input: 1, output: 4, audio_input: 40, audio_output: 80, image: 0.04, service_tiers: {flex: 0.5, priority: 2}, \
             features: {background: 0.001, web_search: 0.01, file_search: 0.0025, code_execution: 0.03, image_generation: 0.04, mcp: 0}}",
        );
    let gateway = Gateway::start(&yaml).await;
    let text = 9 * 1000 + 2 * 4000;
    for (path, more, cost) in [
        (CHAT, json!({}), text),
        (CHAT, json!({"service_tier": "flex"}), text / 2),
        (CHAT, json!({"service_tier": "priority"}), text * 2),
        (CHAT, json!({"web_search_options": {}}), text + 10_000_000),
        (RESPONSES, json!({"background": true}), text + 1_000_000),
        (
            RESPONSES,
            json!({"service_tier": "flex", "tools": [{"type": "web_search"}, {"type": "mcp"}, {"type": "web_search_preview"}]}),
            text / 2 + 10_000_000,
        ),
    ] {
        served(&post(&gateway, path, &more).await);
        gateway.nothing_held(KEY).await;
        let page = gateway.admin("GET", "/admin/v1/calls?limit=1").send().await;
        let call = page.value()["data"][0].clone();
        assert_eq!(call["cost_nano_usd"], cost, "{more}: {call}");
        assert_eq!(call["overrun"], false);
        gateway.pass(std::time::Duration::from_millis(1));
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_price_that_does_not_hold_yet_is_none() {
    let upstream = provider().await;
    let yaml = priced(&upstream, "credit: required", "credit: 1").replace(
        "  m: {input: 1, output: 4}",
        "  m: {versions: [{effective: 2026-11-21T00:00:00Z, input: 1, output: 4}]}",
    );
    let gateway = Gateway::start(&yaml).await;
    refused(
        &post(&gateway, CHAT, &json!({})).await,
        400,
        "model_not_priced",
    );
    assert!(upstream.seen().is_empty());
    gateway.pass(std::time::Duration::from_secs(12 * 3600));
    served(&post(&gateway, CHAT, &json!({})).await);
    gateway.stop().await;
}

#[tokio::test]
async fn what_cannot_be_priced_needs_a_price_for_its_route() {
    let upstream = provider().await;
    let routes = "routes:\n  - {path: /}\n  - {path: /raw, provider: up, strip_prefix: true}\n  - {path: /paid, provider: up, strip_prefix: true, price_per_request: 0.25}\n";
    let yaml = priced(&upstream, "credit: required", "credit: 1") + routes;
    let gateway = Gateway::start(&yaml).await;
    let ask = |path: &'static str| gateway.call("POST", path).bearer(KEY).body("{}").send();
    for path in [
        "/raw/v1/images/generations",
        "/raw/v1/files",
        "/raw/v1/audio/speech",
    ] {
        refused(&ask(path).await, 403, "permission_denied");
    }
    assert!(upstream.seen().is_empty());
    // What breaks on its way is no request, and costs nothing.
    let broken = format!(
        "POST /paid/v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\
         transfer-encoding: chunked\r\n\r\n5\r\nfirst\r\nno size\r\n"
    );
    for _ in 0..5 {
        let told = raw_until_close(gateway.address, broken.as_bytes()).await;
        assert!(told.contains("invalid_framing"), "{told}");
    }
    for _ in 0..4 {
        served(&ask("/paid/v1/images/generations").await);
    }
    refused(
        &ask("/paid/v1/images/generations").await,
        402,
        "credit_exhausted",
    );
    assert_eq!(upstream.seen().len(), 4);
    gateway.stop().await;
}

#[tokio::test]
async fn a_priced_api_has_no_free_lists_of_models() {
    let upstream = provider().await;
    let routes =
        "routes:\n  - {path: /cars, provider: web, strip_prefix: true, price_per_request: 0.25}\n";
    let web = format!(
        "providers:\n  web: {{kind: http, base_url: \"{}\", credential: {{header: x-token, value: t}}}}",
        upstream.url()
    );
    let yaml = priced(&upstream, "credit: required", "credit: 1") + routes;
    let gateway = Gateway::start(&yaml.replacen("providers:", &web, 1)).await;
    for (method, path) in [
        ("GET", "/cars/models"),
        ("GET", "/cars/v1/models/coupe"),
        ("POST", "/cars/messages/count_tokens"),
        ("GET", "/cars/wheels"),
    ] {
        let call = gateway.call(method, path).bearer(KEY);
        served(&call.body("{}").send().await);
    }
    let call = gateway.call("GET", "/cars/models").bearer(KEY);
    refused(&call.send().await, 402, "credit_exhausted");
    assert_eq!(upstream.seen().len(), 4);
    gateway.stop().await;
}

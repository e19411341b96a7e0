//! Who is refused, by what, with which figures, and what a retry may ask for.

use faregate::domain::NanoUsd;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{budgets, credit, gated, nanos, priced};
use crate::{
    fixture::{KEY, provider, refused, served},
    harness::{Answer, Call, Gate, Gateway, within},
};

/// A call to the endpoint of either dialect, with or without a limit of its own.
fn body(path: &str, limit: Option<u64>, text: &str) -> String {
    let messages = path == "/v1/messages";
    let mut body = json!({
        "model": if messages { "c" } else { "m" },
        "messages": [{"role": "user", "content": text}],
    });
    if let Some(limit) = limit {
        body["max_tokens"] = limit.into();
    }
    body.to_string()
}

fn begin(gateway: &Gateway, path: &str, body: &str) -> JoinHandle<Answer> {
    let call = Call::new(gateway.address, "POST", path);
    tokio::spawn(call.bearer(KEY).json(body).send())
}

async fn post(gateway: &Gateway, path: &str, body: &str) -> Answer {
    within("an answer", begin(gateway, path, body))
        .await
        .unwrap()
}

fn affordable(answer: &Answer) -> u64 {
    let value = answer.value();
    let most = value["max_affordable_tokens"].as_u64();
    most.unwrap_or_else(|| panic!("{value}"))
}

const PATHS: [&str; 2] = ["/v1/chat/completions", "/v1/messages"];

#[tokio::test]
async fn a_retry_with_what_is_affordable_succeeds_in_both_dialects() {
    let upstream = provider().await;
    let words = "the fare is paid before the gate opens ".repeat(20);
    // More than is counted by a tokenizer: its bytes are the bound.
    let long = "fare ".repeat(14_000);
    let mut refusals = 0;
    for (path, text, usd) in [
        (PATHS[0], "hi", "0.0009"),
        (PATHS[0], &words, "0.0015"),
        (PATHS[0], &long, "0.071"),
        (PATHS[1], "hi", "0.003"),
        (PATHS[1], &words, "0.004"),
        (PATHS[1], &long, "0.213"),
    ] {
        for asked in [Some(400), Some(u64::MAX), None] {
            let plan = "credit: required, default_max_output_tokens: 500";
            let gateway = Gateway::start(&priced(&upstream, plan, &format!("credit: {usd}"))).await;
            let before = upstream.seen().len();
            let first = post(&gateway, path, &body(path, asked, text)).await;
            if first.status == 200 {
                // Ours was made to fit.
                assert_eq!(asked, None, "{path} {usd}");
                gateway.stop().await;
                continue;
            }
            refused(&first, 402, "insufficient_credit_for_request");
            assert_eq!(first.header("x-should-retry"), Some("false"));
            assert_eq!(upstream.seen().len(), before);
            let most = affordable(&first);
            refusals += 1;
            assert!(
                first.text().contains("\"rel\":\"top_up\""),
                "{}",
                first.text()
            );
            assert!((1..400).contains(&most), "{}", first.text());
            let more = post(&gateway, path, &body(path, Some(most + 60), text)).await;
            refused(&more, 402, "insufficient_credit_for_request");
            let retry = post(&gateway, path, &body(path, Some(most), text)).await;
            assert_eq!(
                retry.status,
                200,
                "{path} {usd} {asked:?}: {most}: {}",
                retry.text()
            );
            assert_eq!(upstream.seen()[before].json()["max_tokens"], most);
            gateway.stop().await;
        }
    }
    assert_eq!(refusals, 17);
}

#[tokio::test]
async fn a_retry_that_is_counted_is_not_measured_by_its_bytes() {
    let upstream = provider().await;
    let chat = body(PATHS[0], None, &"the fare is paid ".repeat(20));
    let start = async |nanos| {
        let usd = NanoUsd::from_nanos(nanos);
        let credit = format!("credit: {usd}");
        Gateway::start(&priced(&upstream, "credit: required", &credit)).await
    };
    // What the input is counted as, from what the call may cost at most.
    let gateway = start(1).await;
    let refusal = post(&gateway, PATHS[0], &chat).await;
    refused(&refusal, 402, "insufficient_credit_for_request");
    let text = refusal.value()["message"].as_str().unwrap().to_owned();
    let most = text.split(' ').nth(6).unwrap();
    let input = NanoUsd::parse(most).unwrap().nanos() - 256 * 4000;
    gateway.stop().await;
    // Enough for the input, for twenty tokens of a member that names the limit and for one of output.
    let gateway = start(input + 20 * 1000 + 4000).await;
    let refusal = post(&gateway, PATHS[0], &chat).await;
    refused(&refusal, 402, "insufficient_credit_for_request");
    let most = affordable(&refusal);
    assert!(most >= 1, "{}", refusal.text());
    let mut retry: Value = serde_json::from_str(&chat).unwrap();
    retry["max_completion_tokens"] = most.into();
    served(&post(&gateway, PATHS[0], &retry.to_string()).await);
    gateway.stop().await;
}

#[tokio::test]
async fn a_clamped_limit_is_told_and_forwarded_in_both_dialects() {
    let upstream = provider().await;
    let plan = "credit: required, on_low_credit: clamp";
    for path in [
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/responses",
        "/v1/messages",
    ] {
        let (model, input, output) = match path {
            "/v1/messages" => ("c", 3000, 15_000),
            _ => ("m", 1000, 4000),
        };
        let field = match path {
            "/v1/responses" => "max_output_tokens",
            _ => "max_tokens",
        };
        let asked = json!({"model": model, "prompt": "hi", "input": "hi", "messages": [], field: 400, "kept": 2.50});
        let asked = asked.to_string();
        let left = asked.len() as i64 * input + 99 * output + output / 2;
        let usd = NanoUsd::from_nanos(left);
        let gateway = Gateway::start(&priced(&upstream, plan, &format!("credit: {usd}"))).await;
        let answer = post(&gateway, path, &asked).await;
        served(&answer);
        assert_eq!(answer.header("faregate-max-output-tokens"), Some("99"));
        let sent = upstream.seen().pop().unwrap().json();
        let mut expected: Value = serde_json::from_str(&asked).unwrap();
        expected[field] = 99.into();
        expected["model"] = sent["model"].clone();
        assert_eq!(sent, expected);
        assert_eq!(credit(&gateway).await, (left - 9 * input - 2 * output, 0));
        // Nothing is said where nothing was lowered.
        let small =
            json!({"model": model, "prompt": "hi", "input": "hi", "messages": [], field: 3});
        let answer = post(&gateway, path, &small.to_string()).await;
        served(&answer);
        assert_eq!(answer.header("faregate-max-output-tokens"), None);
        gateway.stop().await;
    }
    // Not even one token.
    let gateway = Gateway::start(&priced(&upstream, plan, "credit: 0.000001")).await;
    for path in PATHS {
        let refusal = post(&gateway, path, &body(path, Some(400), "hi")).await;
        refused(&refusal, 402, "insufficient_credit_for_request");
        assert_eq!(affordable(&refusal), 0);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_limit_is_not_clamped_below_what_its_provider_takes() {
    let upstream = provider().await;
    let plan = "credit: required, on_low_credit: clamp";
    let thinking = json!({"type": "enabled", "budget_tokens": 200});
    let thinks = json!({"model": "c", "messages": [], "max_tokens": 300, "thinking": thinking});
    let responds = json!({"model": "m", "input": "hi", "max_output_tokens": 400});
    for (path, asked, field, input, output, least) in [
        ("/v1/messages", thinks, "max_tokens", 3000, 15_000, 201),
        (
            "/v1/responses",
            responds,
            "max_output_tokens",
            1000,
            4000,
            16,
        ),
    ] {
        let asked = asked.to_string();
        for (bytes, affordable) in [
            (0, least - 1),
            (asked.len(), least),
            (asked.len(), least + 1),
        ] {
            let left = bytes as i64 * input + affordable * output;
            let usd = NanoUsd::from_nanos(left);
            let gateway = Gateway::start(&priced(&upstream, plan, &format!("credit: {usd}"))).await;
            let answer = post(&gateway, path, &asked).await;
            if affordable < least {
                refused(&answer, 402, "insufficient_credit_for_request");
                // Nobody is told to come again with what the provider refuses.
                assert_eq!(
                    answer.value()["max_affordable_tokens"],
                    0,
                    "{}",
                    answer.text()
                );
            } else {
                served(&answer);
                assert_eq!(upstream.seen().pop().unwrap().json()[field], affordable);
            }
            gateway.stop().await;
        }
    }
}

#[tokio::test]
async fn a_limit_within_the_budget_of_several_thoughts_is_clamped() {
    let upstream = provider().await;
    let plan = "credit: required, on_low_credit: clamp";
    // Thinking between calls of tools may use more than one answer's limit (`interleaved-thinking`).
    let thinking = json!({"type": "enabled", "budget_tokens": 2000});
    let asked = json!({"model": "c", "messages": [], "max_tokens": 300, "thinking": thinking});
    let asked = asked.to_string();
    let usd = NanoUsd::from_nanos(asked.len() as i64 * 3000 + 120 * 15_000);
    let gateway = Gateway::start(&priced(&upstream, plan, &format!("credit: {usd}"))).await;
    served(&post(&gateway, "/v1/messages", &asked).await);
    assert_eq!(upstream.seen().pop().unwrap().json()["max_tokens"], 120);
    gateway.stop().await;
}

#[tokio::test]
async fn what_only_holds_stand_in_the_way_of_is_tried_again() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let chat = body(PATHS[0], Some(100), "hi");
    let bound = chat.len() as i64 * 1000 + 100 * 4000;
    let usd = NanoUsd::from_nanos(bound + bound / 2);
    let gateway = Gateway::start(&priced(
        &upstream,
        "credit: required",
        &format!("credit: {usd}"),
    ))
    .await;
    let first = begin(&gateway, PATHS[0], &chat);
    upstream.arrival().await;
    assert_eq!(credit(&gateway).await, (bound + bound / 2, bound));
    let refusal = post(&gateway, PATHS[0], &chat).await;
    refused(&refusal, 429, "credit_on_hold");
    let wait: u64 = refusal.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(refusal.header("x-should-retry"), None);
    assert_eq!(refusal.header("link"), None);
    let stands = &refusal.value()["billing"]["credit"];
    assert_eq!(
        (nanos(&stands["balance"]), nanos(&stands["held"])),
        (bound + bound / 2, bound)
    );
    let message = post(&gateway, PATHS[1], &body(PATHS[1], Some(100), "hi")).await;
    refused(&message, 402, "insufficient_credit_for_request");
    gate.open();
    served(&within("the answer", first).await.unwrap());
    let again = begin(&gateway, PATHS[0], &chat);
    upstream.arrival().await;
    gate.open();
    served(&within("the answer", again).await.unwrap());
    gateway.stop().await;

    // The same with a budget.
    let budget = format!("budgets: [{{usd: {usd}, per: day}}]");
    let gateway = Gateway::start(&priced(&upstream, &budget, "")).await;
    let first = begin(&gateway, PATHS[0], &chat);
    upstream.arrival().await;
    assert_eq!(budgets(&gateway).await, [("plan".to_owned(), 0, bound)]);
    let refusal = post(&gateway, PATHS[0], &chat).await;
    refused(&refusal, 429, "limit_on_hold");
    let limit = &refusal.value()["billing"]["limit"];
    assert_eq!(
        (&limit["kind"], &limit["currency"]),
        (&json!("budget"), &json!("USD"))
    );
    assert_eq!(nanos(&limit["held"]), bound);
    gate.open();
    served(&within("the answer", first).await.unwrap());
    assert_eq!(
        budgets(&gateway).await,
        [("plan".to_owned(), 9 * 1000 + 2 * 4000, 0)]
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_correction_leaves_what_calls_hold() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let gateway = Gateway::start(&priced(&upstream, "credit: required", "credit: 1")).await;
    let first = begin(&gateway, PATHS[0], &body(PATHS[0], Some(100), "hi"));
    upstream.arrival().await;
    let (balance, held) = credit(&gateway).await;
    let take = |nanos: i64| {
        let amount = NanoUsd::from_nanos(-nanos).to_string();
        let body = json!({"amount": amount, "kind": "adjustment"});
        let call = gateway.admin("POST", "/admin/v1/accounts/a/credit");
        call.json(&body.to_string()).send()
    };
    let refusal = take(balance - held + 1).await;
    assert_eq!(refusal.status, 409, "{}", refusal.text());
    let words = refusal.value()["detail"].as_str().unwrap().to_owned();
    assert!(words.contains("Its balance is 1.00"), "{words}");
    assert_eq!(credit(&gateway).await, (balance, held));
    assert_eq!(take(balance - held).await.status, 201);
    assert_eq!(credit(&gateway).await, (held, held));
    gate.open();
    served(&within("the answer", first).await.unwrap());
    gateway.stop().await;
}

#[tokio::test]
async fn a_spent_budget_is_refused_before_the_body_is_read_and_a_small_one_behind() {
    let upstream = provider().await;
    for (status, expected) in [("402", 402), ("403", 403), ("429", 429)] {
        let own = format!("budgets: [{{usd: 0.00003, per: day, status: {status}}}]");
        let plan = "default_max_output_tokens: 2, budgets: [{usd: 1, per: month}]";
        let gateway = Gateway::start(&priced(&upstream, plan, &own)).await;
        let refusal = post(&gateway, PATHS[0], &body(PATHS[0], Some(400), "hi")).await;
        refused(&refusal, expected, "request_exceeds_limit");
        let limit = &refusal.value()["billing"]["limit"];
        assert_eq!(
            (&limit["scope"], &limit["per"]),
            (&json!("account"), &json!("day"))
        );
        assert!(
            !refusal.text().contains("\"rel\":\"wait\""),
            "{}",
            refusal.text()
        );
        // What is smaller passes.
        let embeddings = r#"{"model":"m","input":"h"}"#;
        assert_eq!(embeddings.len(), 25);
        let refusal = post(&gateway, "/v1/embeddings", embeddings).await;
        served(&refusal);
        assert_eq!(budgets(&gateway).await[0], ("account".to_owned(), 9000, 0));
        gateway.stop().await;
    }
    let own = "budgets: [{usd: 0.000009, per: day}]";
    let yaml = priced(&upstream, "", own).replace(
        "  m: {input: 1, output: 4}",
        "  m: {input: 0, output: 0, request: 0.000009}",
    );
    let gateway = Gateway::start(&yaml).await;
    served(&post(&gateway, "/v1/embeddings", r#"{"model":"m","input":"h"}"#).await);
    let sent = upstream.seen().len();
    for path in PATHS {
        let refusal = post(&gateway, path, "no JSON at all").await;
        refused(&refusal, 402, "budget_exceeded");
        let link = refusal.header("link");
        assert_eq!(link, None, "there is no address to pay at");
        let limit = refusal.value()["billing"]["limit"].clone();
        assert_eq!(
            limit,
            json!({"kind": "budget", "scope": "account", "unit": "usd", "per": "day", "limit": "0.000009",
                "used": "0.000009", "held": "0.00", "remaining": "0.00", "currency": "USD",
                "resets_at": "2026-11-21T00:00:00Z"})
        );
    }
    assert_eq!(upstream.seen().len(), sent);
    gateway.pass(std::time::Duration::from_secs(12 * 3600));
    served(&post(&gateway, "/v1/embeddings", r#"{"model":"m","input":"h"}"#).await);
    gateway.stop().await;
}

#[tokio::test]
async fn above_four_fifths_of_a_budget_a_notice_is_given() {
    let upstream = provider().await;
    let plan = "default_max_output_tokens: 2, budgets: [{usd: 0.0003, per: day}]";
    let gateway = Gateway::start(&priced(&upstream, plan, "")).await;
    let small = r#"{"model":"m","max_tokens":2}"#;
    let mut told = Vec::new();
    for _ in 0..16 {
        let answer = post(&gateway, PATHS[0], small).await;
        served(&answer);
        told.push(answer.header("faregate-notice").map(str::to_owned));
    }
    assert!(told[..15].iter().all(Option::is_none), "{told:?}");
    assert_eq!(
        told[15].as_deref(),
        Some("budget; scope=plan; unit=usd; per=day; used=0.000255; limit=0.0003"),
        "{told:?}"
    );
    let limits = gateway.limits(KEY).await;
    assert_eq!(
        limits["limits"],
        json!([{"kind": "budget", "scope": "plan", "unit": "usd", "per": "day", "limit": "0.0003", "used": "0.000272",
            "held": "0.00", "remaining": "0.000028", "currency": "USD", "resets_at": "2026-11-21T00:00:00Z"}])
    );
    gateway.stop().await;
}

#[tokio::test]
async fn who_has_no_output_limit_is_not_told_to_lower_it() {
    let upstream = provider().await;
    let routes = "routes:\n  - {path: /}\n  - {path: /paid, provider: up, strip_prefix: true, price_per_request: 0.25}\n";
    for (plan, account, of_a_budget) in [
        ("credit: required", "credit: 0.000001", false),
        ("budgets: [{usd: 0.000001, per: day}]", "", true),
    ] {
        let gateway = Gateway::start(&(priced(&upstream, plan, account) + routes)).await;
        for (path, advice) in [
            (
                "/paid/v1/files/none",
                "A request to this path has a fixed price.",
            ),
            ("/v1/embeddings", "Shorten the input."),
        ] {
            let method = if path.ends_with("none") {
                "GET"
            } else {
                "POST"
            };
            let call = gateway.call(method, path).bearer(KEY);
            let refusal = call
                .json(r#"{"model":"m","input":"a long way"}"#)
                .send()
                .await;
            let code = if of_a_budget {
                "request_exceeds_limit"
            } else {
                "insufficient_credit_for_request"
            };
            refused(&refusal, 402, code);
            let text = refusal.text();
            assert!(text.contains(advice), "{text}");
            assert!(!text.contains("output limit"), "{text}");
        }
        gateway.stop().await;
    }
    assert!(upstream.seen().is_empty());
}

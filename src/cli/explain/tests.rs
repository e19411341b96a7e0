use std::path::Path;

use serde_json::{Value, json};

use super::{
    Explanation,
    call::Call,
    cost::{Present, costing},
    history::{hold, outcome, remarks, steps},
    page::page,
};
use crate::{
    cli::table::Heading,
    config::{self, Config, ProcessEnvironment},
};

const YAML: &str = r#"
providers: {up: {kind: openai, base_url: "http://127.0.0.1:1/v1", api_key: sk-upstream}}
models: {m: {provider: up, context_window: 100000, max_output_tokens: 500}}
prices:
  m:
    versions:
      - {input: 1, output: 3.000001}
      - effective: 2026-11-01T00:00:00Z
        input: 1
        cached_input: 0.25
        output: 3.000001
        request: 0.0001
        tiers: [{above: 1000, input: 2, output: 6}]
        service_tiers: {flex: 0.5}
        features: {web_search: 0.01}
routes: [{path: /}, {path: /dear, price_per_request: 0.005, strip_prefix: true}]
plans: {p: {models: [m], price_factor: 1.2}}
"#;

/// A call that used 900 and 7 tokens.
fn call(change: impl FnOnce(&mut Value)) -> Value {
    let mut call = json!({
        "request_id": "01932d3a-0000-7000-8000-000000000001", "at": "2026-11-20T08:15:30.001Z", "account": "a",
        "key": "k", "plan": "p", "route": "/dear", "provider": "up", "model": "m", "upstream_model": "real-m",
        "endpoint": "chat.completions", "stream": true, "outcome": "completed", "status": 200, "attempt": 2,
        "end_user": null, "idempotency_key": "once", "tokens": {"input": 900, "cached_input": 200, "output": 7},
        "estimated": false, "overrun": false, "held_tokens": 1500, "held_nano_usd": 90_000_000,
        "cost_nano_usd": 18_582_601, "price_version": "2026-11-01",
        "terms": {"output_limit": 500, "price_factor": "1.2", "price_per_request": "0.005", "service_tier": "flex",
            "features": ["web_search"]},
        "counted": {"account": ["tokens/day", "usd/period"], "key": ["requests/hour"]}, "credit": null,
        "queue_ms": 1, "first_byte_ms": 30, "total_ms": 90
    });
    change(&mut call);
    call
}

fn explanation(call: Value) -> Explanation {
    let config: Config =
        config::parse(YAML, Path::new("faregate.yaml"), &ProcessEnvironment).unwrap();
    let call: Call = serde_json::from_value(call).unwrap();
    let models = config.gateway.models.unwrap();
    let present = Present {
        models: &models,
        plans: &config.roster.plans,
        routes: &config.gateway.routes,
    };
    Explanation {
        checks: steps(&call),
        hold: hold(&call),
        outcome: outcome(&call),
        remarks: remarks(&call),
        cost: costing(&call, &present),
        call,
    }
}

/// The part of a page below a title.
fn part(call: Value, title: &str) -> String {
    let whole = page(&explanation(call), Heading::Plain);
    let mut parts = whole.split("\n\n");
    parts
        .find(|part| part.starts_with(title))
        .unwrap()
        .to_owned()
}

#[test]
fn a_page_has_everything() {
    insta::assert_snapshot!(page(&explanation(call(|_| ())), Heading::Plain));
}

#[test]
fn what_reached_nobody_is_not_called_sent() {
    let forward = |first_byte: Value| {
        let call = call(|call| {
            call["attempt"] = json!(1);
            call["first_byte_ms"] = first_byte;
        });
        let checks = part(call, "Checks");
        let line = checks.lines().find(|line| line.contains("forward"));
        line.unwrap().trim_end().to_owned()
    };
    assert!(forward(Value::Null).ends_with("tried once, as real-m at up"));
    assert!(forward(json!(30)).ends_with("sent once, as real-m at up"));
}

#[test]
fn programs_get_the_same() {
    let said = json!(explanation(call(|_| ())));
    insta::assert_snapshot!(format!("{:#}", said["cost"]));
    assert_eq!(said["hold"]["input"], 1000);
    assert_eq!(said["outcome"]["outcome"], "completed");
}

#[test]
fn whatever_is_special_about_a_cost_is_said() {
    let mut pages = String::new();
    let mut say = |name: &str, call: Value| {
        let cost = part(call, "Cost");
        pages += &format!("# {name}\n{cost}\n\n");
    };
    say(
        "a long input",
        call(|call| {
            call["tokens"] = json!({"input": 1001, "output": 1});
            call["terms"] = json!({});
            call["cost_nano_usd"] = json!(2_108_000);
        }),
    );
    say(
        "one that differs",
        call(|call| call["cost_nano_usd"] = json!(18_582_602)),
    );
    say(
        "one that was served otherwise",
        call(|call| call["cost_nano_usd"] = json!(19_045_201)),
    );
    say(
        "one that was refused",
        call(|call| {
            call["status"] = json!(400);
            call["cost_nano_usd"] = json!(6_582_601);
        }),
    );
    say(
        "terms that were not kept",
        call(|call| {
            call["terms"] = Value::Null;
            call["cost_nano_usd"] = json!(7_045_201);
        }),
    );
    say(
        "terms that were not kept, and others now",
        call(|call| {
            call["terms"] = Value::Null;
            call["cost_nano_usd"] = json!(1);
        }),
    );
    say(
        "a version that is gone",
        call(|call| call["price_version"] = json!("2025-01-01")),
    );
    say(
        "a model that is gone",
        call(|call| call["model"] = json!("gone")),
    );
    say(
        "never above the hold",
        call(|call| {
            call["outcome"] = json!("indeterminate");
            call["held_nano_usd"] = json!(18_000_000);
            call["cost_nano_usd"] = json!(18_000_000);
        }),
    );
    say(
        "by a checkpoint",
        call(|call| {
            call["outcome"] = json!("indeterminate");
            call["cost_nano_usd"] = json!(18_000_000);
        }),
    );
    say(
        "no price",
        call(|call| {
            call["price_version"] = Value::Null;
            call["cost_nano_usd"] = Value::Null;
        }),
    );
    say(
        "nothing charged",
        call(|call| {
            call["tokens"] = json!({});
            call["cost_nano_usd"] = json!(0);
        }),
    );
    insta::assert_snapshot!(pages);
}

#[test]
fn every_outcome_and_flag_is_explained() {
    let mut pages = String::new();
    for (outcome, status, used) in [
        ("completed", 200, true),
        ("completed", 404, false),
        ("client_closed", 499, true),
        ("upstream_failed", 502, false),
        ("upstream_failed", 200, true),
        ("indeterminate", 504, true),
    ] {
        let call = call(|call| {
            call["outcome"] = json!(outcome);
            call["status"] = json!(status);
            call["estimated"] = json!(used);
            call["overrun"] = json!(status == 200);
            if !used {
                call["tokens"] = json!({});
                call["cost_nano_usd"] = json!(0);
            }
        });
        pages += &format!("{}\n\n", part(call, "Outcome"));
    }
    insta::assert_snapshot!(pages);
}

#[test]
fn what_was_held_and_moved_is_said_as_far_as_it_is_known() {
    let mut pages = String::new();
    let mut say = |title: &str, call: Value| pages += &format!("{}\n\n", part(call, title));
    say(
        "Held",
        call(|call| {
            call["terms"] = json!({"output_limit": 300, "answers": 3, "written": true});
        }),
    );
    say("Held", call(|call| call["terms"] = Value::Null));
    say(
        "Held",
        call(|call| {
            call["held_tokens"] = json!(0);
            call["held_nano_usd"] = Value::Null;
        }),
    );
    say(
        "Moved",
        call(|call| {
            call["credit"] = json!({"debt": "0.001", "lots": [
            {"entry": 3, "id": "first", "kind": "top_up", "amount": "0.01"},
            {"entry": 4, "id": null, "kind": null, "amount": "0.007582601"}]});
        }),
    );
    say("Moved", call(|call| call["counted"] = Value::Null));
    say(
        "Moved",
        call(|call| {
            call["counted"] = Value::Null;
            call["cost_nano_usd"] = json!(0);
            call["credit"] = json!({"debt": "0.00", "lots": []});
        }),
    );
    say("Times", call(|call| call["first_byte_ms"] = Value::Null));
    insta::assert_snapshot!(pages);
}

#[test]
fn one_is_no_plural() {
    let one = call(|call| {
        call["tokens"] = json!({"input": 1, "cached_input": 1, "output": 0});
        call["held_tokens"] = json!(1);
        call["held_nano_usd"] = Value::Null;
    });
    let said = page(&explanation(one), Heading::Plain);
    assert!(
        said.contains("1 token was held, of every token quota"),
        "{said}"
    );
    assert!(said.contains("  input            1 token\n"), "{said}");
    assert!(said.contains("1 token of the input"), "{said}");
    assert!(said.contains("0 tokens\n"), "{said}");
    assert!(said.contains("1 token of this day"), "{said}");
    assert!(!said.contains("1 tokens"), "{said}");
}

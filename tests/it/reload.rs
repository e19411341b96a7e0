use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    fixture::{CHAT, KEY, file, planned, provider, refused, served},
    harness::{Call, Gate, Gateway, Step, TOKEN, Upstream, end, head, piece, verified, within},
};

const STREAM: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

/// A stream of three events, the last two of which wait for the gate.
async fn gated(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |_| {
        vec![
            head("text/event-stream"),
            piece("data: {\"choices\":[{\"delta\":{\"content\":\"hel\"}}]}\n\n"),
            Step::Wait(gate.clone()),
            piece("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":300,\"completion_tokens\":100,\"total_tokens\":400}}\n\n"),
            piece("data: [DONE]\n\n"),
            end(),
        ]
    })
    .await
}

#[tokio::test]
async fn a_call_keeps_the_version_of_the_plan_that_it_was_admitted_by() {
    let upstream = provider().await;
    let plan = |requests: u32| {
        planned(
            &upstream,
            &format!("{{quotas: [{{requests: {requests}, per: day}}]}}"),
        )
    };
    let mut gateway = Gateway::start(&plan(10)).await;
    for requests in [10, 11, 10] {
        gateway.reload(&plan(requests)).await;
        served(&gateway.chat(KEY, CHAT).send().await);
        gateway.pass(Duration::from_millis(1));
    }
    let calls = gateway.calls(3).await;
    let version = |index: usize| {
        calls[index]["plan_version"]
            .as_str()
            .unwrap_or_else(|| panic!("{calls:#?}"))
    };
    assert_eq!(version(0), version(2));
    assert_ne!(version(0), version(1));
    assert!(version(0).len() == 8 && version(0).bytes().all(|digit| digit.is_ascii_hexdigit()));
    gateway.stop().await;
}

#[tokio::test]
async fn counters_stay_and_changed_limits_apply() {
    let upstream = provider().await;
    let plan = |requests: u32, rate: u32| {
        planned(
            &upstream,
            &format!(
                "{{quotas: [{{requests: {requests}, per: day}}], rate_limits: {{requests_per_minute: {rate}}}}}"
            ),
        )
    };
    let mut gateway = Gateway::start(&plan(3, 2)).await;
    let chat = async |gateway: &Gateway| gateway.chat(KEY, CHAT).send().await;
    served(&chat(&gateway).await);
    served(&chat(&gateway).await);
    refused(&chat(&gateway).await, 429, "rate_limit_exceeded");
    // The same again: nothing is fresh.
    gateway.reload(&plan(3, 2)).await;
    refused(&chat(&gateway).await, 429, "rate_limit_exceeded");
    // Another rate starts fresh, the quota does not.
    gateway.reload(&plan(3, 5)).await;
    served(&chat(&gateway).await);
    refused(&chat(&gateway).await, 402, "quota_exhausted");
    gateway.reload(&plan(4, 5)).await;
    served(&chat(&gateway).await);
    refused(&chat(&gateway).await, 402, "quota_exhausted");
    gateway.reload(&plan(1, 5)).await;
    let refusal = chat(&gateway).await;
    refused(&refusal, 402, "quota_exhausted");
    let facts = &refusal.value()["billing"]["limit"];
    assert_eq!(
        (&facts["used"], &facts["limit"], &facts["remaining"]),
        (&json!(4), &json!(1), &json!(0))
    );
    gateway.stop().await;
}

#[tokio::test]
async fn accounts_and_keys_come_and_go_with_the_file() {
    let upstream = provider().await;
    let with = |accounts: &str| {
        let plans = "plans: {p: {quotas: [{requests: 9, per: day}]}, q: {quotas: [{requests: 9, per: day}]}}\n";
        file(&upstream, &format!("{plans}{accounts}"))
    };
    let one = "accounts: [{id: a, plan: p, keys: [{id: k, key: the-key-of-account-a-0001}]}]\n";
    let mut gateway = Gateway::start(&with(one)).await;
    let status =
        async |gateway: &Gateway, key: &str| gateway.chat(key, CHAT).send().await.status.as_u16();
    assert_eq!(status(&gateway, KEY).await, 200);
    gateway.reload(&with("")).await;
    assert_eq!(status(&gateway, KEY).await, 401);
    assert_eq!(
        gateway
            .admin("GET", "/admin/v1/accounts/a")
            .send()
            .await
            .status,
        404
    );
    // Back on another plan, with another secret: what was used stays.
    gateway
        .reload(&with(
            "accounts: [{id: a, plan: q, keys: [{id: k, key: another-key-of-account-a-2}]}]\n",
        ))
        .await;
    assert_eq!(status(&gateway, KEY).await, 401);
    assert_eq!(status(&gateway, "another-key-of-account-a-2").await, 200);
    let limits = gateway.limits("another-key-of-account-a-2").await;
    assert_eq!(
        (&limits["plan"], &limits["limits"][0]["used"]),
        (&json!("q"), &json!(2))
    );
    gateway.reload(&with("accounts: [{id: a, plan: q, disabled: true, keys: [{id: k, key: another-key-of-account-a-2}]}]\n")).await;
    assert_eq!(status(&gateway, "another-key-of-account-a-2").await, 403);
    gateway.stop().await;
}

#[tokio::test]
async fn what_was_created_stays_beside_the_file() {
    let upstream = provider().await;
    let with = |rest: &str| file(&upstream, rest);
    let plan = "plans: {p: {quotas: [{requests: 9, per: day}]}}\n";
    let mut gateway = Gateway::start(&with(plan)).await;
    gateway
        .admin("POST", "/admin/v1/accounts")
        .json(r#"{"id":"a","plan":"p"}"#)
        .send()
        .await;
    let made = gateway.make_key(r#"{"account":"a","id":"k"}"#).await;
    let status =
        async |gateway: &Gateway, key: &str| gateway.chat(key, CHAT).send().await.status.as_u16();
    assert_eq!(status(&gateway, &made).await, 200);
    gateway.reload(&with(plan)).await;
    assert_eq!(status(&gateway, &made).await, 200);
    // Without its plan the account opens nothing; with it, it goes on.
    gateway.reload(&with("plans: {other: {}}\n")).await;
    assert_eq!(status(&gateway, &made).await, 401);
    gateway.reload(&with(plan)).await;
    assert_eq!(status(&gateway, &made).await, 200);
    // The file takes the account over: its word holds, and it is read-only to the API.
    gateway
        .reload(&with(&format!("{plan}{}", crate::fixture::ACCOUNT)))
        .await;
    assert_eq!(status(&gateway, KEY).await, 200);
    assert_eq!(status(&gateway, &made).await, 401);
    let account = gateway
        .admin("GET", "/admin/v1/accounts/a")
        .send()
        .await
        .value();
    assert_eq!(account["source"], "config");
    let used = gateway.limits(KEY).await["limits"][0]["used"].clone();
    assert_eq!(used, 4);
    // And gives it back.
    gateway.reload(&with(plan)).await;
    assert_eq!(
        (status(&gateway, KEY).await, status(&gateway, &made).await),
        (401, 200)
    );
    gateway.stop().await;
}

#[tokio::test]
async fn calls_under_way_go_on_and_count() {
    let gate = Gate::default();
    let (upstream, next) = (gated(&gate).await, provider().await);
    let plan = "{quotas: [{tokens: 10000, per: day}], rate_limits: {concurrent_requests: 1}}";
    let mut gateway = Gateway::start(&planned(&upstream, plan)).await;
    let stream = gateway.chat(KEY, STREAM).open().await;
    assert_eq!(stream.status(), 200);
    // Another provider, a tighter quota, and no account at all.
    gateway
        .reload(&planned(
            &next,
            "{quotas: [{tokens: 500, per: day}], rate_limits: {concurrent_requests: 1}}",
        ))
        .await;
    refused(
        &gateway.chat(KEY, CHAT).send().await,
        429,
        "concurrency_limit_exceeded",
    );
    gateway.reload(&file(&next, "plans: {p: {}}\n")).await;
    refused(
        &gateway.chat(KEY, CHAT).send().await,
        401,
        "invalid_api_key",
    );
    gate.open();
    let body = http_body_util::BodyExt::collect(stream.into_body());
    let body = within("the stream ended", body).await.unwrap().to_bytes();
    assert!(body.ends_with(b"data: [DONE]\n\n"), "{body:?}");
    gateway.reload(&planned(&next, plan)).await;
    served(&gateway.chat(KEY, CHAT).send().await);
    let limits = gateway.limits(KEY).await;
    let quota = limits["limits"]
        .as_array()
        .unwrap()
        .iter()
        .find(|limit| limit["kind"] == "quota")
        .unwrap();
    assert_eq!((&quota["used"], &quota["held"]), (&json!(411), &json!(0)));
    assert_eq!((upstream.seen().len(), next.seen().len()), (1, 1));
    assert_eq!(gateway.calls(2).await.len(), 2);
    gateway.stop().await;
}

#[tokio::test]
async fn a_key_that_moves_in_mid_call_takes_what_it_used_along() {
    let gate = Gate::default();
    let (upstream, next) = (gated(&gate).await, provider().await);
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("faregate.db");
    let with = |provider: &Upstream, payer: &str| {
        let key = |account: &str| {
            if account == payer {
                format!("[{{id: k, key: {KEY}}}]")
            } else {
                "[]".to_owned()
            }
        };
        let quota = "quotas: [{tokens: 700, per: day}]";
        let rest = format!(
            "store: {{url: \"sqlite:{}\"}}
plans: {{p: {{quotas: [{{tokens: 9000, per: day}}], per_key: {{{quota}}}}}}}
accounts: [{{id: a, plan: p, keys: {}}}, {{id: b, plan: p, keys: {}}}]
",
            store.display(),
            key("a"),
            key("b"),
        );
        file(provider, &rest)
    };
    // What the key and the account that pays for it have used.
    let used = async |gateway: &Gateway| {
        let limits = gateway.limits(KEY).await;
        let limits = limits["limits"].as_array().unwrap().clone();
        let of = |scope: &str| {
            let found = limits.iter().find(|limit| limit["scope"] == scope);
            found.unwrap_or_else(|| panic!("{limits:#?}"))["used"].clone()
        };
        (of("key"), of("plan"))
    };
    let mut gateway = Gateway::start(&with(&upstream, "a")).await;
    let stream = gateway.chat(KEY, STREAM).open().await;
    assert_eq!(stream.status(), 200);
    gateway.reload(&with(&next, "b")).await;
    // What the call holds of the key's is held there too.
    let long = CHAT.replace("\"m\",", "\"m\",\"max_tokens\":500,");
    refused(&gateway.chat(KEY, &long).send().await, 429, "limit_on_hold");
    gate.open();
    let body = http_body_util::BodyExt::collect(stream.into_body());
    within("the stream ended", body).await.unwrap();
    let short = CHAT.replace("\"m\",", "\"m\",\"max_tokens\":10,");
    served(&gateway.chat(KEY, &short).send().await);
    let calls = gateway.calls(2).await;
    let payers = [&calls[0]["account"], &calls[1]["account"]];
    // They were admitted in one instant.
    assert!(payers.contains(&&json!("a")) && payers.contains(&&json!("b")));
    assert_eq!(used(&gateway).await, (json!(411), json!(11)));
    gateway.stop().await;

    let mut gateway = Gateway::start(&with(&next, "b")).await;
    assert_eq!(used(&gateway).await, (json!(411), json!(11)));
    gateway.reload(&with(&next, "a")).await;
    assert_eq!(used(&gateway).await, (json!(411), json!(400)));
    gateway.stop().await;
    let yaml = "store: {url: \"sqlite:faregate.db\"}\n";
    std::fs::write(folder.path().join("faregate.yaml"), yaml).unwrap();
    verified(folder.path());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_files_are_exchanged() {
    let upstream = provider().await;
    let second = provider().await;
    let plan = |limit: u32| {
        format!("{{quotas: [{{requests: {limit}, per: day}}, {{tokens: 9000000, per: month}}]}}")
    };
    let mut gateway = Gateway::start(&planned(&upstream, &plan(100_000))).await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (address, stop) = (gateway.address, Arc::clone(&stop));
            tokio::spawn(async move {
                let mut served = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    let answer = Call::new(address, "POST", "/v1/chat/completions")
                        .bearer(KEY)
                        .json(CHAT)
                        .send()
                        .await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    served += 1;
                }
                served
            })
        })
        .collect();
    for turn in 0..20 {
        let provider = if turn % 2 == 0 { &second } else { &upstream };
        gateway
            .reload(&planned(provider, &plan(100_000 + turn)))
            .await;
        for _ in 0..4 {
            provider.arrival().await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut count = 0;
    for client in clients {
        count += within("a client ended", client).await.unwrap();
    }
    assert_eq!(count, (upstream.seen().len() + second.seen().len()) as u64);
    let limits = gateway.limits(KEY).await;
    assert_eq!(
        (&limits["limits"][0]["used"], &limits["limits"][1]["used"]),
        (&json!(count), &json!(count * 11))
    );
    gateway.stop().await;
}

#[tokio::test]
async fn what_only_a_restart_changes_is_told() {
    let upstream = provider().await;
    let yaml = planned(&upstream, "{}");
    let mut gateway = Gateway::start(&yaml).await;
    assert_eq!(gateway.metric("faregate_restart_pending").await, "0");
    let other = yaml.replace("sk-upstream", "sk-another") + "log: {format: json}\n";
    gateway.reload(&other).await;
    assert_eq!(gateway.metric("faregate_restart_pending").await, "1");
    // The rest is in force.
    served(&gateway.chat(KEY, CHAT).send().await);
    assert_eq!(
        upstream.seen()[0].headers["authorization"],
        "Bearer sk-another"
    );
    gateway.reload(&yaml).await;
    assert_eq!(gateway.metric("faregate_restart_pending").await, "0");
    gateway.stop().await;
}

#[tokio::test]
async fn another_admin_token_holds_at_once() {
    let upstream = provider().await;
    let yaml = planned(&upstream, "{}");
    let mut gateway = Gateway::start(&yaml).await;
    let other = "another-admin-token-of-32-bytes-or-more";
    let admin = format!("admin: {{listen: \"127.0.0.1:0\", token: {other}}}\n");
    gateway.reload(&(yaml.clone() + &admin)).await;
    assert_eq!(gateway.metric("faregate_restart_pending").await, "0");
    let asked = async |token: &str| {
        let call = Call::new(gateway.admin, "GET", "/admin/v1/accounts");
        call.bearer(token).send().await.status
    };
    assert_eq!(asked(TOKEN).await, 401);
    assert_eq!(asked(other).await, 200);
    gateway.reload(&yaml).await;
    let back = gateway.admin("GET", "/admin/v1/accounts").send().await;
    assert_eq!(back.status, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn models_routes_and_bounds_change_with_the_file() {
    let upstream = provider().await;
    let yaml = planned(&upstream, "{}");
    let mut gateway = Gateway::start(&yaml).await;
    let ids = async |gateway: &Gateway| -> Vec<Value> {
        let list = gateway
            .call("GET", "/v1/models")
            .bearer(KEY)
            .send()
            .await
            .value();
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["id"].clone())
            .collect()
    };
    assert_eq!(ids(&gateway).await, ["m", "big", "c"]);
    let smaller = yaml.replace("  big: ", "  huge: ");
    let bounds = "server: {listen: \"127.0.0.1:0\", limits: {json_body: 64B}}\nroutes: [{path: /}, {path: /openai, provider: up, strip_prefix: true}]\n";
    gateway.reload(&(smaller + bounds)).await;
    assert_eq!(ids(&gateway).await, ["m", "huge", "c"]);
    let long = CHAT.replace("hi", &"hi".repeat(50));
    refused(
        &gateway.chat(KEY, &long).send().await,
        413,
        "body_too_large",
    );
    served(
        &gateway
            .call("GET", "/openai/v1/files")
            .bearer(KEY)
            .send()
            .await,
    );
    gateway.reload(&yaml).await;
    refused(
        &gateway
            .call("GET", "/openai/v1/files")
            .bearer(KEY)
            .send()
            .await,
        404,
        "route_not_found",
    );
    served(&gateway.chat(KEY, &long).send().await);
    gateway.stop().await;
}

/// Nothing else bounds what a body only refers to, and the account is not in the file that would be refused.
#[tokio::test]
async fn a_model_that_loses_its_window_takes_no_hidden_input_where_tokens_are_limited() {
    let upstream = provider().await;
    let yaml = file(
        &upstream,
        "plans: {p: {}}\nprices: {m: {input: 1, output: 1}}\n",
    );
    let mut gateway = Gateway::start(&yaml).await;
    let key_of = async |gateway: &Gateway, id: &str, limit: &str| {
        let account = format!(r#"{{"id":"{id}","plan":"p",{limit}}}"#);
        let call = gateway.admin("POST", "/admin/v1/accounts").json(&account);
        assert_eq!(call.send().await.status, 201);
        let key = format!(r#"{{"account":"{id}","id":"key-of-{id}"}}"#);
        gateway.make_key(&key).await
    };
    let quota = r#""quotas":[{"tokens":10000,"per":"day"}]"#;
    let limited = &key_of(&gateway, "a", quota).await;
    let rate = r#""rate_limits":{"tokens_per_minute":10000}"#;
    let free = &key_of(&gateway, "b", rate).await;
    // What is in shadow mode refuses nobody.
    let shadow = r#""models":["m"],"quotas":[{"tokens":10000,"per":"day","mode":"shadow"}],"budgets":[{"usd":5,"per":"day","mode":"shadow"}]"#;
    let watched = &key_of(&gateway, "c", shadow).await;
    let shown = r#"[{"type":"image_url","image_url":{"url":"https://example.com/cat.png"}}]"#;
    let picture = CHAT.replace("\"hi\"", shown);
    let asked = async |gateway: &Gateway, key: &str| gateway.chat(key, &picture).send().await;
    refused(
        &asked(&gateway, limited).await,
        402,
        "request_exceeds_limit",
    );
    gateway
        .reload(&yaml.replace("real-m, context_window: 100000", "real-m"))
        .await;
    let refusal = asked(&gateway, limited).await;
    refused(&refusal, 403, "permission_denied");
    assert!(
        refusal.text().contains("`context_window`"),
        "{}",
        refusal.text()
    );
    served(&asked(&gateway, free).await);
    served(&asked(&gateway, watched).await);
    served(&gateway.chat(limited, CHAT).send().await);
    gateway.stop().await;
}

//! The output limit that is written into the body.

use serde_json::{Value, json};

use super::{Gateway, KEY, file, planned, provider, refused, served, used};
use crate::fixture::ACCOUNT;

const ENDPOINTS: [(&str, &str, &str); 5] = [
    ("/v1/chat/completions", "m", "max_completion_tokens"),
    ("/v1/completions", "m", "max_tokens"),
    ("/v1/responses", "m", "max_output_tokens"),
    ("/v1/messages", "c", "max_tokens"),
    ("/v1/embeddings", "m", ""),
];

fn body(model: &str) -> Value {
    json!({"model": model, "messages": [], "input": "hi", "prompt": "hi", "further": {"kept": [1, 2.50]}})
}

/// Every member that limits an output, as it arrived.
fn limits(sent: &Value) -> Vec<(&'static str, u64)> {
    ["max_completion_tokens", "max_tokens", "max_output_tokens"]
        .into_iter()
        .filter_map(|name| Some((name, sent.get(name)?.as_u64()?)))
        .collect()
}

#[tokio::test]
async fn it_is_written_where_tokens_are_limited_and_nowhere_else() {
    let upstream = provider().await;
    for (plan, written) in [
        ("{}", false),
        ("{quotas: [{requests: 100, per: day}]}", false),
        ("{rate_limits: {tokens_per_minute: 100000}}", false),
        (
            "{quotas: [{tokens: 100000, per: day, mode: shadow}]}",
            false,
        ),
        ("{quotas: [{tokens: 100000, per: day}]}", true),
        ("{per_key: {quotas: [{tokens: 100000, per: month}]}}", true),
    ] {
        let gateway = Gateway::start(&planned(&upstream, plan)).await;
        for (path, model, field) in ENDPOINTS {
            let before = upstream.seen().len();
            let asked = body(model);
            let call = gateway
                .call("POST", path)
                .bearer(KEY)
                .json(&asked.to_string());
            served(&call.send().await);
            let sent = upstream.seen()[before].json();
            let expected: Vec<_> = Some((field, 500))
                .filter(|_| written && !field.is_empty())
                .into_iter()
                .collect();
            assert_eq!(limits(&sent), expected, "{plan} {path}");
            assert_eq!(sent["further"], asked["further"]);
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_clients_own_limit_is_not_touched() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(
        &upstream,
        "{quotas: [{tokens: 100000, per: day}]}",
    ))
    .await;
    for name in ["max_tokens", "max_completion_tokens"] {
        let mut asked = body("m");
        asked[name] = 77.into();
        served(&gateway.chat(KEY, &asked.to_string()).send().await);
        let sent = upstream.seen().pop().unwrap().json();
        assert_eq!(limits(&sent), [(name, 77)]);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn it_is_the_smallest_of_plan_model_and_what_is_left() {
    let upstream = provider().await;
    let most = |plan: &str, model: &str| {
        let (yaml, body) = (planned(&upstream, plan), body(model).to_string());
        let upstream = &upstream;
        async move {
            let gateway = Gateway::start(&yaml).await;
            let answer = gateway.chat(KEY, &body).send().await;
            gateway.stop().await;
            (
                answer,
                upstream.seen().pop().map(|seen| limits(&seen.json())),
            )
        }
    };
    let bytes = body("big").to_string().len() as u64;
    // By default, by the plan, by the model.
    let (_, sent) = most("{quotas: [{tokens: 100000, per: day}]}", "big").await;
    assert_eq!(sent, Some(vec![("max_completion_tokens", 16_384)]));
    let (_, sent) = most(
        "{default_max_output_tokens: 900, quotas: [{tokens: 100000, per: day}]}",
        "big",
    )
    .await;
    assert_eq!(sent, Some(vec![("max_completion_tokens", 900)]));
    let (_, sent) = most(
        "{default_max_output_tokens: 900, quotas: [{tokens: 100000, per: day}]}",
        "m",
    )
    .await;
    assert_eq!(sent, Some(vec![("max_completion_tokens", 500)]));
    // By what the tightest level has left.
    let (_, sent) = most(
        "{quotas: [{tokens: 5000, per: day}, {tokens: 1000, per: hour}]}",
        "big",
    )
    .await;
    assert_eq!(sent, Some(vec![("max_completion_tokens", 1000 - bytes)]));
    // Not below 256: then the input is counted, and what is still too small refuses.
    let (answer, sent) = most("{quotas: [{tokens: 320, per: day}]}", "big").await;
    served(&answer);
    let [(_, sent)] = sent.unwrap()[..] else {
        panic!()
    };
    assert!((256..320).contains(&sent), "{sent}");
    let (answer, _) = most("{quotas: [{tokens: 260, per: day}]}", "big").await;
    refused(&answer, 402, "request_exceeds_limit");
    // A model that can say less than the floor is asked for what it can say.
    let small = file(
        &upstream,
        &format!(
            "plans: {{p: {{default_max_output_tokens: 40, quotas: [{{tokens: 300, per: day}}]}}}}\n{ACCOUNT}"
        ),
    );
    let gateway = Gateway::start(&small).await;
    served(&gateway.chat(KEY, &body("m").to_string()).send().await);
    assert_eq!(
        limits(&upstream.seen().pop().unwrap().json()),
        [("max_completion_tokens", 40)]
    );
    assert_eq!(used(&gateway, "tokens").await, [("plan".into(), 11, 0)]);
    gateway.stop().await;
}

#[tokio::test]
async fn it_is_shared_among_the_answers_that_are_asked_for() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{quotas: [{tokens: 2000, per: day}]}")).await;
    let mut asked = body("big");
    asked["n"] = 4.into();
    let bytes = asked.to_string().len() as u64;
    served(&gateway.chat(KEY, &asked.to_string()).send().await);
    let sent = upstream.seen().pop().unwrap().json();
    assert_eq!(
        limits(&sent),
        [("max_completion_tokens", (2000 - bytes) / 4)]
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_provider_may_want_another_name_for_it() {
    let upstream = provider().await;
    let yaml = planned(&upstream, "{quotas: [{tokens: 100000, per: day}]}").replace(
        "api_key: sk-upstream",
        "api_key: sk-upstream, output_limit_field: max_tokens",
    );
    let gateway = Gateway::start(&yaml).await;
    served(&gateway.chat(KEY, &body("m").to_string()).send().await);
    assert_eq!(
        limits(&upstream.seen().pop().unwrap().json()),
        [("max_tokens", 500)]
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_limit_that_the_provider_does_not_read_is_given_the_name_that_it_reads() {
    let upstream = provider().await;
    for (plan, limited) in [
        ("{quotas: [{tokens: 100000, per: day}]}", true),
        ("{}", false),
    ] {
        let yaml = planned(&upstream, plan).replace(
            "api_key: sk-upstream",
            "api_key: sk-upstream, output_limit_field: max_tokens",
        );
        let gateway = Gateway::start(&yaml).await;
        for (asked, sent) in [
            (
                json!({"max_completion_tokens": 77}),
                json!({"max_tokens": 77}),
            ),
            // No more than the model can say is held.
            (
                json!({"max_completion_tokens": 9999}),
                json!({"max_tokens": 500}),
            ),
            (
                json!({"max_tokens": null, "max_completion_tokens": 77}),
                json!({"max_tokens": 77, "max_completion_tokens": 77}),
            ),
            (
                json!({"max_tokens": 50, "max_completion_tokens": 9999}),
                json!({"max_tokens": 50, "max_completion_tokens": 500}),
            ),
            (json!({"max_tokens": 77}), json!({"max_tokens": 77})),
        ] {
            let mut call = body("m");
            let members = asked.as_object().unwrap().clone();
            call.as_object_mut().unwrap().extend(members);
            served(&gateway.chat(KEY, &call.to_string()).send().await);
            let mut expected = body("m");
            let members = if limited { &sent } else { &asked };
            let members = members.as_object().unwrap().clone();
            expected.as_object_mut().unwrap().extend(members);
            expected["model"] = "real-m".into();
            assert_eq!(upstream.seen().pop().unwrap().json(), expected, "{plan}");
        }
        gateway.stop().await;
    }
}

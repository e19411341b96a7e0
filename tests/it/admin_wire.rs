use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    fixture::{CHAT, KEY, file, provider, served},
    harness::{Call, Gateway, TOKEN, within},
};

/// A digest that the file states; nobody knows its key.
const HASH: &str = "5a1d9ef0e4e1f4ac1a3a4f9bb2a2d1a2f3a4b5c6d7e8f90112233445566778899";

async fn gateway() -> Gateway {
    let upstream = provider().await;
    let rest = format!(
        "\
plans: {{p: {{quotas: [{{requests: 100, per: day}}]}}}}
accounts:
  - id: a
    plan: p
    keys: [{{id: k, key: the-key-of-account-a-0001}}, {{id: hashed, key_hash: \"sha256:{}\"}}]
payment: {{pay_url: \"https://pay.example.com/?account={{account}}\"}}
",
        &HASH[..64]
    );
    let gateway = Gateway::start(&file(&upstream, &rest)).await;
    // The provider goes on answering.
    std::mem::forget(upstream);
    gateway
}

#[tokio::test]
async fn no_answer_has_a_secret_but_the_one_that_made_it() {
    let gateway = gateway().await;
    let post = |path: &str, body: Value| gateway.admin("POST", path).json(&body.to_string()).send();
    served(&gateway.chat(KEY, CHAT).send().await);
    assert_eq!(
        post("/admin/v1/accounts", json!({"id": "b", "plan": "p"}))
            .await
            .status,
        201
    );
    let made = post("/admin/v1/keys", json!({"account": "b", "id": "made"})).await;
    let first = made.value()["key"].as_str().unwrap().to_owned();
    let rotated = post("/admin/v1/keys/made/rotate", json!({})).await;
    let second = rotated.value()["key"].as_str().unwrap().to_owned();
    assert_eq!(rotated.text().matches(&second).count(), 1);
    assert!(!rotated.text().contains(&first));
    for key in [&first, &second] {
        served(&gateway.chat(key, CHAT).send().await);
    }
    gateway.calls(3).await;

    let digest = |key: &str| faregate::domain::KeyDigest::of(key.as_bytes()).to_string();
    let secrets = [
        KEY.to_owned(),
        first.clone(),
        second.clone(),
        first[12..].to_owned(),
        second[12..].to_owned(),
        HASH[..64].to_owned(),
        digest(KEY),
        digest(&first),
        digest(&second),
        TOKEN.to_owned(),
        "sk-upstream".to_owned(),
        "sk-claude".to_owned(),
    ];
    let calls: [(&str, &str, Value); 27] = [
        ("GET", "/admin/v1/accounts", json!(null)),
        ("GET", "/admin/v1/accounts/a", json!(null)),
        ("GET", "/admin/v1/accounts/b", json!(null)),
        ("GET", "/admin/v1/keys", json!(null)),
        ("GET", "/admin/v1/keys?account=a", json!(null)),
        ("GET", "/admin/v1/keys/k", json!(null)),
        ("GET", "/admin/v1/keys/hashed", json!(null)),
        ("GET", "/admin/v1/keys/made", json!(null)),
        ("GET", "/admin/v1/plans", json!(null)),
        ("GET", "/admin/v1/calls", json!(null)),
        ("GET", "/admin/v1/usage?by=key", json!(null)),
        ("GET", "/metrics", json!(null)),
        ("GET", "/healthz", json!(null)),
        ("GET", "/readyz", json!(null)),
        ("GET", "/admin/v1/nothing", json!(null)),
        ("GET", "/admin/v1/keys/nobody", json!(null)),
        ("PATCH", "/admin/v1/keys/made", json!({"disabled": true})),
        ("PATCH", "/admin/v1/keys/k", json!({"disabled": true})),
        ("PATCH", "/admin/v1/accounts/b", json!({"plan": "nope"})),
        (
            "PATCH",
            "/admin/v1/accounts/b",
            json!({"nonsense": TOKEN.len()}),
        ),
        (
            "PUT",
            "/admin/v1/accounts/b/subscription",
            json!({"status": "active"}),
        ),
        ("DELETE", "/admin/v1/accounts/b/subscription", json!(null)),
        (
            "POST",
            "/admin/v1/accounts",
            json!({"id": "b", "plan": "p"}),
        ),
        (
            "POST",
            "/admin/v1/keys",
            json!({"account": "b", "id": "made"}),
        ),
        ("POST", "/admin/v1/keys/hashed/rotate", json!({})),
        ("DELETE", "/admin/v1/keys/made", json!(null)),
        ("POST", "/admin/v1/keys/made/rotate", json!({})),
    ];
    for (method, path, body) in calls {
        let call = gateway.admin(method, path);
        let call = if body.is_null() {
            call
        } else {
            call.json(&body.to_string())
        };
        let answer = call.send().await;
        let head: String = answer
            .headers
            .iter()
            .map(|(_, value)| value.to_str().unwrap())
            .collect();
        for secret in &secrets {
            assert!(
                !answer.text().contains(secret.as_str()),
                "{method} {path}: {}",
                answer.text()
            );
            assert!(!head.contains(secret.as_str()), "{method} {path}: {head}");
        }
        assert_eq!(
            answer.header("cache-control"),
            Some("no-store"),
            "{method} {path}"
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn nothing_is_done_without_the_token() {
    let gateway = gateway().await;
    let call = |method: &str, path: &str| Call::new(gateway.admin, method, path);
    for (method, path) in [
        ("GET", "/admin/v1/accounts"),
        ("GET", "/admin/v1/nothing"),
        ("POST", "/admin/v1/keys"),
        ("DELETE", "/admin/v1/keys/k"),
        ("BREW", "/admin/v1/keys"),
        ("GET", "/"),
    ] {
        let padded = format!("Bearer {TOKEN} ");
        let short = format!("Bearer {}", &TOKEN[1..]);
        let basic = format!("Basic {TOKEN}");
        for field in [
            "",
            "Bearer ",
            &padded[..padded.len() - 2],
            &short,
            &basic,
            TOKEN,
            &format!("Bearer {KEY}"),
        ] {
            let answer = call(method, path)
                .header("authorization", field)
                .send()
                .await;
            assert_eq!(
                answer.status,
                401,
                "{method} {path} {field}: {}",
                answer.text()
            );
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        assert_eq!(call(method, path).send().await.status, 401);
        let twice = call(method, path).bearer(TOKEN).bearer(TOKEN).send().await;
        assert_eq!(twice.status, 401);
        let query = call(method, &format!("{path}?token={TOKEN}&key={TOKEN}"))
            .send()
            .await;
        assert_eq!(query.status, 401);
    }
    // Probes and metrics are for machines without secrets.
    for path in ["/healthz", "/readyz", "/metrics"] {
        served(&call("GET", path).send().await);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_mistake_is_told_and_changes_nothing() {
    let gateway = gateway().await;
    let send = |method: &str, path: &str, body: &str| gateway.admin(method, path).json(body).send();
    let before = gateway.admin("GET", "/admin/v1/keys").send().await.value();
    for (method, path, body, status) in [
        ("POST", "/admin/v1/keys", "{}", 400),
        ("POST", "/admin/v1/keys", "nonsense", 400),
        ("POST", "/admin/v1/keys", r#"{"account":"nobody"}"#, 404),
        ("POST", "/admin/v1/keys", r#"{"account":"a","id":"k"}"#, 409),
        (
            "POST",
            "/admin/v1/keys",
            r#"{"account":"a","id":"a b"}"#,
            400,
        ),
        (
            "POST",
            "/admin/v1/keys",
            r#"{"account":"a","expires_at":"2026-11-19T00:00:00Z"}"#,
            400,
        ),
        (
            "POST",
            "/admin/v1/keys",
            r#"{"account":"a","allowed_ips":["10.0.0.0/33"]}"#,
            400,
        ),
        (
            "POST",
            "/admin/v1/keys",
            r#"{"account":"a","quotas":[{"requests":1,"per":"day"},{"requests":2,"per":"day"}]}"#,
            400,
        ),
        ("PATCH", "/admin/v1/keys/k", r#"{"disabled":true}"#, 409),
        ("DELETE", "/admin/v1/keys/k", "", 409),
        ("POST", "/admin/v1/keys/k/rotate", "{}", 409),
        ("PUT", "/admin/v1/keys/k", "{}", 405),
        ("DELETE", "/admin/v1/accounts/a", "", 405),
        ("GET", "/admin/v1/keys/k/rotate", "", 405),
        (
            "POST",
            "/admin/v1/accounts",
            r#"{"id":"b","plan":"nope"}"#,
            400,
        ),
        ("GET", "/admin/v1/keys?limit=0", "", 400),
        ("GET", "/admin/v1/keys?limit=1001", "", 400),
        ("GET", "/admin/v1/keys?what=1", "", 400),
    ] {
        let answer = send(method, path, body).await;
        assert_eq!(
            answer.status,
            status,
            "{method} {path} {body}: {}",
            answer.text()
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(answer.value()["status"], status);
        assert_eq!(
            answer.header("allow").is_some(),
            status == 405,
            "{method} {path}"
        );
    }
    let after = gateway.admin("GET", "/admin/v1/keys").send().await.value();
    assert_eq!(before, after);
    gateway.stop().await;
}

#[tokio::test]
async fn one_of_many_who_create_the_same_wins() {
    let gateway = gateway().await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let call = gateway
                .admin("POST", "/admin/v1/keys")
                .json(r#"{"account":"a","id":"same"}"#);
            tokio::spawn(call.send())
        })
        .collect();
    let mut statuses = Vec::new();
    let mut secrets = BTreeSet::new();
    for task in tasks {
        let answer = within("a key was answered for", task).await.unwrap();
        statuses.push(answer.status.as_u16());
        secrets.extend(answer.value()["key"].as_str().map(str::to_owned));
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (201, &[409; 19][..]));
    let secret = secrets.into_iter().next().unwrap();
    served(&gateway.chat(&secret, CHAT).send().await);
    gateway.stop().await;
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let gateway = gateway().await;
    for number in 0..7 {
        let body = json!({"id": format!("b{number}"), "plan": "p"}).to_string();
        assert_eq!(
            gateway
                .admin("POST", "/admin/v1/accounts")
                .json(&body)
                .send()
                .await
                .status,
            201
        );
    }
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = gateway
            .admin("GET", &format!("/admin/v1/accounts?limit=3{cursor}"))
            .send()
            .await
            .value();
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= 3);
        ids.extend(
            data.iter()
                .map(|account| account["id"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(ids, ["a", "b0", "b1", "b2", "b3", "b4", "b5", "b6"]);
    gateway.stop().await;
}

#[tokio::test]
async fn an_entry_that_was_posted_is_found_again_after_its_end() {
    let gateway = gateway().await;
    let post =
        |path: &str, body: &Value| gateway.admin("POST", path).json(&body.to_string()).send();
    let made = post("/admin/v1/accounts", &json!({"id": "b", "plan": "p"})).await;
    assert_eq!(made.status, 201);
    let end = "2026-11-20T12:00:30Z";
    let credit = "/admin/v1/accounts/a/credit";
    let gift = json!({"amount": "5", "id": "gift", "expires_at": end});
    let moved = json!({"from": "a", "to": "b", "amount": "1", "id": "move", "expires_at": end});
    let first = post(credit, &gift).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let sent = post("/admin/v1/credit/transfer", &moved).await;
    assert_eq!(sent.status, 201, "{}", sent.text());
    gateway.pass(std::time::Duration::from_secs(60));
    let again = post(credit, &gift).await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(
        (&again.value()["entry"], &again.value()["existed"]),
        (&first.value()["entry"], &json!(true))
    );
    let again = post("/admin/v1/credit/transfer", &moved).await;
    assert_eq!(again.status, 200, "{}", again.text());
    // What was never posted has passed, whatever its id.
    for body in [
        json!({"amount": "5", "id": "late", "expires_at": end}),
        json!({"amount": "5", "expires_at": end}),
    ] {
        let late = post(credit, &body).await;
        assert_eq!(late.status, 400, "{}", late.text());
        assert!(late.text().contains("which has passed"), "{}", late.text());
    }
    let late = json!({"from": "a", "to": "b", "amount": "1", "id": "late", "expires_at": end});
    let late = post("/admin/v1/credit/transfer", &late).await;
    assert_eq!(late.status, 400, "{}", late.text());
    // Another entry of that id is a conflict, as before its end.
    let other = json!({"amount": "6", "id": "gift", "expires_at": end});
    assert_eq!(post(credit, &other).await.status, 409);
    gateway.stop().await;
}

#[tokio::test]
async fn usage_comes_in_pages_too() {
    let gateway = gateway().await;
    let body = json!({"account": "a", "id": "made"}).to_string();
    let made = gateway.admin("POST", "/admin/v1/keys").json(&body);
    let made = made.send().await.value();
    for key in [KEY, made["key"].as_str().unwrap()] {
        served(&gateway.chat(key, CHAT).send().await);
    }
    let usage = async |query: &str| {
        let path = format!("/admin/v1/usage?by=key{query}");
        let page = gateway.admin("GET", &path).send().await.value();
        let groups = page["data"].as_array().unwrap().iter();
        let groups: Vec<Value> = groups.map(|row| row["group"].clone()).collect();
        (json!(groups), page["next_cursor"].clone())
    };
    assert_eq!(usage("").await, (json!(["k", "made"]), json!(null)));
    assert_eq!(usage("&limit=1").await, (json!(["k"]), json!("k")));
    assert_eq!(
        usage("&limit=1&cursor=k").await,
        (json!(["made"]), json!(null))
    );
    let wrong = gateway.admin("GET", "/admin/v1/usage?limit=1001");
    assert_eq!(wrong.send().await.status, 400);
    gateway.stop().await;
}

//! Files with mistakes where secrets are: what is said about them repeats none.

use tempfile::TempDir;

use super::tells_none;
use crate::harness::{Daemon, faregate, write};

const LEAK: &str = "canary-99";

#[tokio::test]
async fn no_mistake_is_explained_with_a_secret() {
    let folder = TempDir::new().unwrap();
    let mistakes = [
        "admin: {token: canary-99}",
        "admin: {token: [canary-99]}",
        "admin: {token: abc,canary-99}",
        "admin: {token: abc,def, canary-99}",
        "admin: {tokn: abc,canary-99}",
        "providers: {p: {kind: openai, api_key: abc,canary-99, base_url: \"http://x\"}}",
        "notifications: {webhooks: [{url: https://hook.example/?key=abc,canary-99, secrets: [x]}]}",
        "admin: {token: {file: /nowhere, canary-99: x}}",
        "store: {url: \"postgres://me:canary-99@db.example/faregate\"}",
        "store: {url: \"mysql://me:canary-99@db.example/faregate\"}",
        "providers: {p: {kind: openai, api_key: [canary-99]}}",
        "providers: {p: {kind: openai, api_key: {canary-99: x}}}",
        "providers: {p: {kind: openai, api_key: \"canary-99\\n\"}}",
        "providers: {p: {kind: openai, base_url: \"https://me:canary-99@api.example\", api_key: x}}",
        "providers: {p: {kind: http, base_url: \"http://x\", credential: {header: \"a b\", value: canary-99}}}",
        "providers: {p: {kind: http, base_url: \"http://x\", credential: {header: host, value: canary-99}}}",
        "plans: {p: {}}\naccounts: [{id: a, plan: p, keys: [{id: k, key: canary-99}, {id: l, key: canary-99}]}]",
        "plans: {p: {}}\naccounts: [{id: a, plan: p, keys: [{id: k, key: [canary-99]}]}]",
        "plans: {p: {}}\naccounts: [{id: a, plan: p, keys: [{id: k, key_hash: \"sha256:canary-99\"}]}]",
        "payment: {webhooks: {stripe: {secrets: [canary-99]}}}",
        "payment: {webhooks: {stripe: {secrets: {canary-99: x}}}}",
        "payment: {webhooks: {standard: {secrets: [\"whsec_canary-99\"]}}}",
        "notifications: {webhooks: [{url: \"https://me:canary-99@hook.example\", secrets: [x]}]}",
        "notifications: {webhooks: [{url: \"https://hook.example\", secrets: [\"whsec_canary-99\"]}]}",
        "notifications: {email: {smtp: \"smtp://me:canary-99@mail.example:25\", from: a@b.example}}",
        "notifications: {email: {smtp: \"gopher://me:canary-99@mail.example\", from: a@b.example}}",
        "notifications: {email: {smtp: \"smtps://me:canary-99@:99999\", from: a@b.example}}",
        "server: {tls: {certificate: nowhere.pem, private_key: secret.pem}}",
    ];
    std::fs::write(
        folder.path().join("secret.pem"),
        format!("-----BEGIN PRIVATE KEY-----\n{LEAK}\n-----END PRIVATE KEY-----\n"),
    )
    .unwrap();
    for mistake in mistakes {
        write(folder.path(), &format!("{mistake}\n"));
        for command in ["check", "accounts list", "keys list --json"] {
            let output = faregate(folder.path(), command);
            tells_none(&[LEAK], mistake, &output.stdout);
            tells_none(&[LEAK], mistake, &output.stderr);
        }
        let checked = faregate(folder.path(), "check");
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        let warned = checked.status.success() && said.contains("warning");
        assert!(
            checked.status.code() == Some(78) || warned,
            "{mistake}: {said}"
        );
        if checked.status.code() == Some(78) {
            let (code, said) = Daemon::fails_in(folder.path()).await;
            assert_eq!(code, Some(78), "{mistake}: {said}");
            tells_none(&[LEAK], mistake, &said);
        }
    }
}

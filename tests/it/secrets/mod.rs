//! What nobody may ever read: a dozen marked secrets, driven through every route and fault, and looked for everywhere
//! that something is written or told.

mod drive;
mod echoed;
mod everywhere;
mod files;
mod mistaken;
mod streamed;
mod tls;

use crate::harness::Upstream;

/// The key of an account, as the file has it.
const CLIENT_KEY: &str = "canary-01-key-of-a-client";
/// The key of another account, which comes in the query.
const QUERY_KEY: &str = "canary-02-key-in-the-query";
const PROVIDER_KEY: &str = "canary-03-key-of-a-provider";
const CREDENTIAL: &str = "canary-04-credential-of-an-api";
const ADMIN_TOKEN: &str = "canary-05-admin-token-of-32-bytes-or-more";
const WEBHOOK_SECRET: &str = "canary-06-secret-of-payment-events";
/// Base64 of 27 bytes.
const HOOK_SECRET: &str = "Y2FuYXJ5LTA3LXNlY3JldC1vZi1hLWhvb2sh";
const MAIL_PASSWORD: &str = "canary-08-password-of-the-mail-server";
const WRONG_KEY: &str = "canary-09-key-that-opens-nothing";
const COOKIE: &str = "canary-10-cookie";
const PROMPT: &str = "canary-11-what-was-asked";
const REPLY: &str = "canary-12-what-was-answered";
const WRONG_TOKEN: &str = "canary-13-token-that-opens-nothing";
const PROVIDERS_WORDS: &str = "canary-14-what-a-provider-says-of-itself";

/// All of them.
const SECRETS: [&str; 14] = [
    CLIENT_KEY,
    QUERY_KEY,
    PROVIDER_KEY,
    CREDENTIAL,
    ADMIN_TOKEN,
    WEBHOOK_SECRET,
    HOOK_SECRET,
    MAIL_PASSWORD,
    WRONG_KEY,
    COOKIE,
    PROMPT,
    REPLY,
    WRONG_TOKEN,
    PROVIDERS_WORDS,
];

/// What is said in a conversation is for those who have it, and for nobody else.
const CONVERSATION: [&str; 3] = [PROMPT, REPLY, PROVIDERS_WORDS];

/// Fails where `text` has one of `secrets`.
#[track_caller]
fn tells_none(secrets: &[&str], what: &str, text: impl AsRef<[u8]>) {
    let text = text.as_ref();
    for secret in secrets {
        let found = text
            .windows(secret.len())
            .position(|part| part == secret.as_bytes());
        if let Some(at) = found {
            let around = &text[at.saturating_sub(400)..text.len().min(at + 400)];
            panic!(
                "{what} tells {secret}: …{}…",
                String::from_utf8_lossy(around)
            );
        }
    }
}

/// A file with every secret in it. Nobody listens at port 1.
fn yaml(upstream: &Upstream, receiver: &Upstream) -> String {
    let url = upstream.url();
    format!(
        r#"
server: {{listen: "127.0.0.1:0"}}
admin: {{listen: "127.0.0.1:0", token: {ADMIN_TOKEN}}}
store: {{url: "sqlite:${{folder}}/faregate.db", in_flight: 64}}
log: {{format: json}}
providers:
  up: {{kind: openai, base_url: "{url}/v1", api_key: {PROVIDER_KEY}, timeouts: {{first_byte: 100ms, idle: 100ms}}}}
  an: {{kind: anthropic, base_url: "{url}", api_key: {PROVIDER_KEY}}}
  web: {{kind: http, base_url: "{url}/base", credential: {{header: x-token, value: {CREDENTIAL}}}}}
  gone: {{kind: openai, base_url: "http://127.0.0.1:1/v1", api_key: {PROVIDER_KEY}}}
  plain: {{kind: openai, base_url: "https://{address}/v1", api_key: {PROVIDER_KEY}}}
models:
  m: {{provider: up, model: real-m, context_window: 100000, max_output_tokens: 500}}
  c: {{provider: an, model: real-c, context_window: 100000, max_output_tokens: 500}}
  gone: {{provider: gone, context_window: 100000, max_output_tokens: 500}}
  plain: {{provider: plain, context_window: 100000, max_output_tokens: 500}}
prices:
  m: {{input: 1, output: 1}}
  c: {{input: 1, output: 1}}
  gone: {{input: 1, output: 1}}
  plain: {{input: 1, output: 1}}
routes:
  - {{path: /}}
  - {{path: /web, provider: web, strip_prefix: true, meter: requests, price_per_request: 0}}
plans:
  p: {{credit: required, quotas: [{{requests: 100000, per: day}}]}}
  poor: {{quotas: [{{requests: 1, per: day}}]}}
accounts:
  - {{id: a, plan: p, credit: 100, email: a@example.com, keys: [{{id: k, key: {CLIENT_KEY}}}]}}
  - {{id: b, plan: poor, keys: [{{id: l, key: {QUERY_KEY}}}]}}
payment: {{webhooks: {{stripe: {{secrets: [{WEBHOOK_SECRET}]}}}}}}
notifications:
  webhooks: [{{url: "{receiver}/hook", secrets: ["whsec_{HOOK_SECRET}"]}}]
  email: {{smtp: "smtps://me:{MAIL_PASSWORD}@127.0.0.1:1", from: me@example.com, to: [ops@example.com]}}
  allow_private_targets: [127.0.0.0/8]
"#,
        address = upstream.address,
        receiver = receiver.url(),
    )
}

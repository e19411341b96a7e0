//! The configuration that most tests share: one scripted provider behind every kind and route.

/// A key whose calls no quota counts.
pub(crate) const KEY: &str = "the-key-of-account-free-0001";
/// A key whose tokens and requests are limited, generously.
pub(crate) const LIMITED: &str = "the-key-of-account-tight-001";

/// A file where everything goes to `url`. `options` are added to each provider: `, timeouts: {idle: 1s}`.
pub(crate) fn shared_config(url: &str, options: &str) -> String {
    format!(
        r#"
providers:
  up: {{kind: openai, base_url: "{url}/v1", api_key: sk-upstream{options}}}
  an: {{kind: anthropic, base_url: "{url}", api_key: sk-ant-upstream{options}}}
  web: {{kind: http, base_url: "{url}/base", credential: {{header: x-token, value: web-token}}{options}}}
models:
  m: {{provider: up, model: real-m, context_window: 100000, max_output_tokens: 5000}}
  c: {{provider: an, model: real-c, context_window: 100000, max_output_tokens: 5000}}
routes:
  - {{path: /}}
  - {{path: /raw, provider: up, strip_prefix: true, meter: requests}}
  - {{path: /ant, provider: an, strip_prefix: true, meter: requests}}
  - {{path: /web, provider: web, strip_prefix: true, meter: requests}}
  - {{path: /kept, provider: up, meter: requests}}
plans:
  free: {{rate_limits: {{concurrent_requests: 1000}}}}
  tight: {{quotas: [{{tokens: 100000000, per: day}}, {{requests: 1000000, per: day}}], rate_limits: {{concurrent_requests: 1000}}}}
accounts:
  - {{id: free, plan: free, keys: [{{id: free-key, key: {KEY}}}]}}
  - {{id: tight, plan: tight, keys: [{{id: tight-key, key: {LIMITED}}}]}}
"#
    )
}

use super::{compiled, problems, warnings};

#[test]
fn names_that_lead_nowhere_are_reported() {
    insta::assert_snapshot!(problems(
        "providers: {openai: {kind: openai, base_url: 'http://127.0.0.1:1'}, web: {kind: http, base_url: 'http://127.0.0.1:2'}}
models: {gpt-4o: {provider: opnai}, page: {provider: web}, mini: {provider: openai, context_window: 10, max_output_tokens: 11}}
routes: [{path: /a, provider: openia}, {path: /b, provider: openai, dialect: anthropic}, {path: /b}]
plans: {free: {models: [gpt-40, mini]}, pro: {quotas: [{requests: 1, per: period}]}}
accounts:
  - {id: a, plan: prof, models: [minni]}
  - {id: b, keys: [{id: k, key: a-key-of-more-than-twenty-letters, models: [nothing-like-it]}]}
  - {id: b, plan: free, keys: [{id: k, key: a-key-of-more-than-twenty-letters}]}
  - {id: c, plan: free, subscription: {status: active, current_period_start: 2026-11-20T00:00:00Z}}
  - {id: d, plan: free, subscription: {status: active, cancel_at_period_end: true}}
  - {id: f, plan: pro, subscription: {status: active, current_period_end: 2026-12-20T00:00:00Z}}
  - {id: g, plan: free, subscription: {status: active, current_period_end: 2026-12-20}, keys: [{id: l, key: a-key-of-more-than-twenty-lette-rs, quotas: [{requests: 1, per: period}]}]}
  - {id: e, plan: free, subscription: {status: active, current_period_start: 2026-11-20T00:00:00Z, current_period_end: 2026-11-20T00:00:00Z}}
  - {id: h, plan: free, keys: [{id: m, key: a-key-of-more-than-twenty-lett-ers, allowed_ips: []}]}
"
    ));
}

#[test]
fn paths_that_cannot_be_routes_are_reported() {
    let paths = [
        "x",
        "/x/",
        "//",
        "/a//b",
        "/a/../b",
        "/a b",
        "/ü",
        "/a%2fb",
        "/a?b",
        "/healthz",
        "/v1/faregate/limits",
        "/problems",
    ];
    let routes: Vec<String> = paths
        .iter()
        .map(|path| format!("  - {{path: \"{path}\"}}"))
        .collect();
    insta::assert_snapshot!(problems(&format!("routes:\n{}", routes.join("\n"))));
    for path in ["/", "/v1", "/healthzz", "/problem", "/a-b_c.d~e/f"] {
        let config = compiled(&format!("routes: [{{path: {path}}}]")).unwrap();
        assert_eq!(config.gateway.routes[0].path, path);
    }
}

#[test]
fn token_quotas_need_context_windows() {
    insta::assert_snapshot!(problems(
        "providers: {p: {kind: simulated}}
models: {known: {provider: p, context_window: 10}, open: {provider: p}, wide: {provider: p}}
plans:
  all: {quotas: [{tokens: 1, per: day}, {requests: 1, per: day}]}
  some: {models: [known, open], per_key: {quotas: [{tokens: 1, per: day}]}}
  fine: {models: [known], quotas: [{tokens: 1, per: day}]}
  none: {rate_limits: {tokens_per_minute: 5}}
accounts:
  - {id: a, plan: fine, quotas: [{tokens: 1, per: month}]}
  - {id: b, plan: none, models: [wide], quotas: [{tokens: 1, per: month}]}
  - {id: c, plan: none, models: [wide, known], keys: [{id: d, key: a-key-of-more-than-twenty-letters, models: [known], quotas: [{tokens: 1, per: hour}]}]}
  - {id: e, plan: none, keys: [{id: f, key: a-key-of-more-than-twenty-letters-2, quotas: [{tokens: 1, per: hour}, {tokens: 2, per: hour}]}]}
"
    ));
}

#[test]
fn without_models_one_provider_serves_a_dialect() {
    let one = "providers: {a: {kind: openai, base_url: 'http://127.0.0.1:1'}, b: {kind: anthropic, base_url: 'http://127.0.0.1:2'}}\n";
    assert!(compiled(one).unwrap().gateway.models.is_none());
    insta::assert_snapshot!(problems(
        "providers:
  a: {kind: openai, base_url: 'http://127.0.0.1:1'}
  b: {kind: simulated}
  c: {kind: anthropic, base_url: 'http://127.0.0.1:1'}
plans: {p: {models: [anything], quotas: [{tokens: 1, per: day}]}}
"
    ));
}

#[test]
fn what_does_not_fit_a_provider_is_reported() {
    insta::assert_snapshot!(problems(
        "models: {}
providers:
  a: {kind: openai, api_key: x, credential: {header: x-a, value: y}}
  b: {kind: http}
  c: {kind: http, base_url: 'https://c.example.com', api_key: x}
  d: {kind: anthropic, stream_usage: false, seed: 1}
  e: {kind: openai, base_url: 'https://e.example.com', credential: {header: Content-Length, value: y}}
  f: {kind: openai, base_url: 'http://127.0.0.1', ca: ca.pem}
  g: {kind: openai, api_key: \"x\\ny\"}
  h: {kind: openai, credential: {header: x-y}}
"
    ));
}

#[test]
fn what_is_seldom_meant_is_a_warning() {
    insta::assert_snapshot!(warnings(
        "server: {listen: 0.0.0.0:8402, trusted_proxies: [10.0.0.0/8, '::/0']}
admin: {listen: 0.0.0.0:8403, token: 0123456789abcdef0123456789abcdef}
providers: {o: {kind: openai}, web: {kind: http, base_url: 'http://127.0.0.1:1'}}
models: {}
routes: [{path: /o, provider: o}, {path: /p, provider: o, accounts: [a, bb]}, {path: /q, provider: o, accounts: [a]}, {path: /r, provider: o, accounts: []}]
plans: {p: {}}
accounts: [{id: a, plan: p, keys: [{id: k, key: short}, {id: l, key: demo-key-for-everybody}]}, {id: b, plan: p}]
"
    ));
}

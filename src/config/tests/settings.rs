use std::{path::Path, sync::Arc, time::Duration};

use super::{Fixed, compiled};
use crate::{
    admission::WrongKeys,
    config::{LogFormat, locate, locate::among, parse},
    domain::{LimitStatus, Mode, NanoUsd, Per, Timestamp, Unit},
    gateway::{BodyLimits, RouteDialect, RouteMeter},
    listener::{Http2, Timeouts},
    metering::DisconnectPolicy,
    providers::ProviderKind,
    store::Location,
    upstream::{self, OutputLimitField},
};

#[test]
fn an_empty_file_has_every_default() {
    let config = compiled("").unwrap();
    let listener = &config.listener;
    assert_eq!(listener.address.to_string(), "127.0.0.1:8402");
    assert!(listener.tls.is_none());
    assert_eq!(listener.connections, 10_000);
    assert_eq!(listener.timeouts, Timeouts::default());
    assert_eq!(listener.http2, Http2::default());
    let gateway = &config.gateway;
    assert_eq!(gateway.limits, BodyLimits::default());
    assert_eq!(gateway.wrong_keys, WrongKeys::default());
    assert_eq!(listener.head_bytes, gateway.limits.head);
    assert_eq!(listener.fields, gateway.limits.fields);
    assert_eq!(gateway.links.public_url, "http://127.0.0.1:8402");
    assert_eq!(gateway.heartbeat, Some(Duration::from_secs(15)));
    assert_eq!(
        gateway.subscriptions.grace_period,
        Duration::from_secs(7 * 86_400)
    );
    assert_eq!(
        gateway.subscriptions.renewal_leeway,
        Duration::from_secs(86_400)
    );
    assert!(
        gateway.models.is_none() && gateway.providers.is_empty() && gateway.cors.origins.is_empty()
    );
    let routes: Vec<&str> = gateway
        .routes
        .iter()
        .map(|route| route.path.as_str())
        .collect();
    assert_eq!(routes, ["/"]);
    assert_eq!(gateway.routes[0].dialect, RouteDialect::Auto);
    assert_eq!(
        config.store.location,
        Location::File("/etc/test/faregate.db".into())
    );
    assert_eq!(
        config.store.keep_calls,
        Some(Duration::from_secs(400 * 86_400))
    );
    assert_eq!(config.drain, Duration::from_secs(120));
    assert_eq!(config.log, LogFormat::Auto);
    assert!(config.admin.is_none() && config.roster.accounts.is_empty());
    assert!(config.warnings.is_empty());
}

#[test]
fn empty_lists_mean_none() {
    let config = compiled("routes: []\nmodels: {}\nstore: {url: 'sqlite::memory:', retention: {calls: forever}}\nstreaming: {heartbeat: 0}").unwrap();
    assert!(config.gateway.routes.is_empty());
    assert_eq!(config.gateway.models, Some(Vec::new()));
    assert_eq!(config.store.location, Location::Memory);
    assert_eq!(config.store.keep_calls, None);
    assert_eq!(config.gateway.heartbeat, None);
}

#[test]
fn vendors_have_their_address_and_credential() {
    let config = compiled(
        "providers:
  one: {kind: openai, api_key: sk-1}
  two: {kind: anthropic, api_key: sk-2, on_client_disconnect: drain}
  three: {kind: openai, base_url: 'http://127.0.0.1:8000/', output_limit_field: max_tokens, stream_usage: false, timeouts: {idle: 1s}}
  four: {kind: http, base_url: 'https://search.example.com/api', credential: {header: X-Token, value: abc}}
  five: {kind: simulated, seed: 7}
models: {m: {provider: one}}
routes: [{path: /search, provider: four, strip_prefix: true, meter: requests}]",
    )
    .unwrap();
    let providers = &config.gateway.providers;
    let shown: Vec<String> = providers
        .iter()
        .map(|provider| {
            let credential = provider.credential.as_ref().map(|credential| {
                assert!(credential.value().is_sensitive());
                format!(
                    "{}: {}",
                    credential.header(),
                    credential.value().to_str().unwrap()
                )
            });
            let kind = provider.kind.as_str();
            format!(
                "{} {kind} {} {credential:?}",
                provider.id, provider.base_url
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "one openai https://api.openai.com/v1 Some(\"authorization: Bearer sk-1\")",
            "two anthropic https://api.anthropic.com Some(\"x-api-key: sk-2\")",
            "three openai http://127.0.0.1:8000 None",
            "four http https://search.example.com/api Some(\"x-token: abc\")",
            "five simulated http://127.0.0.1:0 None",
        ]
    );
    assert!(Arc::ptr_eq(&providers[0].tls, &providers[3].tls));
    assert_eq!(providers[0].timeouts, upstream::Timeouts::default());
    assert_eq!(providers[0].on_client_disconnect, None);
    assert_eq!(
        providers[1].on_client_disconnect,
        Some(DisconnectPolicy::Drain)
    );
    assert_eq!(providers[2].output_limit_field, OutputLimitField::MaxTokens);
    assert_eq!(providers[2].timeouts.idle, Duration::from_secs(1));
    assert!(!providers[2].stream_usage && providers[0].stream_usage);
    assert_eq!(providers[4].kind, ProviderKind::Simulated);
    assert_eq!(config.simulated[0].seed, 7);
    let route = &config.gateway.routes[0];
    assert_eq!(route.meter, Some(RouteMeter::Requests));
    assert!(route.strip_prefix && route.accounts.is_none());
}

#[test]
fn limits_plans_accounts_and_keys_arrive() {
    let config = compiled(
        "models: {m: {provider: p, model: other, context_window: 1000, max_output_tokens: 100}}
providers: {p: {kind: simulated}}
plans:
  a:
    models: [m]
    subscription: required
    rate_limits: {requests_per_minute: 1, tokens_per_minute: 2, concurrent_requests: 3}
    quotas: [{tokens: 10, per: day}, {requests: 0, per: period, status: 403, mode: shadow}]
    per_key: {quotas: [{requests: 5, per: week, status: '429'}]}
    redact: amounts
accounts:
  - id: x
    plan: a
    subscription: {status: past_due, current_period_start: 2026-11-01T00:00:00Z, current_period_end: 2026-12-01T00:00:00Z, past_due_since: 2026-11-02T00:00:00Z}
    keys:
      - {id: k, key: 'a key with spaces, long enough', expires_at: 2027-01-01T00:00:00Z, allowed_ips: [10.0.0.1, 10.0.0.0/8], disabled: true}
payment: {pay_url: 'https://pay.example.com/{account}', grace_period: 0s}
log: {format: json}",
    )
    .unwrap();
    let plan = &config.roster.plans[0];
    assert!(plan.subscription_required && plan.redact_amounts);
    assert_eq!(plan.default_max_output_tokens, 16_384);
    assert_eq!(plan.limits.rates.concurrent_requests.unwrap().get(), 3);
    let [tokens, requests] = plan.limits.quotas[..] else {
        panic!("{:?}", plan.limits.quotas)
    };
    assert_eq!(
        (tokens.unit, tokens.per, tokens.limit),
        (Unit::Tokens, Per::Day, 10)
    );
    assert_eq!(
        (tokens.status, tokens.mode),
        (LimitStatus::PaymentRequired, Mode::Enforce)
    );
    assert_eq!(
        (requests.status, requests.mode),
        (LimitStatus::Forbidden, Mode::Shadow)
    );
    assert_eq!(plan.per_key.quotas[0].status, LimitStatus::TooManyRequests);
    let account = &config.roster.accounts[0];
    let subscription = account.subscription.as_ref().unwrap();
    assert_eq!(
        subscription.past_due_since,
        "2026-11-02T00:00:00Z".parse().ok()
    );
    assert!(subscription.period.is_some() && !account.disabled);
    assert_eq!(account.created_at, Timestamp::from_millis(0));
    let key = &config.roster.keys[0];
    let digest = crate::domain::KeyDigest::of(b"a key with spaces, long enough");
    assert_eq!(key.digests[..], [(digest, None)]);
    assert_eq!(key.own.allowed_ips.len(), 2);
    assert!(key.disabled && key.own.expires_at.is_some());
    assert_eq!(
        config.gateway.models.unwrap()[0].upstream_name.as_str(),
        "other"
    );
    assert_eq!(config.log, LogFormat::Json);
    assert_eq!(config.gateway.subscriptions.grace_period, Duration::ZERO);
}

#[test]
fn an_account_may_open_with_nothing() {
    let opened = |credit: &str| {
        let text = format!("plans: {{p: {{}}}}\naccounts: [{{id: x, plan: p{credit}}}]");
        compiled(&text).unwrap().roster.accounts[0].opening_credit
    };
    assert_eq!(opened(""), None);
    assert_eq!(opened(", credit: 0"), Some(NanoUsd::ZERO));
    assert_eq!(opened(", credit: 0.00"), Some(NanoUsd::ZERO));
}

#[test]
fn a_subscription_may_say_only_when_its_period_ends() {
    let stated = |subscription: &str| {
        let text = format!(
            "plans: {{p: {{quotas: [{{requests: 1, per: month}}]}}}}
accounts: [{{id: x, plan: p, subscription: {{status: active, {subscription}}}}}]"
        );
        let config = compiled(&text).unwrap();
        config.roster.accounts[0].subscription.clone().unwrap()
    };
    let end = "2026-12-20T00:00:00Z".parse().ok();
    // A day is meant from its midnight, as on the command line.
    for date in ["2026-12-20", "2026-12-20T00:00:00Z"] {
        let alone = stated(&format!("current_period_end: {date}"));
        assert_eq!((alone.period, alone.current_period_end()), (None, end));
    }
    let ends = stated("current_period_end: 2026-12-20, cancel_at_period_end: true");
    assert!(ends.cancel_at_period_end && ends.period_end == end);
    let ends = stated("cancel_at: 2026-12-20, cancel_at_period_end: true");
    assert_eq!((ends.current_period_end(), ends.cancel_at), (None, end));
}

#[test]
fn secrets_come_from_variables_and_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("token"),
        "0123456789abcdef0123456789abcdef\r\n",
    )
    .unwrap();
    let environment = Fixed::with(&[("KEY", "{looks: like, yaml: [1]} # not a comment")]);
    let text = "admin: {token: {file: ./token}}
plans: {p: {}}
accounts: [{id: a, plan: p, keys: [{id: k, key: \"${KEY}\"}]}]";
    let config = parse(text, &folder.path().join("faregate.yaml"), &environment).unwrap();
    let token = config.admin.unwrap().token;
    assert_eq!(token.expose(), "0123456789abcdef0123456789abcdef");
    let digest = crate::domain::KeyDigest::of(b"{looks: like, yaml: [1]} # not a comment");
    assert_eq!(config.roster.keys[0].digests[0].0, digest);
}

#[test]
fn the_file_is_looked_for_in_order() {
    let named = Fixed::with(&[("FAREGATE_CONFIG", "from-variable.yaml")]);
    let flag = Path::new("from-flag.yaml");
    assert_eq!(locate(Some(flag), &named).unwrap(), flag);
    assert_eq!(
        locate(None, &named).unwrap(),
        Path::new("from-variable.yaml")
    );
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("1.yaml"), folder.path().join("2.yaml"));
    let usual = [first.as_path(), second.as_path()];
    let error = among(None, &Fixed::default(), &usual).unwrap_err();
    assert_eq!(error, crate::config::NoFile);
    std::fs::write(&second, "").unwrap();
    assert_eq!(among(None, &Fixed::default(), &usual).unwrap(), second);
    std::fs::write(&first, "").unwrap();
    assert_eq!(among(None, &Fixed::default(), &usual).unwrap(), first);
    // One that cannot be looked at is there, and is not passed over for another.
    std::fs::remove_file(&first).unwrap();
    std::os::unix::fs::symlink(&first, &first).unwrap();
    assert_eq!(among(None, &Fixed::default(), &usual).unwrap(), first);
}

#[test]
fn a_store_in_memory_is_meant_with_slashes_too() {
    for url in ["sqlite::memory:", "sqlite://:memory:"] {
        let config = compiled(&format!("store: {{url: '{url}'}}")).unwrap();
        assert_eq!(config.store.location, Location::Memory, "{url}");
    }
}

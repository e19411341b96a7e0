//! The way of a call through all checks, without a listener and without a provider.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use faregate::{
    accounts::Accounts,
    admission::{
        Admitted, Guesses, Held, Permitted, Request as Asked, WrongKeys, authenticate, policy,
        rate, reserve, standing,
    },
    call::{Catalogue, Destination, Model, Requirement, Route},
    config::Config,
    domain::{Clock, ModelName, ProviderId, RequestId, SubscriptionPolicy},
    metering::MeteringContext,
    providers::{Ask, Dialect, Endpoint, ProviderKind},
    refusal::Refusal,
    store::Store,
    telemetry::{Metrics, Vocabulary},
};
use http::{Request, request::Parts};

const SUBSCRIPTIONS: SubscriptionPolicy = SubscriptionPolicy {
    grace_period: Duration::ZERO,
    renewal_leeway: Duration::ZERO,
};

/// What the checks need: accounts, a route and a model `m` for chat completions, metering and its store.
pub(crate) struct Checks {
    pub(crate) accounts: Accounts,
    pub(crate) metering: Arc<MeteringContext>,
    pub(crate) store: Store,
    destination: Destination,
    catalogue: Catalogue,
    guesses: Guesses,
    body: Bytes,
    ask: Ask,
}

impl Checks {
    /// The accounts and the store of `config`, and calls with this body.
    pub(crate) fn new(config: Config, clock: &Clock, body: &'static str) -> Self {
        let (store, _) = Store::open(&config.store, clock.clone()).unwrap();
        let metrics = Metrics::new(Vocabulary {
            dialects: &[],
            codes: &[],
            outcomes: &["completed", "client_closed"],
        });
        let accounts = Accounts::new(clock.clone(), Vec::new());
        accounts.publish(config.roster);
        let route = Arc::new(Route {
            path: "/".into(),
            provider: None,
            counts_requests: false,
            price_per_request: None,
            accounts: None,
            calls: Vec::new(),
        });
        let name = ModelName::parse("m").unwrap();
        let catalogue = Catalogue::of(vec![Model {
            name: name.clone(),
            kind: ProviderKind::OpenAi,
            provider: ProviderId::parse("up").unwrap(),
            upstream_name: name,
            context_window: Some(1000),
            max_output_tokens: Some(500),
            prices: None,
        }]);
        let (endpoint, body) = (
            Endpoint::ChatCompletions,
            Bytes::from_static(body.as_bytes()),
        );
        let target = "/v1/chat/completions".parse().unwrap();
        Self {
            metering: Arc::new(MeteringContext::new(
                store.ledger(),
                clock.clone(),
                Arc::new(metrics),
            )),
            destination: Destination::new(route, Dialect::OpenAi, endpoint, target, 0),
            guesses: Guesses::new(WrongKeys::default(), clock.clone()),
            ask: Ask::read(endpoint, &body).unwrap(),
            accounts,
            store,
            catalogue,
            body,
        }
    }

    /// The head of a call with this key.
    pub(crate) fn head(key: Option<&str>) -> Parts {
        let mut request = Request::post("/v1/chat/completions").header("host", "localhost");
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        request.body(()).unwrap().into_parts().0
    }

    /// The checks of the head.
    pub(crate) fn admit(&self, head: &Parts) -> Result<Admitted, Refusal> {
        let clock = &self.metering.clock;
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let directory = self.accounts.directory();
        let route = Some(&*self.destination.route);
        let caller = authenticate(&directory, &self.guesses, head, route, client, clock.now())?;
        let subscriber = standing(caller, Requirement::Full, SUBSCRIPTIONS, clock)?;
        rate(subscriber, Requirement::Full, clock)
    }

    /// The check of the body.
    pub(crate) fn permit(&self, admitted: Admitted) -> Result<Permitted, Refusal> {
        let (to, ask, now) = (
            &self.destination,
            Some(&self.ask),
            self.metering.clock.now(),
        );
        policy(admitted, to, ask, &self.catalogue, &self.accounts, now)
    }

    /// The last check.
    pub(crate) async fn reserve(&self, permitted: Permitted) -> Result<Held, Refusal> {
        let clock = &self.metering.clock;
        let asked = Asked {
            id: RequestId::new(clock.now()),
            at: clock.now(),
            arrived: clock.elapsed(),
            destination: &self.destination,
            ask: Some(&self.ask),
            body: &self.body,
            idempotency_key: None,
        };
        reserve(permitted, asked, &self.metering).await
    }
}

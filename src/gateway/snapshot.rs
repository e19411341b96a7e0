//! Settings compiled for requests: routes by length, models by name, connections kept across a reload.

use std::{collections::HashMap, sync::Arc};

use super::{
    ModelSettings, RouteDialect, RouteMeter, RouteSettings, Settings, route::calls, settings::Cors,
};
use crate::{
    admission::Guesses,
    call::{Catalogue, Model, Route},
    domain::{Clock, ProviderId},
    gateway::BodyLimits,
    providers::{Dialect, ProviderKind},
    refusal::Links,
    upstream::{self, Upstream},
    webhooks,
};

/// What requests read. A reload publishes another one; requests under way keep theirs.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) routes: Vec<Prefix>,
    /// Whether a route's path may be written in another way without any sign that a reader would undo: in small letters.
    pub(super) capitals: bool,
    pub(super) catalogue: Catalogue,
    pub(super) upstreams: HashMap<ProviderId, Arc<Upstream>>,
    pub(super) limits: BodyLimits,
    pub(super) links: Arc<Links>,
    pub(super) cors: Cors,
    pub(super) subscriptions: crate::domain::SubscriptionPolicy,
    pub(super) trusted_proxies: Vec<ipnet::IpNet>,
    pub(super) guesses: Arc<Guesses>,
    pub(super) heartbeat: Option<std::time::Duration>,
    pub(super) webhooks: webhooks::Settings,
}

/// A route and how its prefix is read.
#[derive(Debug)]
pub(super) struct Prefix {
    pub(super) route: Arc<Route>,
    pub(super) dialect: RouteDialect,
    pub(super) strip: bool,
    /// Where every model's name is taken, the providers' own lists of models are the only ones there are.
    lists: Vec<(ProviderKind, Arc<Route>)>,
}

impl Prefix {
    /// The route to the provider whose list of models answers in `dialect`.
    pub(super) fn listing(&self, dialect: Dialect) -> Option<Arc<Route>> {
        let found = self.lists.iter().find(|(kind, _)| kind.speaks(dialect));
        found.map(|(_, route)| Arc::clone(route))
    }
}

/// Providers in the order of the file, and what each speaks.
type Kinds = Vec<(ProviderId, ProviderKind)>;

impl Snapshot {
    /// Compiles `settings`. Providers that did not change keep their connections; a limit that did starts fresh.
    pub fn compile(settings: Settings, previous: Option<&Self>, clock: &Clock) -> Self {
        let Settings {
            providers,
            models,
            routes,
            limits,
            links,
            subscriptions,
            trusted_proxies,
            wrong_keys,
            heartbeat,
            cors,
            webhooks,
        } = settings;
        let kinds: Kinds = providers
            .iter()
            .map(|provider| (provider.id.clone(), provider.kind))
            .collect();
        let catalogue = catalogue(models, &kinds);
        // Where every model's name is taken, lists of models are the providers' own.
        let listers: &[_] = if catalogue.is_open() { &kinds } else { &[] };
        let mut routes: Vec<Prefix> = routes
            .into_iter()
            .map(|settings| prefix(settings, &kinds, listers))
            .collect();
        routes.sort_by_key(|prefix| std::cmp::Reverse(prefix.route.path.len()));
        let calls: Vec<_> = (0..routes.len()).map(|at| calls(&routes, at)).collect();
        for (prefix, calls) in routes.iter_mut().zip(calls) {
            if let Some(route) = Arc::get_mut(&mut prefix.route) {
                route.calls = calls;
            }
        }
        let upstreams = providers.into_iter().map(|provider| {
            let kept = previous
                .and_then(|previous| previous.upstreams.get(&provider.id))
                .filter(|upstream| unchanged(upstream.settings(), &provider));
            (
                provider.id.clone(),
                kept.map_or_else(|| Arc::new(Upstream::new(provider)), Arc::clone),
            )
        });
        let upstreams = upstreams.collect();
        let guesses = previous
            .map(|previous| &previous.guesses)
            .filter(|guesses| guesses.limit() == wrong_keys);
        let fresh = || Arc::new(Guesses::new(wrong_keys, clock.clone()));
        let is_capital = |byte: u8| byte.is_ascii_uppercase();
        Self {
            capitals: routes
                .iter()
                .any(|prefix| prefix.route.path.bytes().any(is_capital)),
            routes,
            catalogue,
            upstreams,
            limits,
            links: Arc::new(links),
            cors,
            subscriptions,
            trusted_proxies,
            guesses: guesses.map_or_else(fresh, Arc::clone),
            heartbeat,
            webhooks,
        }
    }
}

fn catalogue(models: Option<Vec<ModelSettings>>, kinds: &Kinds) -> Catalogue {
    let Some(models) = models else {
        return Catalogue::open(kinds.clone());
    };
    let model = |model: ModelSettings| Model {
        kind: kind(&model.provider, kinds),
        name: model.name,
        provider: model.provider,
        upstream_name: model.upstream_name,
        context_window: model.context_window,
        max_output_tokens: model.max_output_tokens,
        prices: model.prices,
    };
    Catalogue::of(models.into_iter().map(model).collect())
}

/// A route, and one to each of `listers` for its list of models, where the route itself leads to no provider.
fn prefix(
    settings: RouteSettings,
    kinds: &Kinds,
    listers: &[(ProviderId, ProviderKind)],
) -> Prefix {
    let RouteSettings {
        path,
        dialect,
        provider,
        strip_prefix,
        meter,
        price_per_request,
        accounts,
    } = settings;
    let path: Arc<str> = path.into();
    let route = |provider| {
        Arc::new(Route {
            path: Arc::clone(&path),
            provider,
            counts_requests: meter == Some(RouteMeter::Requests),
            price_per_request,
            accounts: accounts.clone(),
            calls: Vec::new(),
        })
    };
    let listers = listers.iter().filter(|_| provider.is_none());
    Prefix {
        dialect,
        strip: strip_prefix,
        lists: listers
            .map(|(id, kind)| (*kind, route(Some((id.clone(), *kind)))))
            .collect(),
        route: route(provider.as_ref().map(|id| (id.clone(), kind(id, kinds)))),
    }
}

/// What a provider speaks; the configuration names none that is not among them.
fn kind(provider: &ProviderId, kinds: &Kinds) -> ProviderKind {
    let found = kinds.iter().find(|(id, _)| id == provider);
    found.map_or(ProviderKind::Http, |(_, kind)| *kind)
}

/// Whether a provider is reached in the same way as before. Trust roots are read anew at each reload, so a provider
/// behind TLS always gets new connections.
fn unchanged(old: &upstream::Settings, new: &upstream::Settings) -> bool {
    let upstream::Settings {
        id,
        kind,
        base_url,
        credential,
        tls,
        timeouts,
        on_client_disconnect,
        stream_usage,
        output_limit_field,
    } = new;
    let trusted = *base_url.scheme.as_str() == *"http" || Arc::ptr_eq(&old.tls, tls);
    old.id == *id
        && old.kind == *kind
        && old.base_url == *base_url
        && old.credential == *credential
        && trusted
        && old.timeouts == *timeouts
        && old.on_client_disconnect == *on_client_disconnect
        && old.stream_usage == *stream_usage
        && old.output_limit_field == *output_limit_field
}

//! What the gateway serves, and within which bounds.

use std::{collections::BTreeSet, time::Duration};

use ipnet::IpNet;

use crate::{
    admission::WrongKeys,
    domain::{AccountId, ModelName, ProviderId, SubscriptionPolicy},
    prices::{Pico, Schedule},
    providers::Dialect,
    refusal::Links,
    upstream, webhooks,
};

/// Everything the gateway needs to know. A reload replaces it whole.
#[derive(Debug, Clone)]
pub struct Settings {
    /// All providers.
    pub providers: Vec<upstream::Settings>,
    /// Public models; `None` allows every name and leaves the choice to the one provider of the dialect.
    pub models: Option<Vec<ModelSettings>>,
    /// Routes, in the order of the file; the longest prefix wins.
    pub routes: Vec<RouteSettings>,
    /// Bounds of a request.
    pub limits: BodyLimits,
    /// Where people pay and read.
    pub links: Links,
    /// How long subscriptions that are overdue or ended still work.
    pub subscriptions: SubscriptionPolicy,
    /// Who may set `X-Forwarded-For`.
    pub trusted_proxies: Vec<IpNet>,
    /// How many wrong keys an address may present.
    pub wrong_keys: WrongKeys,
    /// How often a silent stream sends a comment; `None` never.
    pub heartbeat: Option<Duration>,
    /// Which web pages may call.
    pub cors: Cors,
    /// Where payment providers tell of payments.
    pub webhooks: webhooks::Settings,
}

/// A public model and where it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSettings {
    /// The name clients use.
    pub name: ModelName,
    /// Who serves it.
    pub provider: ProviderId,
    /// The provider's name for it.
    pub upstream_name: ModelName,
    /// Input and output tokens together, at most.
    pub context_window: Option<u64>,
    /// Output tokens at most.
    pub max_output_tokens: Option<u64>,
    /// What it costs, if it has a price.
    pub prices: Option<Schedule>,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSettings {
    /// The prefix, `/` or without a slash at its end.
    pub path: String,
    /// How the dialect is found.
    pub dialect: RouteDialect,
    /// One provider, as is; `None` chooses by the model in the body.
    pub provider: Option<ProviderId>,
    /// Whether the prefix is cut off before the path goes upstream.
    pub strip_prefix: bool,
    /// How calls that are not known endpoints are counted.
    pub meter: Option<RouteMeter>,
    /// What each call here costs, whatever it uses; added to the price of its model.
    pub price_per_request: Option<Pico>,
    /// Accounts that may use it; `None` allows all.
    pub accounts: Option<BTreeSet<AccountId>>,
}

/// How a route's dialect is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteDialect {
    /// By the path.
    Auto,
    /// Always this one.
    Fixed(Dialect),
}

/// How calls that are not known endpoints are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteMeter {
    /// As requests, even where tokens are limited.
    Requests,
}

/// Bounds of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes of a request target.
    pub target: usize,
    /// Header fields.
    pub fields: usize,
    /// Bytes of a request head.
    pub head: usize,
    /// Bytes of a body that has to be read before forwarding.
    pub json_body: usize,
    /// Bytes of a body that is passed on as it comes.
    pub upload_body: u64,
    /// Silence within a body.
    pub body_idle: Duration,
    /// A whole body.
    pub body_total: Duration,
}

/// Which web pages may call from a browser.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cors {
    /// Exact origins, or `*` alone; empty answers no cross-origin request.
    pub origins: Vec<String>,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            target: 8 << 10,
            fields: 100,
            head: 16 << 10,
            json_body: 32 << 20,
            upload_body: 256 << 20,
            body_idle: Duration::from_secs(30),
            body_total: Duration::from_secs(300),
        }
    }
}

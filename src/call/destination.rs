//! Where a request goes, as far as its head tells.

use std::{collections::BTreeSet, sync::Arc};

use http::uri::PathAndQuery;

use crate::{
    domain::{AccountId, ProviderId},
    prices::Pico,
    providers::{Dialect, Endpoint, ProviderKind},
};

/// A route as requests see it.
#[derive(Debug)]
pub struct Route {
    /// The prefix, as records name it.
    pub path: Arc<str>,
    /// One provider, as is; `None` chooses by the model in the body.
    pub provider: Option<(ProviderId, ProviderKind)>,
    /// Whether calls that are not known endpoints count as requests even where tokens are limited.
    pub counts_requests: bool,
    /// What each call here costs, whatever it uses; added to the price of its model.
    pub price_per_request: Option<Pico>,
    /// Accounts that may use it; `None` allows all.
    pub accounts: Option<BTreeSet<AccountId>>,
    /// Where a model of each dialect is called instead, by whoever calls it here in another; without an entry, nowhere that
    /// the model chooses the provider.
    pub calls: Vec<(Dialect, Box<str>)>,
}

/// What a caller has to have to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// An open subscription and something left of every quota.
    Full,
    /// An open subscription: the call is free of quotas (counting tokens).
    Subscription,
    /// A valid key: the answer is about the key itself, or a list of models.
    Key,
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The route that matched.
    pub route: Arc<Route>,
    /// The wire format of the call and of its errors.
    pub dialect: Dialect,
    /// What it asks for.
    pub endpoint: Endpoint,
    /// The whole target as it came.
    target: PathAndQuery,
    /// How much of the target the route cuts off.
    cut: usize,
}

impl Destination {
    /// A destination below `route`, whose prefix of `cut` bytes is not passed on.
    pub fn new(
        route: Arc<Route>,
        dialect: Dialect,
        endpoint: Endpoint,
        target: PathAndQuery,
        cut: usize,
    ) -> Self {
        Self {
            route,
            dialect,
            endpoint,
            target,
            cut,
        }
    }

    /// Path and query for the provider, byte for byte. Where the prefix was the whole path, only a query, or nothing, is
    /// left: then the provider is asked for its base URL itself.
    pub fn target(&self) -> &str {
        self.target.as_str().get(self.cut..).unwrap_or_default()
    }

    /// The path for the provider.
    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or_default()
    }

    /// What a caller has to have to be let in.
    pub fn requirement(&self) -> Requirement {
        match self.endpoint {
            Endpoint::Models | Endpoint::Model => Requirement::Key,
            Endpoint::CountTokens => Requirement::Subscription,
            _ => Requirement::Full,
        }
    }
}

//! Path and method → where the request goes, or 404 and 405.

use std::sync::Arc;

use http::{Method, request::Parts};

use super::{
    RouteDialect, Snapshot,
    path::{may_be_undone, reads_as_below},
    snapshot::Prefix,
};
use crate::{
    call::Destination,
    domain::Vendor,
    providers::{Dialect, Endpoint, ProviderKind},
    refusal::{Code, Detail, Refusal},
};

/// Where a request goes.
#[derive(Debug)]
pub(super) enum Place {
    /// Answered here, without a key.
    Open(Open),
    /// Answered here, about the key.
    Limits,
    /// A payment provider's event.
    Webhook(Vendor),
    /// Answered here, about a call that the key could make.
    Preflight,
    /// A list of the models that the key may use, or one of them.
    Listing(Destination),
    /// To a provider.
    Remote(Destination),
}

/// What is answered to anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Open {
    /// The process lives.
    Health,
    /// The process takes calls.
    Ready,
    /// A page about a code; the index for an empty one.
    Problem(String),
}

/// Finds the place of a path. `anthropic-version` makes a list of models Anthropic's.
///
/// # Errors
/// 404 for a path that nothing serves, 400 for one that somebody may read as another route's, 405 for a known endpoint with
/// another method.
pub(super) fn route(snapshot: &Snapshot, head: &Parts) -> Result<Place, Refusal> {
    let path = head.uri.path();
    if let Some(place) = webhook(snapshot, path, &head.method)? {
        return Ok(place);
    }
    if let Some(place) = reserved(path, &head.method)? {
        return Ok(place);
    }
    let Some(prefix) = above(&snapshot.routes, path) else {
        return Err(Code::RouteNotFound.into());
    };
    // A route that lies deeper has accounts and prices of its own, and its provider may be the same: no other spelling of
    // its path goes around it.
    let depth = prefix.route.path.len();
    let deeper = snapshot.routes.iter().map(|other| &*other.route.path);
    let is_odd = snapshot.capitals || may_be_undone(path);
    if is_odd && reads_as_below(deeper.take_while(|path| path.len() > depth), path) {
        let words = "The path is another spelling of one that has a route of its own; write it as that route does.";
        return Err(Refusal::new(Code::InvalidPath).with(Detail::Say(words)));
    }
    let target = head
        .uri
        .path_and_query()
        .cloned()
        .ok_or(Code::InvalidTarget)?;
    let (base, below) = below(prefix, path);
    let cut = if prefix.strip { base } else { 0 };
    let (dialect, endpoint) = classify(prefix, path, below, head);
    let destination = |endpoint| {
        let (route, target) = (Arc::clone(&prefix.route), target.clone());
        Destination::new(route, dialect, endpoint, target, cut)
    };
    if let Some((_, kind)) = prefix.route.provider {
        // As is: what is asked with another method is something else at the provider, and an HTTP API where each call has
        // a price knows no lists of models that have none.
        let priced = kind == ProviderKind::Http && prefix.route.price_per_request.is_some();
        let is_known = allows(endpoint, &head.method) && (endpoint.meters_tokens() || !priced);
        let endpoint = if is_known { endpoint } else { Endpoint::Other };
        return Ok(Place::Remote(destination(endpoint)));
    }
    match endpoint {
        _ if !is_written(prefix, path, below, endpoint) => Err(Code::RouteNotFound.into()),
        known if !allows(known, &head.method) => {
            Err(Refusal::new(Code::MethodNotAllowed).with(Detail::Allow(known.methods())))
        }
        Endpoint::Models | Endpoint::Model => match prefix.listing(dialect) {
            Some(route) => Ok(Place::Remote(Destination::new(
                route, dialect, endpoint, target, cut,
            ))),
            None => Ok(Place::Listing(destination(endpoint))),
        },
        known => Ok(Place::Remote(destination(known))),
    }
}

/// The dialect that a refusal is written in before a place is looked for.
pub(super) fn dialect_of(path: &str) -> Dialect {
    Endpoint::classify(path).0
}

/// The dialect that a refusal is written in where no place was found: that of the path behind the prefix of its route, or
/// the route's own.
pub(super) fn dialect_at(snapshot: &Snapshot, path: &str) -> Dialect {
    let Some(prefix) = above(&snapshot.routes, path) else {
        return dialect_of(path);
    };
    let told = [below(prefix, path).1, path].map(Endpoint::classify);
    let told = told
        .iter()
        .find(|(dialect, endpoint)| *dialect != Dialect::OpenAi || endpoint.has_ask());
    match (told, prefix.dialect) {
        (Some((dialect, _)), _) => *dialect,
        (None, RouteDialect::Fixed(dialect)) => dialect,
        (None, RouteDialect::Auto) => Dialect::OpenAi,
    }
}

/// The route with the longest prefix of a path: the longest come first.
fn above<'r>(routes: &'r [Prefix], path: &str) -> Option<&'r Prefix> {
    let mut routes = routes.iter();
    routes.find(|prefix| covers(&prefix.route.path, path))
}

/// How long the prefix of a path is, and what is left behind it.
fn below<'p>(prefix: &Prefix, path: &'p str) -> (usize, &'p str) {
    let base = match prefix.route.path.len() {
        1 => 0,
        length => length,
    };
    match path.get(base..) {
        Some(rest) if !rest.is_empty() => (base, rest),
        _ => (base, "/"),
    }
}

/// The endpoint of a payment provider; one without a usable secret does not exist.
fn webhook(snapshot: &Snapshot, path: &str, method: &Method) -> Result<Option<Place>, Refusal> {
    let vendor = path
        .strip_prefix("/faregate/webhooks/")
        .and_then(Vendor::parse)
        .filter(|vendor| snapshot.webhooks.endpoint(*vendor).is_some());
    match vendor {
        Some(vendor) if *method == Method::POST => Ok(Some(Place::Webhook(vendor))),
        Some(_) => Err(Refusal::new(Code::MethodNotAllowed).with(Detail::Allow("POST"))),
        None => Ok(None),
    }
}

fn reserved(path: &str, method: &Method) -> Result<Option<Place>, Refusal> {
    let place = match path {
        "/healthz" => Place::Open(Open::Health),
        "/readyz" => Place::Open(Open::Ready),
        "/v1/faregate/limits" => Place::Limits,
        "/v1/faregate/preflight" => {
            return if *method == Method::POST {
                Ok(Some(Place::Preflight))
            } else {
                Err(Refusal::new(Code::MethodNotAllowed).with(Detail::Allow("POST")))
            };
        }
        _ => match path.strip_prefix("/problems") {
            Some(page) if page.is_empty() || page.starts_with('/') => {
                Place::Open(Open::Problem(page.to_owned()))
            }
            _ if ["/faregate", "/v1/faregate"]
                .iter()
                .any(|ours| covers(ours, path)) =>
            {
                return Err(Code::RouteNotFound.into());
            }
            _ => return Ok(None),
        },
    };
    if matches!(*method, Method::GET | Method::HEAD) {
        Ok(Some(place))
    } else {
        Err(Refusal::new(Code::MethodNotAllowed).with(Detail::Allow("GET, HEAD")))
    }
}

/// Whether `prefix` covers `path`, cut at a slash.
fn covers(prefix: &str, path: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// A known endpoint is known on any route: by the path that goes upstream, or by what is left behind the prefix. The first
/// is what the provider reads: below `/v1/chat`, `/completions` is no other endpoint than it is there.
fn classify(prefix: &Prefix, path: &str, below: &str, head: &Parts) -> (Dialect, Endpoint) {
    let (dialect, endpoint) = known(prefix, path, below);
    let lists = matches!(endpoint, Endpoint::Models | Endpoint::Model);
    let anthropic =
        prefix.dialect == RouteDialect::Auto && head.headers.contains_key("anthropic-version");
    if lists && anthropic {
        (Dialect::Anthropic, endpoint)
    } else {
        (dialect, endpoint)
    }
}

fn known(prefix: &Prefix, path: &str, below: &str) -> (Dialect, Endpoint) {
    let by_path = |path| match prefix.dialect {
        RouteDialect::Auto => Endpoint::classify(path),
        RouteDialect::Fixed(dialect) => (dialect, Endpoint::known(dialect, path)),
    };
    let whole = (!prefix.strip).then(|| by_path(path));
    match (whole, by_path(below)) {
        (Some(whole), _) if whole.1.has_ask() => whole,
        (Some(whole), (_, Endpoint::Other)) => whole,
        (_, found) => found,
    }
}

/// Nobody but a provider may take a path for what it almost is.
fn is_written(prefix: &Prefix, path: &str, below: &str, endpoint: Endpoint) -> bool {
    endpoint.is_written(below) || (!prefix.strip && endpoint.is_written(path))
}

/// Where calls of each dialect are made by who calls the route at `at`, one of `routes`, which have their order: there, if
/// it has the dialect, or else on another that is for everybody.
pub(super) fn calls(routes: &[Prefix], at: usize) -> Vec<(Dialect, Box<str>)> {
    let chooses = |prefix: &&Prefix| prefix.route.provider.is_none();
    let Some(here) = routes.get(at).filter(chooses) else {
        return Vec::new();
    };
    let is_open = |prefix: &&Prefix| {
        Arc::ptr_eq(&prefix.route, &here.route) || prefix.route.accounts.is_none()
    };
    let base = |prefix: &Prefix| {
        let path = prefix.route.path.trim_end_matches('/');
        path.strip_suffix("/v1").unwrap_or(path).to_owned()
    };
    // Where the prefix is passed on, it may be the beginning of an endpoint's own path.
    let mut near = [base(here), String::new()];
    if !here.strip {
        near.reverse();
    }
    let leads = |path: &str, dialect| {
        let there = above(routes, path).filter(chooses).filter(is_open);
        there.is_some_and(|there| {
            let below = below(there, path).1;
            let (found, endpoint) = known(there, path, below);
            found == dialect && is_written(there, path, below, endpoint)
        })
    };
    let find = |(dialect, call)| {
        let others = routes.iter().filter(chooses).filter(is_open);
        let others = others.filter(|other| {
            [RouteDialect::Auto, RouteDialect::Fixed(dialect)].contains(&other.dialect)
        });
        let bases = near.iter().cloned().chain(others.map(base));
        let mut paths = bases.map(|base| format!("{base}{call}"));
        let path = paths.find(|path| leads(path, dialect))?;
        Some((dialect, path.into()))
    };
    [
        (Dialect::OpenAi, "/v1/chat/completions"),
        (Dialect::Anthropic, "/v1/messages"),
    ]
    .into_iter()
    .filter_map(find)
    .collect()
}

fn allows(endpoint: Endpoint, method: &Method) -> bool {
    match endpoint {
        Endpoint::Other => true,
        Endpoint::Models | Endpoint::Model => matches!(*method, Method::GET | Method::HEAD),
        _ => *method == Method::POST,
    }
}

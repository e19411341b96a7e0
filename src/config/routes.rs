//! `routes`: which path goes where.

use std::collections::BTreeSet;

use super::{
    fields::{Entry, Fields, Value},
    problem::{Place, Report},
    providers::Providers,
};
use crate::{
    domain::{AccountId, ProviderId},
    gateway::{RouteDialect, RouteMeter, RouteSettings},
    providers::{Dialect, ProviderKind},
};

/// Prefixes that are answered before any route.
const RESERVED: [&str; 5] = [
    "/healthz",
    "/readyz",
    "/problems",
    "/faregate",
    "/v1/faregate",
];

/// Compiles `routes`. Without the key, the standard AI paths are served.
pub(crate) fn routes(
    root: &Fields,
    providers: &Providers,
    accounts: &BTreeSet<&AccountId>,
    report: &mut Report,
) -> Vec<RouteSettings> {
    if !root.has("routes") {
        unreached(&[], providers, report);
        return vec![standard()];
    }
    let mut routes: Vec<RouteSettings> = Vec::new();
    for fields in root.sections("routes") {
        let route = route(fields, providers, accounts, report);
        let twice = route
            .as_ref()
            .is_some_and(|route| routes.iter().any(|known| known.path == route.path));
        if twice {
            let problem = report.problem(fields.place_of("path"), "is the path of another route");
            problem.hint("a path goes to one place; merge the two");
        }
        routes.extend(route);
    }
    unreached(&routes, providers, report);
    routes
}

fn standard() -> RouteSettings {
    RouteSettings {
        path: "/".to_owned(),
        dialect: RouteDialect::Auto,
        provider: None,
        strip_prefix: false,
        meter: None,
        price_per_request: None,
        accounts: None,
    }
}

fn route(
    fields: &Fields,
    providers: &Providers,
    accounts: &BTreeSet<&AccountId>,
    report: &mut Report,
) -> Option<RouteSettings> {
    let path = path(fields, report);
    let dialect = match fields.get("dialect")? {
        "openai" => RouteDialect::Fixed(Dialect::OpenAi),
        "anthropic" => RouteDialect::Fixed(Dialect::Anthropic),
        _ => RouteDialect::Auto,
    };
    let accounts = allowed(fields, accounts, report);
    let provider = provider(fields, dialect, providers, report);
    let vendors = providers
        .known
        .iter()
        .filter(|known| provider.as_ref().is_some_and(|id| *id == known.id))
        .any(|known| {
            matches!(
                known.kind,
                Some(ProviderKind::OpenAi | ProviderKind::Anthropic)
            )
        });
    // An empty list lets nobody in, who then shares nothing.
    let shared = accounts.as_ref().is_none_or(|list| list.len() > 1);
    if vendors && shared {
        let text = "shares what the provider keeps (files, batches, stored answers) among all who may use this route";
        let warning = report.warning(fields.place_of("provider"), text);
        warning.hint("name one account in `accounts:`, or be sure that they trust each other");
    }
    Some(RouteSettings {
        path: path?,
        dialect,
        provider,
        strip_prefix: fields.get("strip_prefix")?,
        meter: fields
            .get::<&'static str>("meter")
            .map(|_| RouteMeter::Requests),
        price_per_request: fields.get("price_per_request"),
        accounts,
    })
}

fn path(fields: &Fields, report: &mut Report) -> Option<String> {
    let path = fields.text("path")?;
    let place = fields.place_of("path");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
    let dots = |segment: &str| matches!(segment, "." | "..");
    let wrong = if !path.starts_with('/') {
        Some(("does not begin with a slash", format!("write /{path}")))
    } else if path == "/" {
        None
    } else if path.ends_with('/') {
        let without = path.trim_end_matches('/');
        let meant = if without.is_empty() { "/" } else { without };
        Some((
            "ends with a slash",
            format!("write {meant}; it covers everything below"),
        ))
    } else if !path.bytes().all(plain) {
        let hint = "letters, digits and - . _ ~ are safe; requests are compared as they come, without decoding";
        Some(("has a character that a route cannot have", hint.to_owned()))
    } else if path.contains("//") || path.split('/').any(dots) {
        let hint = "such paths are refused before any route is looked at";
        Some(("has empty or dot segments", hint.to_owned()))
    } else {
        let below = |reserved: &&&str| {
            let rest = path.strip_prefix(**reserved);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        RESERVED.iter().find(below).map(|reserved| {
            let hint = format!("{reserved} is answered by the gateway itself; take another path");
            ("is reserved", hint)
        })
    };
    match wrong {
        None => Some(path.to_owned()),
        Some((text, hint)) => {
            report.problem(place, text).hint(hint);
            None
        }
    }
}

fn provider(
    fields: &Fields,
    dialect: RouteDialect,
    providers: &Providers,
    report: &mut Report,
) -> Option<ProviderId> {
    let known = providers.named(fields, report)?;
    let place = fields.place_of("provider");
    // An http provider speaks nothing we know; the dialect then only shapes refusals.
    if let (RouteDialect::Fixed(dialect), Some(kind)) = (dialect, known.kind)
        && kind != ProviderKind::Http
        && !kind.speaks(dialect)
    {
        let text = format!(
            "is of `kind: {}` and does not speak the {} dialect of this route",
            kind.as_str(),
            dialect.as_str()
        );
        let problem = report.problem(place, text);
        problem.hint("write dialect: auto, or another provider");
    }
    Some(known.id.clone())
}

/// Accounts that may use a route. One that is not in the file may have been created through the API, so an unknown
/// name is a warning; it opens nothing to anybody else.
fn allowed(
    fields: &Fields,
    accounts: &BTreeSet<&AccountId>,
    report: &mut Report,
) -> Option<BTreeSet<AccountId>> {
    let mut allowed = BTreeSet::new();
    for Entry { place, value } in fields.list("accounts")? {
        let Value::Text(text) = value else { continue };
        match AccountId::parse(text) {
            Ok(id) => {
                if !accounts.contains(&id) {
                    let known = accounts.iter().map(|id| id.as_str());
                    let warning = report.warning(place, "is not an account of this file");
                    warning.hint(super::nearest::nearest(text, known).map_or_else(
                        || {
                            "it has to be created through the command line or the admin API"
                                .to_owned()
                        },
                        |meant| format!("did you mean {meant}?"),
                    ));
                }
                allowed.insert(id);
            }
            Err(error) => {
                report.problem(place, format!("this name {error}"));
            }
        }
    }
    Some(allowed)
}

/// Warns of `http` providers that no route leads to; no model can.
fn unreached(routes: &[RouteSettings], providers: &Providers, report: &mut Report) {
    let http = providers
        .known
        .iter()
        .filter(|known| known.kind == Some(ProviderKind::Http));
    for known in http {
        let reached = routes
            .iter()
            .any(|route| route.provider.as_ref() == Some(&known.id));
        if !reached {
            let place: &Place = &known.place;
            let warning = report.warning(place, "is named by no route, so nothing reaches it");
            let id = &known.id;
            warning.hint(format!("add {{path: /{id}, provider: {id}}} to `routes`"));
        }
    }
}

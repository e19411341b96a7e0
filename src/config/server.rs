//! `server`, `admin`, `store`, `streaming` and `log`: the daemon itself.

use std::{net::SocketAddr, path::Path, time::Duration};

use ipnet::IpNet;

use super::{
    AdminSettings, OverloadSettings,
    fields::{Entry, Fields, Take, Value},
    problem::{Place, Report},
    secret, tls,
};
use crate::{
    admission::WrongKeys,
    domain::Secret,
    gateway::{BodyLimits, Cors},
    listener::{self, Http2},
    store,
    telemetry::LogFormat,
};

/// Connections the admin listener serves at once: people and scrapers, not clients.
const ADMIN_CONNECTIONS: usize = 256;
/// How long one of them may take to ask for something while there is no place for another.
const ADMIN_PATIENCE: Duration = Duration::from_millis(250);
/// A token that cannot be guessed, even when it is made of hexadecimal digits.
const SHORTEST_TOKEN: usize = 32;

/// The public side.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) listener: listener::Settings,
    pub(crate) public_url: String,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) limits: BodyLimits,
    pub(crate) wrong_keys: WrongKeys,
    pub(crate) cors: Cors,
    pub(crate) drain: Duration,
    pub(crate) overload: OverloadSettings,
}

/// Compiles `server`.
pub(crate) fn server(fields: &Fields, report: &mut Report) -> Option<Server> {
    let tls = match fields.section("tls") {
        Some(section) => tls::server(section, report).map(Some),
        None => Some(None),
    };
    let origins = cors(fields.section("cors")?, report);
    let address: SocketAddr = fields.get("listen")?;
    let scheme = if fields.has("tls") { "https" } else { "http" };
    let public_url = match fields.entry("public_url").map(|entry| &entry.value) {
        Some(Value::Url(url)) => url.to_string(),
        _ => format!("{scheme}://{address}"),
    };
    if address.ip().is_unspecified() && !fields.has("public_url") {
        let text = format!("is not set, and links to {public_url} lead nowhere");
        let place = fields
            .place
            .inside()
            .key("public_url", fields.place.position);
        let warning = report.warning(&place, text);
        warning.hint("set server.public_url to the address clients use");
    }
    for proxy in fields.list("trusted_proxies").unwrap_or_default() {
        if IpNet::take(&proxy.value).is_some_and(|network| network.prefix_len() == 0) {
            let text = "trusts every address, so that any client may say which address it has";
            let warning = report.warning(&proxy.place, text);
            warning
                .hint("write the networks of your proxies; allowed_ips and the log believe them");
        }
    }
    let (sizes, times) = (fields.section("limits")?, fields.section("timeouts")?);
    let limits = limits(sizes, times)?;
    let overload = OverloadSettings {
        buffered_bodies: sizes.number("buffered_bodies"),
        memory: sizes.number("memory"),
        lateness: times.get("lateness")?,
    };
    if overload
        .buffered_bodies
        .is_some_and(|most| most < limits.json_body as u64)
    {
        let text = "is less than server.limits.json_body, and larger bodies never find room";
        let warning = report.warning(sizes.place_of("buffered_bodies"), text);
        warning.hint("raise it, or lower json_body");
    }
    Some(Server {
        listener: listener::Settings {
            address,
            tls: tls?,
            connections: sizes.number("connections")?,
            connection_requests: sizes.number("connection_requests")?,
            head_bytes: limits.head,
            fields: limits.fields,
            timeouts: timeouts(times)?,
            http2: http2(fields.section("http2")?)?,
            closing: listener::Closing::default(),
        },
        public_url,
        trusted_proxies: fields.items("trusted_proxies"),
        limits,
        wrong_keys: wrong_keys(fields.section("limits")?)?,
        cors: Cors { origins },
        drain: fields.get("drain")?,
        overload,
    })
}

fn limits(sizes: &Fields, times: &Fields) -> Option<BodyLimits> {
    Some(BodyLimits {
        target: sizes.number("target")?,
        fields: sizes.number("fields")?,
        head: sizes.number("head")?,
        json_body: sizes.number("json_body")?,
        upload_body: sizes.number("upload_body")?,
        body_idle: times.get("body_idle")?,
        body_total: times.get("body_total")?,
    })
}

fn wrong_keys(fields: &Fields) -> Option<WrongKeys> {
    Some(WrongKeys {
        per_second: fields.number("wrong_keys_per_second")?,
        at_once: fields.number("wrong_keys_at_once")?,
    })
}

fn timeouts(fields: &Fields) -> Option<listener::Timeouts> {
    Some(listener::Timeouts {
        tls: fields.get("tls")?,
        head: fields.get("head")?,
        write_stall: fields.get("write_stall")?,
        keep_alive: fields.get("keep_alive")?,
        connection_age: fields.get("connection_age")?,
    })
}

fn http2(fields: &Fields) -> Option<Http2> {
    Some(Http2 {
        streams: fields.number("streams")?,
        idle: fields.get("idle")?,
        ping: fields.get("ping")?,
    })
}

/// Origins as browsers send them (RFC 6454 §6.2): scheme, host, port, nothing after.
fn cors(fields: &Fields, report: &mut Report) -> Vec<String> {
    let entries = fields.list("origins").unwrap_or_default();
    let mut origins = Vec::with_capacity(entries.len());
    for Entry { place, value } in entries {
        let Value::Text(text) = value else { continue };
        if text == "*" && entries.len() > 1 {
            let problem = report.problem(place, "allows every page, but is not alone in the list");
            problem.hint("write [\"*\"] alone, or the others without it");
        } else if text == "*" || is_origin(text) {
            origins.push(text.to_ascii_lowercase());
        } else {
            let problem = report.problem(place, "is not an origin");
            problem.hint("such as https://app.example.com, without a path or a slash at its end");
        }
    }
    origins
}

fn is_origin(text: &str) -> bool {
    let after = ["https://", "http://"]
        .into_iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let bare = |host: &str| !host.is_empty() && !host.contains(['/', '?', '#', '@', '*']);
    after.is_some_and(bare) && text.parse::<http::Uri>().is_ok()
}

/// Compiles `admin`; the outer `None` is a problem that was reported.
pub(crate) fn admin(
    fields: Option<&Fields>,
    public: Option<SocketAddr>,
    report: &mut Report,
) -> Option<Option<AdminSettings>> {
    let Some(fields) = fields else {
        return Some(None);
    };
    let token: Option<(Secret, &Place)> = fields.located("token");
    let token = token.and_then(|(token, place)| {
        let length = token.expose().len();
        let long = length >= SHORTEST_TOKEN;
        if !long {
            let text = format!("has {length} bytes; it must have at least {SHORTEST_TOKEN}");
            let problem = report.problem(place, text);
            problem.hint("`openssl rand -hex 32` makes one");
        }
        let sendable = secret::sendable(token.expose());
        if !sendable {
            let text = "has characters that a header field cannot carry";
            let problem = report.problem(place, text);
            problem.hint("look for a line break, a tab, or a space at its beginning or end");
        }
        (long && sendable).then_some(token)
    });
    let (address, place) = fields.located::<SocketAddr>("listen")?;
    if public.is_some_and(|public| overlap(public, address)) {
        let problem = report.problem(place, "is the address of the public listener");
        problem.hint("take another port, such as 127.0.0.1:8403");
        return None;
    }
    if !address.ip().is_loopback() {
        let text = "can be reached from other machines, and is not encrypted";
        let warning = report.warning(place, text);
        warning.hint("keep it on 127.0.0.1, or see that only trusted networks reach it");
    }
    Some(Some(AdminSettings {
        listener: listener::Settings {
            address,
            tls: None,
            connections: ADMIN_CONNECTIONS,
            connection_requests: u32::MAX,
            head_bytes: BodyLimits::default().head,
            fields: BodyLimits::default().fields,
            timeouts: listener::Timeouts::default(),
            http2: Http2::default(),
            closing: listener::Closing {
                pressed: ADMIN_PATIENCE,
                ..listener::Closing::default()
            },
        },
        token: token?,
    }))
}

/// Whether two listeners cannot both be bound. Port 0 is always another one.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let everywhere = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && (a.ip() == b.ip() || everywhere)
}

/// Compiles `store`.
pub(crate) fn store(
    fields: &Fields,
    directory: &Path,
    report: &mut Report,
) -> Option<store::Settings> {
    let location = location(fields, directory, report);
    Some(store::Settings {
        location: location?,
        keep_calls: fields.section("retention")?.get("calls")?,
        durability: match fields.get("durability")? {
            "strict" => store::Durability::Strict,
            _ => store::Durability::Grouped,
        },
        in_flight: fields.number("in_flight")?,
    })
}

fn location(fields: &Fields, directory: &Path, report: &mut Report) -> Option<store::Location> {
    let url = fields.text("url")?;
    let place = fields.place_of("url");
    // A URL may have a password in it, so none of it is repeated.
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        let text = "is not supported yet: PostgreSQL comes with a later version";
        let problem = report.problem(place, text);
        problem.hint("write sqlite:faregate.db");
        return None;
    }
    let Some(path) = url.strip_prefix("sqlite:") else {
        let problem = report.problem(place, "is not the address of a store");
        problem.hint("write sqlite:<file>, or sqlite::memory: for a trial");
        return None;
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    if path == ":memory:" {
        return Some(store::Location::Memory);
    }
    // It would be a file of that name, and keep what nobody meant to keep.
    if path.starts_with(':') {
        let problem = report.problem(place, "does not name a file");
        problem.hint("write sqlite::memory: with both colons for a trial");
        return None;
    }
    if path.is_empty() || path.contains(['?', '\0']) || path.ends_with('/') {
        let problem = report.problem(place, "does not name a file");
        problem.hint("write sqlite:<file>; options after `?` are not taken");
        return None;
    }
    Some(store::Location::File(directory.join(path)))
}

/// Compiles `log`.
pub(crate) fn log(fields: &Fields) -> Option<LogFormat> {
    Some(match fields.get("format")? {
        "json" => LogFormat::Json,
        "pretty" => LogFormat::Pretty,
        _ => LogFormat::Auto,
    })
}

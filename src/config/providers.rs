//! `providers`: where calls can go, and with which credential.

use std::{path::PathBuf, sync::Arc};

use http::{
    HeaderName, HeaderValue, header,
    uri::{Authority, Scheme},
};
use rustls::ClientConfig;

use super::{
    SimulatedSettings,
    fields::{Fields, Named},
    nearest::suggestion,
    problem::{Place, Report},
    tls::Clients,
};
use crate::{
    domain::{ProviderId, Secret},
    metering::DisconnectPolicy,
    providers::{Dialect, ProviderKind},
    upstream::{self, BaseUrl, Credential, OutputLimitField},
};

/// Fields that say how a message is framed or where it goes (RFC 9110 §7.6.1); none of them is a credential.
const NO_CREDENTIAL: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Keys that a kind does not take.
const ONLY_SIMULATED: &[&str] = &["latency", "tokens_per_second", "seed"];
const ONLY_OPENAI: &[&str] = &["stream_usage", "output_limit_field"];
const ONLY_REMOTE: &[&str] = &["base_url", "api_key", "credential", "ca"];
const ONLY_VENDORS: &[&str] = &["api_key"];

/// A provider that other keys may name. It is known even when something else about it is wrong, so that one mistake
/// is reported once.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) id: ProviderId,
    pub(crate) kind: Option<ProviderKind>,
    pub(crate) place: Place,
}

/// All providers.
#[derive(Debug, Default)]
pub(crate) struct Providers {
    pub(crate) known: Vec<Known>,
    pub(crate) settings: Vec<upstream::Settings>,
    pub(crate) simulated: Vec<SimulatedSettings>,
}

impl Providers {
    /// The provider with this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Known> {
        self.known.iter().find(|known| known.id.as_str() == name)
    }

    /// The provider that `provider` names. One that the file does not have is reported.
    pub(crate) fn named(&self, fields: &Fields, report: &mut Report) -> Option<&Known> {
        let name = fields.text("provider")?;
        let known = self.find(name);
        if known.is_none() {
            let place = fields.place_of("provider");
            let problem = report.problem(place, "is not a provider of this file");
            let hint = suggestion(name, self.names());
            problem.hint(hint.unwrap_or_else(|| "add it to `providers`".to_owned()));
        }
        known
    }

    /// Every name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.known.iter().map(|known| known.id.as_str())
    }
}

/// Compiles `providers`.
pub(crate) fn providers(
    named: &[Named],
    clients: &mut Clients<'_>,
    report: &mut Report,
) -> Providers {
    let mut providers = Providers::default();
    for Named { name, fields } in named {
        let id = match ProviderId::parse(name) {
            Ok(id) => id,
            Err(error) => {
                report.problem(&fields.place, format!("this name {error}"));
                continue;
            }
        };
        let kind = fields.get("kind").and_then(kind);
        providers.known.push(Known {
            id: id.clone(),
            kind,
            place: fields.place.clone(),
        });
        let Some(kind) = kind else { continue };
        refuse_strangers(fields, kind, report);
        if kind == ProviderKind::Simulated {
            providers.simulated.extend(simulated(&id, fields));
        }
        let settings = settings(id, kind, fields, clients, report);
        providers.settings.extend(settings);
    }
    providers
}

fn kind(word: &'static str) -> Option<ProviderKind> {
    [
        ProviderKind::OpenAi,
        ProviderKind::Anthropic,
        ProviderKind::Http,
        ProviderKind::Simulated,
    ]
    .into_iter()
    .find(|kind| kind.as_str() == word)
}

/// Reports keys that mean nothing for this kind; they were meant to do something.
fn refuse_strangers(fields: &Fields, kind: ProviderKind, report: &mut Report) {
    let strangers: &[&[&str]] = match kind {
        ProviderKind::OpenAi => &[ONLY_SIMULATED],
        ProviderKind::Anthropic => &[ONLY_SIMULATED, ONLY_OPENAI],
        ProviderKind::Http => &[ONLY_SIMULATED, ONLY_OPENAI, ONLY_VENDORS],
        ProviderKind::Simulated => &[ONLY_REMOTE, ONLY_OPENAI],
    };
    for name in strangers.iter().copied().flatten() {
        if fields.has(name) {
            let place = fields.place_of(name);
            let text = format!("does not apply to `kind: {}`", kind.as_str());
            let problem = report.problem(place, text);
            problem.hint(if *name == "api_key" && kind == ProviderKind::Http {
                "write credential: {header: …, value: …}"
            } else {
                "remove it, or check the kind"
            });
        }
    }
}

fn simulated(id: &ProviderId, fields: &Fields) -> Option<SimulatedSettings> {
    Some(SimulatedSettings {
        provider: id.clone(),
        latency: fields.get("latency")?,
        tokens_per_second: fields.number("tokens_per_second")?,
        seed: fields.number("seed")?,
    })
}

fn settings(
    id: ProviderId,
    kind: ProviderKind,
    fields: &Fields,
    clients: &mut Clients<'_>,
    report: &mut Report,
) -> Option<upstream::Settings> {
    let base_url = base_url(kind, fields, report);
    let credential = credential(kind, fields, report);
    let tls = base_url
        .as_ref()
        .and_then(|url| tls(url, fields, clients, report));
    let times = fields.section("timeouts")?;
    Some(upstream::Settings {
        id,
        kind,
        base_url: base_url?,
        credential: credential?,
        tls: tls?,
        timeouts: upstream::Timeouts {
            connect: times.get("connect")?,
            first_byte: times.get("first_byte")?,
            idle: times.get("idle")?,
            total: times.get("total")?,
        },
        on_client_disconnect: fields.get("on_client_disconnect").map(disconnect),
        stream_usage: fields.get("stream_usage")?,
        output_limit_field: match fields.get("output_limit_field")? {
            "max_tokens" => OutputLimitField::MaxTokens,
            _ => OutputLimitField::MaxCompletionTokens,
        },
    })
}

fn disconnect(word: &'static str) -> DisconnectPolicy {
    match word {
        "drain" => DisconnectPolicy::Drain,
        _ => DisconnectPolicy::Cancel,
    }
}

fn base_url(kind: ProviderKind, fields: &Fields, report: &mut Report) -> Option<BaseUrl> {
    let vendor = |host, path: &str| BaseUrl {
        scheme: Scheme::HTTPS,
        authority: Authority::from_static(host),
        path: path.to_owned(),
    };
    match (fields.get::<BaseUrl>("base_url"), kind) {
        // The simulated provider listens on a port that is known only when it does.
        (_, ProviderKind::Simulated) => Some(BaseUrl {
            scheme: Scheme::HTTP,
            authority: Authority::from_static("127.0.0.1:0"),
            path: String::new(),
        }),
        (Some(url), _) => Some(url),
        (None, _) if fields.has("base_url") => None,
        (None, ProviderKind::OpenAi) => Some(vendor("api.openai.com", "/v1")),
        (None, ProviderKind::Anthropic) => Some(vendor("api.anthropic.com", "")),
        (None, ProviderKind::Http) => {
            let text = "has no `base_url`";
            let problem = report.problem(&fields.place, text);
            problem.hint("write where it is, such as base_url: https://search.example.com");
            None
        }
    }
}

/// The outer `None` is a problem that was reported.
fn credential(
    kind: ProviderKind,
    fields: &Fields,
    report: &mut Report,
) -> Option<Option<Credential>> {
    let api_key = fields.located::<Secret>("api_key");
    if let (true, Some(own)) = (fields.has("api_key"), fields.section("credential")) {
        let text = "is set together with api_key; a provider takes one credential";
        let problem = report.problem(&own.place, text);
        problem.hint("keep one of the two");
        return None;
    }
    if let Some(own) = fields.section("credential") {
        let header = header_name(own, report);
        let (value, place) = own.located::<Secret>("value")?;
        let value = header_value(value.expose(), place, report)?;
        let header = header?;
        return Some(Some(Credential::new(header, value)));
    }
    let Some((key, place)) = api_key else {
        let vendors = !fields.has("base_url") && !fields.has("api_key");
        if vendors && matches!(kind, ProviderKind::OpenAi | ProviderKind::Anthropic) {
            let text = "has no `api_key`, and the provider refuses calls without one";
            let warning = report.warning(&fields.place, text);
            warning.hint("write api_key: \"${NAME}\", and set the variable");
        }
        return (!fields.has("api_key")).then_some(None);
    };
    let (header, text) = match kind {
        ProviderKind::Anthropic => (
            HeaderName::from_static("x-api-key"),
            key.expose().to_owned(),
        ),
        _ => (header::AUTHORIZATION, format!("Bearer {}", key.expose())),
    };
    let value = header_value(&text, place, report)?;
    Some(Some(Credential::new(header, value)))
}

fn header_name(fields: &Fields, report: &mut Report) -> Option<HeaderName> {
    let text = fields.text("header")?;
    let name: Option<HeaderName> = text.parse().ok();
    let name = name.filter(|name| !NO_CREDENTIAL.contains(&name.as_str()));
    if name.is_none() {
        let problem = report.problem(
            fields.place_of("header"),
            "is not a header field that can carry a credential",
        );
        problem.hint("such as authorization or x-token");
    }
    name
}

fn header_value(text: &str, place: &Place, report: &mut Report) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text)
        .ok()
        .filter(|_| text.trim() == text);
    match &mut value {
        Some(value) => value.set_sensitive(true),
        None => {
            let text = "has characters that a header field cannot carry";
            let problem = report.problem(place, text);
            problem.hint("look for a line break, or a space at its beginning or end");
        }
    }
    value
}

fn tls(
    url: &BaseUrl,
    fields: &Fields,
    clients: &mut Clients<'_>,
    report: &mut Report,
) -> Option<Arc<ClientConfig>> {
    let ca = fields.located::<PathBuf>("ca");
    match (url.scheme == Scheme::HTTPS, ca) {
        (true, Some((path, place))) => clients.file(&path, place, report),
        (true, None) => clients.system(fields.place_of("base_url"), report),
        (false, Some((_, place))) => {
            let text = "does not apply to a base_url with http://";
            let problem = report.problem(place, text);
            problem.hint("write https:// there, or remove it");
            None
        }
        (false, None) => clients.without(),
    }
}

/// Without `models`, a name says nothing about where it is served, so one provider must be the only one of its
/// dialect.
pub(crate) fn one_for_each_dialect(providers: &Providers, report: &mut Report) {
    for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
        let mut speaking = providers
            .known
            .iter()
            .filter(|known| known.kind.is_some_and(|kind| kind.speaks(dialect)));
        let Some(first) = speaking.next() else {
            continue;
        };
        for second in speaking {
            let text = format!(
                "speaks the {} dialect like {}, and without `models` a call could go to both",
                dialect.as_str(),
                first.id
            );
            let problem = report.problem(&second.place, text);
            problem.hint("list the models and their providers in `models`");
        }
    }
}

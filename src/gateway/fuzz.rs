//! What must hold of request targets: a path that passes means the same to everybody, and goes one way only.

use http::{Method, Request, Uri, request::Parts, uri::PathAndQuery};
use percent_encoding::percent_decode;

use super::{
    BodyLimits, Cors, RouteDialect, RouteSettings, Settings, Snapshot, path,
    route::{self, Place},
    vet,
};
use crate::{
    admission::WrongKeys,
    domain::{Clock, ProviderId, SubscriptionPolicy},
    providers::{Dialect, Endpoint},
    refusal::{Code, Links},
    upstream, webhooks,
};

/// Routes: a prefix, whether it is cut off, whether one provider serves it.
const ROUTES: [(&str, bool, bool); 6] = [
    ("/", false, false),
    ("/v1/files", false, true),
    ("/p", true, true),
    ("/p/deeper", true, false),
    ("/openai", true, false),
    ("/messages", true, true),
];

/// Paths of base URLs.
const BASES: [&str; 5] = ["", "/v1", "/api/v1", "/x", "/v1/x"];

const METHODS: [Method; 4] = [Method::GET, Method::POST, Method::HEAD, Method::DELETE];

/// A target: the first byte is the method and the base URL.
pub(crate) fn target(data: &[u8]) {
    let Some((first, target)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(target) else {
        return;
    };
    plain(text);
    let Ok(target) = Uri::try_from(target) else {
        return;
    };
    plain(target.path());
    let mut head = Request::new(()).into_parts().0;
    head.method = METHODS[usize::from(*first) % METHODS.len()].clone();
    head.uri = target;
    let base = BASES[usize::from(*first >> 2) % BASES.len()];
    named(head.uri.path());
    if vet::target(&head).is_ok() {
        let bytes = head.uri.path().bytes();
        assert!(
            bytes
                .into_iter()
                .all(|byte| byte.is_ascii_graphic() && byte != b'"')
        );
        assert!(means_one_thing(head.uri.path().as_bytes()));
        routed(&head, base);
    }
}

/// What passes means one thing; and what has no escapes and means one thing passes.
fn plain(path: &str) {
    let one = means_one_thing(path.as_bytes());
    if path::is_plain(path) {
        assert!(one, "{path:?} has two meanings");
    } else if !path.contains('%') {
        assert!(!one, "{path:?} has one meaning");
    }
}

/// Whether the segments are the same for whoever decodes a path once, twice or not at all.
fn means_one_thing(path: &[u8]) -> bool {
    let once: Vec<u8> = percent_decode(path).collect();
    let twice: Vec<u8> = percent_decode(&once).collect();
    let cut = |path: &[u8]| path.split(|byte| *byte == b'/').count();
    let absolute = path.starts_with(b"/");
    let doubled = path.windows(2).any(|pair| pair == b"//");
    let spelled = |path: &Vec<u8>| {
        let odd = path
            .iter()
            .any(|byte| matches!(byte, b'\\' | 0 | b'\n' | b'\r'));
        let dots = path.split(|byte| *byte == b'/').any(|segment| {
            let name = segment.split(|byte| *byte == b';').next();
            matches!(name, Some(b"." | b".."))
        });
        !odd && !dots && cut(path) == cut(&once) && cut(path) == cut(&twice)
    };
    absolute
        && !doubled
        && [path.to_vec(), once.clone(), twice.clone()]
            .iter()
            .all(spelled)
}

/// A path is at most one endpoint, and one that is written as an endpoint's is that one.
fn named(path: &str) {
    let (dialect, endpoint) = Endpoint::classify(path);
    for fixed in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
        let known = Endpoint::known(fixed, path);
        assert!(known == Endpoint::Other || known == endpoint);
        let lists = matches!(known, Endpoint::Models | Endpoint::Model);
        assert!(known == Endpoint::Other || lists || fixed == dialect);
    }
    for (known, written) in [
        (Endpoint::ChatCompletions, "/chat/completions"),
        (Endpoint::Completions, "/completions"),
        (Endpoint::Responses, "/responses"),
        (Endpoint::Embeddings, "/embeddings"),
        (Endpoint::Messages, "/messages"),
        (Endpoint::CountTokens, "/messages/count_tokens"),
        (Endpoint::Models, "/models"),
    ] {
        let plain = path.strip_prefix("/v1").unwrap_or(path) == written;
        assert_eq!(known.is_written(path), plain);
        assert!(!plain || endpoint == known);
        // Whatever a provider may take for it is known, so that nothing passes unmetered.
        let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
        let lower = decoded.to_ascii_lowercase();
        let rest = lower.strip_prefix("/v1").unwrap_or(&lower);
        let almost = rest.strip_suffix('/').unwrap_or(rest) == written;
        assert!(!almost || endpoint == known, "{path:?} is almost {written}");
    }
}

/// Where a target goes.
fn routed(head: &Parts, base: &str) {
    let (path, whole) = (head.uri.path(), head.uri.path_and_query());
    let whole = whole.map_or("", PathAndQuery::as_str);
    let snapshot = snapshot();
    let ours = [
        "/faregate",
        "/v1/faregate",
        "/healthz",
        "/readyz",
        "/problems",
    ];
    let ours = ours.into_iter().any(|prefix| under(prefix, path));
    let covering = ROUTES
        .iter()
        .filter(|(prefix, ..)| *prefix == "/" || under(prefix, path));
    let longest = covering.max_by_key(|(prefix, ..)| prefix.len());
    let (prefix, strip, one) = longest.expect("the shortest prefix covers everything");
    let deeper = reads_deeper(prefix, path);
    let found = match route::route(&snapshot, head) {
        Ok(Place::Remote(found) | Place::Listing(found)) => found,
        Ok(Place::Webhook(_)) => unreachable!("no payment provider has a secret"),
        Ok(Place::Open(_) | Place::Limits | Place::Preflight) => {
            assert!(ours);
            return;
        }
        Err(refusal) if refusal.code == Code::InvalidPath => {
            assert!(!ours && deeper, "{path:?} is read in one way");
            return;
        }
        Err(refusal) => {
            assert!(matches!(
                refusal.code,
                Code::RouteNotFound | Code::MethodNotAllowed
            ));
            assert!(ours || !deeper, "{path:?} goes around a route");
            return;
        }
    };
    assert!(!under("/faregate", path) && !under("/v1/faregate", path));
    assert!(!deeper, "{path:?} goes around a route");
    assert_eq!(&*found.route.path, *prefix);
    let cut = if *strip { *prefix } else { "" };
    assert_eq!(
        format!("{cut}{}", found.target()),
        whole,
        "every byte goes on"
    );
    assert_eq!(format!("{cut}{}", found.path()), path);
    if !one {
        assert_ne!(
            found.endpoint,
            Endpoint::Other,
            "models are chosen for endpoints alone"
        );
    }
    let asked = upstream::fuzz::joined(base, found.target());
    let asked = PathAndQuery::try_from(asked).expect("what passes can be asked for");
    assert!(
        path::is_plain(asked.path()),
        "{:?} has two meanings",
        asked.path()
    );
    let mut query = asked.query().unwrap_or_default().split('&');
    assert!(!query.any(|member| member == "key" || member.starts_with("key=")));
}

/// Whether somebody may read `path` as below a route that lies deeper than `covering`: decoded once or twice, without
/// capitals, without what stands behind semicolons.
fn reads_deeper(covering: &str, path: &str) -> bool {
    let once = percent_decode(path.as_bytes()).collect::<Vec<u8>>();
    let twice = percent_decode(&once).collect();
    [path.as_bytes().to_vec(), once, twice]
        .iter()
        .any(|reading| {
            let lower = String::from_utf8_lossy(reading).to_ascii_lowercase();
            let names = lower.split('/').map(|segment| {
                let (name, _) = segment.split_once(';').unwrap_or((segment, ""));
                name
            });
            let plain = names.collect::<Vec<_>>().join("/");
            let mut deeper = ROUTES
                .iter()
                .filter(|(prefix, ..)| prefix.len() > covering.len());
            deeper.any(|(prefix, ..)| under(prefix, &plain))
        })
}

fn under(prefix: &str, path: &str) -> bool {
    path == prefix || path.starts_with(&format!("{prefix}/"))
}

fn snapshot() -> Snapshot {
    let routes = ROUTES.map(|(path, strip_prefix, one)| RouteSettings {
        path: path.to_owned(),
        dialect: RouteDialect::Auto,
        provider: ProviderId::parse("one").ok().filter(|_| one),
        strip_prefix,
        meter: None,
        price_per_request: None,
        accounts: None,
    });
    let settings = Settings {
        providers: Vec::new(),
        models: Some(Vec::new()),
        routes: routes.into(),
        limits: BodyLimits::default(),
        links: Links::default(),
        subscriptions: SubscriptionPolicy {
            grace_period: std::time::Duration::ZERO,
            renewal_leeway: std::time::Duration::ZERO,
        },
        trusted_proxies: Vec::new(),
        wrong_keys: WrongKeys::default(),
        heartbeat: None,
        cors: Cors::default(),
        webhooks: webhooks::Settings::default(),
    };
    Snapshot::compile(settings, None, &Clock::system())
}

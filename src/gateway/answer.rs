//! What leaves: an answer of ours or of a provider, with the fields that every answer has.

use http::{HeaderMap, HeaderValue, Method, Response, Version, header, request::Parts};
use http_body::Body;

use super::{
    ReplyBody, Snapshot, client, forward, headers, local::LocalAnswer, observe::Observation, route,
};
use crate::{
    domain::Clock,
    listener::Peer,
    providers::Dialect,
    refusal::{Code, Refusal, Representation, Scene, render},
    upstream::X_UPSTREAM_REQUEST_ID,
};

/// What every answer to a request depends on, whatever becomes of it.
#[derive(Debug)]
pub(super) struct ReplyContext {
    pub(super) representation: Representation,
    pub(super) dialect: Dialect,
    /// The page that may read the answer.
    pub(super) origin: Option<HeaderValue>,
    /// Whether pages may read answers at all, so that every answer depends on who asks.
    pub(super) by_origin: bool,
    pub(super) version: Version,
    /// Whether its connection is encrypted; not known behind a proxy that we trust.
    pub(super) tls: Option<bool>,
    /// Whether all of its body has been read.
    pub(super) whole: bool,
    /// Whether an HTTP/1 connection ends with the answer.
    pub(super) closes: bool,
}

/// An answer, before its body gets the observation.
pub(super) enum Reply {
    Ours(LocalAnswer, HeaderMap),
    Theirs(forward::Answered),
}

impl ReplyContext {
    /// How the request with this head is to be answered.
    pub(super) fn of(head: &Parts, peer: Peer, snapshot: &Snapshot) -> Self {
        let proxied = client::is_trusted(peer.addr.ip(), &snapshot.trusted_proxies);
        Self {
            representation: Representation::preferred(head.headers.get_all(header::ACCEPT)),
            dialect: route::dialect_of(head.uri.path()),
            origin: headers::allowed_origin(&snapshot.cors, &head.headers),
            by_origin: !snapshot.cors.origins.is_empty(),
            version: head.version,
            tls: (!proxied).then_some(peer.tls),
            whole: false,
            // Whoever asked for a tunnel sends no request next.
            closes: head.method == Method::CONNECT,
        }
    }

    /// Writes what the client's connection and the page around the client need to know.
    fn tell(self, response: &mut Response<ReplyBody>) {
        if self.closes && self.version < Version::HTTP_11 {
            // hyper says that it keeps the connection of whoever asked for that, in an answer of HTTP/1.1 alone.
            *response.version_mut() = self.version;
        }
        let fields = response.headers_mut();
        if self.closes && self.version <= Version::HTTP_11 {
            fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if self.by_origin {
            headers::vary_by_origin(fields);
        }
        if let Some(origin) = self.origin {
            headers::expose(origin, fields);
        }
    }
}

/// Gives an answer its fields and its observation.
pub(super) fn respond(
    reply: Reply,
    mut context: ReplyContext,
    mut seen: Observation,
) -> Response<ReplyBody> {
    let dialect = seen.dialect().unwrap_or(context.dialect);
    let id = seen.id;
    let mut response = match reply {
        Reply::Ours(local, fields) => {
            seen.answers(local.status, None);
            let mut response = Response::new(ReplyBody::fixed(local.body, seen));
            *response.status_mut() = local.status;
            *response.headers_mut() = fields;
            response
        }
        Reply::Theirs(answered) => {
            let forward::Answered {
                mut parts,
                body,
                clamped,
            } = answered;
            seen.answers(parts.status, None);
            seen.named(parts.headers.get(X_UPSTREAM_REQUEST_ID));
            headers::clamped(clamped, &mut parts.headers);
            // HTTP/1.0 has no chunks: what has no length ends with its connection.
            context.closes |=
                context.version < Version::HTTP_11 && body.size_hint().exact().is_none();
            Response::from_parts(parts, ReplyBody::metered(body, seen))
        }
    };
    headers::name(id, dialect, response.headers_mut());
    context.tell(&mut response);
    response
}

/// Writes a refusal; `fields` is an empty map that is lent for it.
pub(super) fn refuse(
    refusal: &Refusal,
    snapshot: &Snapshot,
    mut context: ReplyContext,
    mut seen: Observation,
    mut fields: HeaderMap,
    clock: &Clock,
) -> Response<ReplyBody> {
    let scene = Scene {
        dialect: seen.dialect().unwrap_or(context.dialect),
        representation: context.representation,
        request_id: seen.id,
        links: &snapshot.links,
        now: clock.now(),
    };
    let rendered = render(refusal, &scene, &mut fields);
    if let Some(id) = seen.upstream_id()
        && let Ok(id) = HeaderValue::from_str(id)
    {
        fields.insert(X_UPSTREAM_REQUEST_ID, id);
    }
    context.closes |= closes(refusal.code);
    seen.answers(rendered.status, Some(refusal.code));
    let mut response = Response::new(ReplyBody::fixed(rendered.body, seen));
    *response.status_mut() = rendered.status;
    *response.headers_mut() = fields;
    context.tell(&mut response);
    response
}

/// Whether nothing more can be understood on this connection.
fn closes(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidFraming
            // Its framing fields may mean something to whoever stands in front of us.
            | Code::InvalidHeader
            | Code::UnsupportedTransferCoding
            | Code::RequestTimeout
            | Code::BodyTooLarge
            | Code::HeadersTooLarge
            | Code::Draining
    )
}

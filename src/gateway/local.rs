//! Answers that need no provider: health, problem pages, lists of models.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use serde::Serialize;

use super::{Snapshot, route::Open};
use crate::{
    accounts::Key,
    call::{Destination, Model},
    domain::ModelName,
    providers::{self, Endpoint, model_in_path},
    refusal::{Code, Detail, Refusal, Representation, page_headers, problem_page},
};

/// A whole answer of ours; its fields are in the map that was lent.
pub(super) struct LocalAnswer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl LocalAnswer {
    /// A JSON document that no cache keeps.
    pub(super) fn json(body: Bytes, headers: &mut HeaderMap) -> Self {
        headers.insert(header::CONTENT_TYPE, JSON);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self {
            status: StatusCode::OK,
            body,
        }
    }
}

/// A page of ours as JSON.
pub(super) fn document(page: &impl Serialize) -> Bytes {
    serde_json::to_vec(page)
        .expect("a page is made of texts and numbers, which JSON can write")
        .into()
}

/// Answers what needs no key. `ready` is why no calls are taken, where none are.
pub(super) fn open(
    place: &Open,
    snapshot: &Snapshot,
    representation: Representation,
    ready: Result<(), &'static str>,
    headers: &mut HeaderMap,
) -> Result<LocalAnswer, Refusal> {
    match place {
        Open::Health => Ok(LocalAnswer::json(
            Bytes::from_static(b"{\"status\":\"ok\"}\n"),
            headers,
        )),
        Open::Ready => {
            let body = match ready {
                Ok(()) => Bytes::from_static(b"{\"status\":\"ready\"}\n"),
                Err(why) => format!("{{\"status\":\"unavailable\",\"reason\":\"{why}\"}}\n").into(),
            };
            let local = LocalAnswer::json(body, headers);
            let status = if ready.is_ok() {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            Ok(LocalAnswer { status, ..local })
        }
        Open::Problem(page) => {
            let (content_type, body) =
                problem_page(page, representation, &snapshot.links).ok_or(Code::RouteNotFound)?;
            page_headers(content_type, headers);
            Ok(LocalAnswer {
                status: StatusCode::OK,
                body,
            })
        }
    }
}

/// The models that `key` may use, or the one that the path names. `None` where every name is taken and no list exists:
/// then the provider's own is asked.
pub(super) fn models(
    destination: &Destination,
    snapshot: &Snapshot,
    key: &Key,
    headers: &mut HeaderMap,
) -> Option<Result<LocalAnswer, Refusal>> {
    if snapshot.catalogue.is_open() {
        return None;
    }
    let allowed = |model: &&Arc<Model>| key.model_lists().all(|list| list.contains(&model.name));
    let mut models = snapshot.catalogue.models().filter(allowed);
    let body = if destination.endpoint == Endpoint::Model {
        let name = model_in_path(destination.path()).unwrap_or_default();
        let Some(model) = models.find(|model| model.name.as_str() == name) else {
            let named = ModelName::parse(&name).map_or(Detail::None, Detail::Model);
            return Some(Err(Refusal::new(Code::ModelNotFound).with(named)));
        };
        providers::model(destination.dialect, model.name.as_str(), model.kind)
    } else {
        providers::models(
            destination.dialect,
            models.map(|model| (model.name.as_str(), model.kind)),
        )
    };
    Some(Ok(LocalAnswer::json(body, headers)))
}

/// Answers a browser's question before the real request, where its page may ask.
pub(super) fn cors_preflight(
    origin: Option<&HeaderValue>,
    asks: &Parts,
    fields: &mut HeaderMap,
) -> LocalAnswer {
    if origin.is_some() {
        let asked = asks
            .headers
            .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
            .cloned();
        super::headers::cors_preflight(asked, fields);
    }
    LocalAnswer {
        status: StatusCode::NO_CONTENT,
        body: Bytes::new(),
    }
}

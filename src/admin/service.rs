//! The API as HTTP: token, body, answer.

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::{
    Registry,
    api::{Api, Done, not_allowed},
    problem::{PROBLEM_JSON, Reason, Rejection},
    route::Resource,
};
use crate::{
    domain::{Clock, Secret},
    telemetry::Metrics,
};

/// Bytes of a request's body at most; an account with a thousand quotas is far below.
const BODY_BYTES: usize = 1 << 20;

/// How long a body may take; whoever administers is near.
const BODY_TIME: Duration = Duration::from_secs(30);

/// The methods of metrics and probes, as `Allow` lists them.
const PROBE_METHODS: &str = "GET, HEAD";

/// The text format of Prometheus, version 0.0.4.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The service behind the admin listener.
pub struct Admin<R> {
    api: Api<R>,
    token: ArcSwap<Secret>,
    metrics: Arc<Metrics>,
}

impl<R: Registry> Admin<R> {
    /// A service over `registry` that asks for `token`.
    pub fn new(registry: R, token: Secret, metrics: Arc<Metrics>, clock: Clock) -> Self {
        Self {
            api: Api::new(registry, clock),
            token: ArcSwap::from_pointee(token),
            metrics,
        }
    }

    /// Asks for another token from now on.
    pub fn change_token(&self, token: Secret) {
        self.token.store(Arc::new(token));
    }

    /// Answers one request.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let reading = matches!(head.method, Method::GET | Method::HEAD);
        match path {
            "/metrics" if reading => {
                return answer(StatusCode::OK, METRICS_TYPE, self.metrics.render());
            }
            "/healthz" if reading => return probe(Ok("ok")),
            "/readyz" if reading => return probe(self.api.registry().ready().map(|()| "ready")),
            _ => {}
        }
        let probe = matches!(path, "/metrics" | "/healthz" | "/readyz");
        let done = match self.authorize(&head.headers) {
            Err(rejection) => Err(rejection),
            Ok(()) if probe => Err(not_allowed(&head.method, PROBE_METHODS)),
            Ok(()) => match whole(body).await {
                Err(rejection) => Err(rejection),
                Ok(body) => {
                    let query = head.uri.query();
                    self.api.respond(&head.method, path, query, &body).await
                }
            },
        };
        match done {
            Ok(Done { status, body }) => json_answer(status, "application/json", &body),
            Err(rejection) => rejected(&rejection, path),
        }
    }

    /// How long the comparison takes tells nothing about the token but its length.
    fn authorize(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let words =
            "The admin API needs `Authorization: Bearer <token>` with the token of `admin.token`.";
        let unauthorized = || Rejection::new(Reason::Unauthorized, words);
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else {
            return Err(unauthorized());
        };
        let (scheme, token) = field
            .as_bytes()
            .split_at_checked("Bearer ".len())
            .ok_or_else(unauthorized)?;
        let same: bool = token.ct_eq(self.token.load().expose().as_bytes()).into();
        if scheme.eq_ignore_ascii_case(b"Bearer ") && same {
            Ok(())
        } else {
            Err(unauthorized())
        }
    }
}

impl<R> fmt::Debug for Admin<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// Reads a body within its bounds.
async fn whole<B>(mut body: B) -> Result<Bytes, Rejection>
where
    B: Body<Data = Bytes> + Unpin,
{
    let read = async {
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Rejection::invalid("The body broke off."))?;
            if let Ok(data) = frame.into_data() {
                if whole.len() + data.len() > BODY_BYTES {
                    let words = format!("The body is larger than {BODY_BYTES} bytes.");
                    return Err(Rejection::new(Reason::TooLarge, words));
                }
                whole.extend_from_slice(&data);
            }
        }
        Ok(whole.freeze())
    };
    let late = |_| {
        let words = format!("The body did not come within {} s.", BODY_TIME.as_secs());
        Rejection::new(Reason::TooSlow, words)
    };
    tokio::time::timeout(BODY_TIME, read).await.map_err(late)?
}

fn probe(state: Result<&'static str, &'static str>) -> Response<Full<Bytes>> {
    match state {
        Ok(word) => json_answer(StatusCode::OK, "application/json", &json!({"status": word})),
        Err(why) => {
            let body = json!({"status": "unavailable", "reason": why});
            json_answer(StatusCode::SERVICE_UNAVAILABLE, "application/json", &body)
        }
    }
}

fn rejected(rejection: &Rejection, path: &str) -> Response<Full<Bytes>> {
    let status = rejection.reason.status();
    let mut response = json_answer(status, PROBLEM_JSON, &rejection.to_json());
    let headers = response.headers_mut();
    match rejection.reason {
        Reason::Unauthorized => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // RFC 9110 §15.5.6: a 405 lists the methods that are possible.
        Reason::MethodNotAllowed => {
            let methods = Resource::of(path).map_or(PROBE_METHODS, |resource| resource.methods());
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        _ => {}
    }
    response
}

fn json_answer(status: StatusCode, kind: &'static str, body: &Value) -> Response<Full<Bytes>> {
    answer(status, kind, format!("{body}\n"))
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    // Keys and accounts belong in no cache (RFC 9111 §5.2.2.5).
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

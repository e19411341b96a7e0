//! One request over the wire: its body read, the answer waited for and sent.

use std::convert::Infallible;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time;

use super::{
    Settings,
    paced::{Paced, per_token},
    rejection::Rejection,
    reply::Reply,
    route::{self, Asked},
};
use crate::providers::Dialect;

/// Bytes of a body at most; above what the gateway lets through by default, so that the gateway's limit is seen first.
pub(super) const BODY_BYTES: usize = 64 * 1024 * 1024;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// Where OpenAI names the request.
const OPENAI_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Where Anthropic does.
const ANTHROPIC_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Answers one request; a request that cannot be answered gets the vendor's error.
pub(super) async fn answer(
    settings: Settings,
    request: Request<Incoming>,
) -> Result<Response<Paced>, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let dialect = route::dialect(path, head.headers.contains_key("anthropic-version"));
    let read = read(body).await;
    let asked = Asked {
        method: &head.method,
        path,
        dialect,
        body: read.as_deref().unwrap_or_default(),
    };
    let request_id = asked.chance(settings.seed).id("req_");
    let reply = match read {
        Ok(_) => route::answer(asked, settings.seed),
        Err(ref rejection) => Err(rejection.clone()),
    };
    time::sleep(settings.latency).await;
    let mut response = match reply {
        Ok(Reply::Whole { json, tokens }) => {
            if let Some(each) = per_token(settings.tokens_per_second) {
                let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
                time::sleep(each.saturating_mul(tokens)).await;
            }
            with_type(Paced::whole(json), JSON)
        }
        Ok(Reply::Stream(frames)) => {
            let mut response = with_type(Paced::stream(frames, settings.tokens_per_second), EVENTS);
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            response
        }
        Err(rejection) => {
            let asked = format!("{} {path}", head.method);
            let body = rejection.body(dialect, &asked, &request_id);
            let mut response = with_type(Paced::whole(body.to_string().into()), JSON);
            *response.status_mut() = rejection.status();
            if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
                // The rest of the body is on its way and nobody reads it.
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    };
    let name = match dialect {
        Dialect::Anthropic => ANTHROPIC_REQUEST_ID,
        Dialect::OpenAi | Dialect::Gemini => OPENAI_REQUEST_ID,
    };
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(name, id);
    }
    Ok(response)
}

fn with_type(body: Paced, content_type: HeaderValue) -> Response<Paced> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// The whole body, up to [`BODY_BYTES`].
async fn read(mut body: Incoming) -> Result<Bytes, Rejection> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Rejection::Unreadable)?;
        if let Ok(data) = frame.into_data() {
            if whole.len() + data.len() > BODY_BYTES {
                return Err(Rejection::TooLarge);
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

//! What a listener's connections are answered by.
//!
//! Owns the way from a connection to the gateway or to the admin API. Must not know how either is made.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use tokio::sync::oneshot;

use super::Publisher;
use crate::{
    admin::Admin,
    gateway::Gateway,
    listener::{Listener, Shutdown, Tasks},
    overload::Overload,
    telemetry::Metrics,
};

/// One open connection in the gauge.
#[derive(Debug)]
struct Open(Arc<Metrics>);

/// Serves the public listener until its drain has ended.
pub(super) async fn public(
    listener: Listener,
    gateway: Arc<Gateway>,
    metrics: Arc<Metrics>,
    overload: Overload,
    shutdown: Shutdown,
) {
    let drained = listener
        .serve(
            |peer, connection| {
                let gateway = Arc::clone(&gateway);
                let open = (Open::count(&metrics), overload.connected());
                service_fn(move |request| {
                    let _ = &open;
                    Arc::clone(&gateway).answer(request, peer, connection.in_flight())
                })
            },
            shutdown,
        )
        .await;
    tracing::info!(
        finished = drained.finished,
        forced = drained.forced,
        "the public listener has ended"
    );
}

/// Serves the admin listener until it is shut down and every change that was begun is finished.
pub(super) async fn admin(
    listener: Listener,
    admin: Arc<Admin<Arc<Publisher>>>,
    shutdown: Shutdown,
) {
    let requests = Tasks::default();
    listener
        .serve(
            |_, connection| {
                let (admin, requests) = (Arc::clone(&admin), requests.clone());
                service_fn(move |request| {
                    let (admin, mut in_flight) = (Arc::clone(&admin), connection.in_flight());
                    let (tell, told) = oneshot::channel();
                    // A change that was begun is finished, though its client may leave: what the store has and what is
                    // in force must not come apart.
                    requests.spawn(async move { drop(tell.send(admin.handle(request).await)) });
                    async move {
                        let answer = told.await.unwrap_or_else(|_| failed());
                        in_flight.answered();
                        Ok::<_, Infallible>(answer)
                    }
                })
            },
            shutdown,
        )
        .await;
    requests.wait().await;
}

/// The answer to a request whose task panicked.
fn failed() -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

impl Open {
    fn count(metrics: &Arc<Metrics>) -> Self {
        metrics.connection_opened();
        Self(Arc::clone(metrics))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connection_closed();
    }
}

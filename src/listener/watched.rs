//! A service that tells the connection's clocks when a request head has arrived.

use std::sync::Arc;

use http_body::Body;
use hyper::{Request, body::Incoming, service::Service};

use super::clocks::Clocks;

#[derive(Debug)]
pub(super) struct Watched<S> {
    service: S,
    clocks: Arc<Clocks>,
    /// Whether every request runs in a task of its own, as HTTP/2's do.
    streams: bool,
}

impl<S> Watched<S> {
    pub(super) fn new(service: S, clocks: Arc<Clocks>, streams: bool) -> Self {
        Self {
            service,
            clocks,
            streams,
        }
    }
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for Watched<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.clocks.head_arrived(!request.body().is_end_stream());
        self.clocks.calling(self.streams);
        let answer = self.service.call(request);
        self.clocks.calling(false);
        answer
    }
}

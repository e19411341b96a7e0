//! A service that tells the connection's clocks when a request head has arrived, and the client when it was the last.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http_body::Body;
use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONNECTION, HeaderValue},
    service::Service,
};

use super::{
    boxes::{Boxed, FutureBoxes},
    clocks::Clocks,
};

pub(super) struct Watched<S: Service<Request<Incoming>>> {
    service: S,
    boxes: Arc<FutureBoxes<S::Future>>,
    clocks: Arc<Clocks>,
    /// Whether every request runs in a task of its own, as HTTP/2's do.
    streams: bool,
}

/// An answer on its way. The `last` one says that the connection is not kept, and hyper follows.
#[derive(Debug)]
pub(super) struct Answer<F> {
    answer: Boxed<F>,
    last: bool,
}

impl<S: Service<Request<Incoming>>> Watched<S> {
    pub(super) fn new(
        service: S,
        boxes: Arc<FutureBoxes<S::Future>>,
        clocks: Arc<Clocks>,
        streams: bool,
    ) -> Self {
        Self {
            service,
            boxes,
            clocks,
            streams,
        }
    }
}

impl<S, B> Service<Request<Incoming>> for Watched<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.clocks.head_arrived(!request.body().is_end_stream());
        self.clocks.calling(self.streams);
        let answer = self.boxes.put(|| self.service.call(request));
        self.clocks.calling(false);
        Answer {
            answer,
            last: !self.streams && self.clocks.is_last(),
        }
    }
}

impl<F, B, E> Future for Answer<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut answer = ready!(Pin::new(&mut self.answer).poll(cx));
        if self.last
            && let Ok(answer) = &mut answer
        {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(CONNECTION, close);
        }
        Poll::Ready(answer)
    }
}

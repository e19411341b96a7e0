//! Answers over HTTP/2 that have no content: those to HEAD (RFC 9110 §9.3.2), and 204 and 304 (§6.4.1). Over HTTP/1 hyper
//! leaves it out, and says no length where none may be said; over HTTP/2 it would say that of the body it was given.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame, SizeHint};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_LENGTH, HeaderValue},
    service::Service,
};
use pin_project_lite::pin_project;

/// A service whose answers without content end with their heads.
pub(super) struct Heads<S>(pub(super) S);

pin_project! {
    /// An answer on its way.
    pub(super) struct Answer<F> {
        #[pin]
        answer: F,
        is_head: bool,
    }
}

pin_project! {
    /// The body of an answer, or none of it. What is not sent is kept until then: it owns what the request holds.
    pub(super) struct Content<B> {
        #[pin]
        body: B,
        is_empty: bool,
    }
}

impl<S, B> Service<Request<Incoming>> for Heads<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    B: Body,
{
    type Response = Response<Content<B>>;
    type Error = S::Error;
    type Future = Answer<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let is_head = *request.method() == Method::HEAD;
        Answer {
            answer: self.0.call(request),
            is_head,
        }
    }
}

impl<F, B, E> Future for Answer<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<Content<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let is_head = *this.is_head;
        let mut answer = ready!(this.answer.poll(cx))?;
        // As GET would have it, and as hyper adds it where there is content. One without is that of a provider who was asked
        // by HEAD, and may be silent about its length.
        if is_head && let Some(length @ 1..) = answer.body().size_hint().exact() {
            let fields = answer.headers_mut();
            let length = HeaderValue::from(length);
            fields.entry(CONTENT_LENGTH).or_insert(length);
        }
        let status = answer.status();
        let is_empty =
            is_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        Poll::Ready(Ok(answer.map(|body| Content { body, is_empty })))
    }
}

impl<B: Body> Body for Content<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        if *this.is_empty {
            Poll::Ready(None)
        } else {
            this.body.poll_frame(cx)
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_empty {
            SizeHint::with_exact(0)
        } else {
            self.body.size_hint()
        }
    }
}

//! One request to one provider.

use std::{fmt, pin::pin, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header::CONTENT_LENGTH,
    request::Parts, response, uri::PathAndQuery,
};
use tokio::time::{Instant, timeout_at};

use super::{
    Encoding, Failure, FailureKind, Outgoing, Processed, Settings, UpstreamBody,
    body::Content,
    connect::Origin,
    deadline::{self, BodyClock},
    h1, head,
    outgoing::Progress,
    pool::{Held, Lease, Pool},
    target,
};
use crate::{domain::ProviderId, providers::ProviderKind};

/// One provider: how it is reached, and the connections to it. Shared behind an `Arc`; dropping it closes what is idle.
pub struct Upstream {
    settings: Settings,
    origin: Origin,
    host: HeaderValue,
    pool: Arc<Pool>,
}

/// A request that went nowhere.
struct Unsent {
    failure: Failure,
    /// The request, when it may be sent once more.
    again: Option<Request<Outgoing>>,
}

/// Which connection a request goes out on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// A new one, or a place on one that somebody else has opened meanwhile.
    Any,
    /// One that did not exist before.
    New,
}

impl Upstream {
    /// A provider. Connects when the first call needs it. HTTP/2 and HTTP/1.1 are offered over TLS, whatever
    /// `settings.tls` says about it.
    pub fn new(settings: Settings) -> Self {
        let origin = Origin::new(&settings.base_url, &settings.tls);
        let host = HeaderValue::from_str(settings.base_url.authority.as_str())
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        Self {
            pool: Arc::new(Pool::new(origin.is_https())),
            settings,
            origin,
            host,
        }
    }

    /// How it is reached.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its name.
    pub const fn id(&self) -> &ProviderId {
        &self.settings.id
    }

    /// What it speaks.
    pub const fn kind(&self) -> ProviderKind {
        self.settings.kind
    }

    /// Sends a request to `target`, a path and query, below the base URL, and waits for the head of the answer.
    ///
    /// `head` is the client's: its method and fields, less what is the client's alone, plus the provider's credential;
    /// its URI and version do not matter. `Content-Length` is that of `body`. The answer comes as it is, a redirect or
    /// an error too, less its hop-by-hop fields and cookies.
    ///
    /// A request is sent a second time only if the provider cannot have processed the first. `sends` is called each time,
    /// when a connection stands: before it nothing has been sent, and its failure sends nothing.
    ///
    /// # Errors
    /// No answer, or none that is HTTP; see [`FailureKind`].
    pub(crate) async fn send(
        &self,
        mut head: Parts,
        target: &str,
        encoding: Encoding,
        body: Outgoing,
        mut sends: impl FnMut() -> Result<(), Failure>,
    ) -> Result<Response<UpstreamBody>, Failure> {
        let start = Instant::now();
        let path = self.path(&head.uri, target)?;
        if head.method == Method::CONNECT {
            return Err(Failure::unsent(FailureKind::Unsendable).because("CONNECT opens tunnels"));
        }
        head::to_provider(
            &mut head.headers,
            self.settings.credential.as_ref(),
            encoding,
        );
        if has_length_of_none(&head.method, &body) {
            head.headers
                .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        head.extensions = http::Extensions::new();
        let end = deadline::end_of_call(start, &self.settings.timeouts);

        let lease = match self.pool.take() {
            Some(lease) => lease,
            None => self.connection(Wanted::Any, start, end).await?,
        };
        let request = Request::from_parts(head, body);
        sends()?;
        let Unsent { failure, again } = match self.exchange(lease, request, &path, end).await {
            Ok(response) => return Ok(response),
            Err(unsent) => unsent,
        };
        let Some(request) = again else {
            return Err(failure);
        };
        tracing::debug!(provider = %self.id(), error = %failure, "a request that was not processed is sent again");
        let again = async {
            let lease = self.connection(Wanted::New, Instant::now(), end).await?;
            sends()?;
            let answer = self.exchange(lease, request, &path, end).await;
            answer.map_err(|unsent| unsent.failure)
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "sending again is rare; the box keeps a second exchange out of every call's future"
        )]
        let again = Box::pin(again);
        again.await
    }

    fn path(&self, uri: &Uri, target: &str) -> Result<PathAndQuery, Failure> {
        let joined = target::join(&self.settings.base_url.path, target);
        if let Some(same) = uri.path_and_query().filter(|path| path.as_str() == joined) {
            return Ok(same.clone());
        }
        PathAndQuery::from_maybe_shared(Bytes::from(joined.into_owned()))
            .map_err(|error| Failure::unsent(FailureKind::Unsendable).because(error))
    }

    /// The connection that is wanted, begun with at `start`.
    async fn connection(
        &self,
        wanted: Wanted,
        start: Instant,
        end: Instant,
    ) -> Result<Lease, Failure> {
        let deadline = deadline::after(start, self.settings.timeouts.connect).min(end);
        let opening = async {
            let _turn = self.pool.turn().await;
            if wanted == Wanted::Any
                && let Some(lease) = self.pool.take_shared()
            {
                return Ok(lease);
            }
            let connection = self.origin.open(deadline).await?;
            Ok(self.pool.opened(connection))
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "opening is rare and its future large; the box keeps it out of every call's future"
        )]
        let opening = Box::pin(opening);
        timeout_at(deadline, opening)
            .await
            .unwrap_or_else(|_| Err(Failure::unsent(FailureKind::ConnectTimeout)))
    }

    async fn exchange(
        &self,
        mut lease: Lease,
        mut request: Request<Outgoing>,
        path: &PathAndQuery,
        end: Instant,
    ) -> Result<Response<UpstreamBody>, Unsent> {
        if lease.is_h2() {
            self.address_h2(&mut request, path).map_err(Unsent::of)?;
        }
        let progress = request.body().progress();
        let asks_for_a_head = *request.method() == Method::HEAD;
        // hyper gives back only what it has not begun with; a refused stream needs a second copy.
        let copy = if lease.is_h2() {
            copy_of(&request)
        } else {
            None
        };
        let first_byte = self.settings.timeouts.first_byte;
        let mut request = Some(request);
        let answer = {
            let address = (&self.host, path);
            let sending = pin!(dispatch(
                &mut lease,
                &mut request,
                address,
                progress.as_deref()
            ));
            deadline::head(sending, first_byte, end, progress.as_deref()).await
        };
        let answer = answer.map_err(|late| {
            // What holds up one call of a shared connection may hold up all of them.
            lease.make_last();
            Unsent::of(late)
        })?;
        let failure = match answer {
            Ok((head, mut content)) => {
                if let Content::H2(body) = &mut content
                    && (asks_for_a_head || is_empty(head.status))
                {
                    *body = None;
                }
                return self
                    .answered(head, content, lease, end, progress)
                    .map_err(Unsent::of);
            }
            Err(failure) => failure,
        };
        let again = match failure.processed {
            Processed::Maybe => None,
            // A new HTTP/1 connection that closes before it is used would do so again.
            Processed::No if lease.is_h2() || lease.used_before() => request.or(copy),
            Processed::No => None,
        };
        if failure.processed == Processed::No {
            lease.make_last();
        }
        Err(Unsent { failure, again })
    }

    /// RFC 9113 §8.3.1: over HTTP/2 the authority is a pseudo-field, and `Host` is left out.
    fn address_h2(
        &self,
        request: &mut Request<Outgoing>,
        path: &PathAndQuery,
    ) -> Result<(), Failure> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.settings.base_url.scheme.clone());
        parts.authority = Some(self.settings.base_url.authority.clone());
        parts.path_and_query = Some(path.clone());
        *request.uri_mut() = Uri::from_parts(parts)
            .map_err(|error| Failure::unsent(FailureKind::Unsendable).because(error))?;
        *request.version_mut() = Version::HTTP_2;
        Ok(())
    }

    fn answered(
        &self,
        mut head: response::Parts,
        content: Content,
        mut lease: Lease,
        end: Instant,
        progress: Option<Arc<Progress>>,
    ) -> Result<Response<UpstreamBody>, Failure> {
        // Nobody has asked for another protocol: `Upgrade` is never sent. And there is no status above 599 (RFC 9110 §15),
        // so that nobody can say whether the call was served.
        if head.status == StatusCode::SWITCHING_PROTOCOLS
            || head.status.as_u16() > 599
            || head.headers.len() > head::MAX_FIELDS
        {
            return Err(Failure::new(FailureKind::InvalidResponse));
        }
        // HTTP/1.0 between us and the provider is none between us and the client.
        head.version = Version::HTTP_11;
        if !head::to_client(&mut head.headers) {
            lease.make_last();
        }
        // RFC 9110 §8.6 forbids a length with the one, and lets the other go without: neither has a body, and a client that
        // believed the length would wait for the next answer's bytes.
        if is_empty(head.status) {
            head.headers.remove(CONTENT_LENGTH);
        }
        let clock = BodyClock::new(self.settings.timeouts.idle, end);
        let body = UpstreamBody::new(content, clock, lease, progress);
        Ok(Response::from_parts(head, body))
    }
}

/// Hands the request to the connection; HTTP/1 is told host and path at `address` with it. One that is still there
/// afterwards has not been begun with.
async fn dispatch(
    lease: &mut Lease,
    request: &mut Option<Request<Outgoing>>,
    address: (&HeaderValue, &PathAndQuery),
    progress: Option<&Progress>,
) -> Result<(response::Parts, Content), Failure> {
    let mut failure = match lease.held() {
        Held::H1(wire) => match h1::send(wire, request, address).await {
            Ok((head, answer, reusable)) => {
                if !reusable {
                    lease.make_last();
                }
                return Ok((head, Content::H1(answer)));
            }
            Err(broken) => Failure::of_connection(broken),
        },
        Held::H2(stream) => {
            let Some(message) = request.take() else {
                return Err(Failure::unsent(FailureKind::Unsendable));
            };
            match stream.sender().try_send_request(message).await {
                Ok(answer) => {
                    let (head, incoming) = answer.into_parts();
                    return Ok((head, Content::H2(Some(incoming))));
                }
                Err(mut error) => {
                    *request = error.take_message();
                    Failure::of_exchange(error.into_error(), progress.and_then(Progress::failed))
                }
            }
        }
    };
    if request.is_some() {
        failure.processed = Processed::No;
    }
    Err(failure)
}

impl Unsent {
    const fn of(failure: Failure) -> Self {
        Self {
            failure,
            again: None,
        }
    }
}

/// RFC 9110 §6.4.1: answers with these statuses have no body.
fn is_empty(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// RFC 9110 §8.6: a method that anticipates content says that there is none.
fn has_length_of_none(method: &Method, body: &Outgoing) -> bool {
    use http_body::Body;
    matches!(*method, Method::POST | Method::PUT | Method::PATCH) && body.is_end_stream()
}

fn copy_of(request: &Request<Outgoing>) -> Option<Request<Outgoing>> {
    let mut copy = Request::new(request.body().again()?);
    copy.method_mut().clone_from(request.method());
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("settings", &self.settings)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

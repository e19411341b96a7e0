//! The floor: what forwarding costs with hyper on both sides and nothing in between.
//!
//! One thread, one pool of connections to one provider, `TCP_NODELAY` on both sides, bodies passed on frame by frame. It
//! knows no keys, reads no body and counts nothing; hop-by-hop fields are taken out, because a proxy has to.
//!
//! With a ledger it is told of each call's beginning and end, and decides nothing by it.

use std::{error::Error, io, sync::Arc};

use http_body_util::{Either, Full};
use hyper::{
    HeaderMap, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header::{
        CONNECTION, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE,
    },
    http::uri::{Authority, PathAndQuery, Scheme},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::{TcpListener, TcpStream};

type Body = Either<Incoming, Full<Bytes>>;

/// RFC 9110 §7.6.1: about one connection only.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Who notes calls.
pub trait Ledger: Send + Sync + 'static {
    /// A call begins; gives its number.
    fn hold(&self) -> io::Result<u64>;

    /// Its answer is here.
    fn settle(&self, call: u64) -> io::Result<()>;
}

/// Nobody notes anything.
impl Ledger for () {
    fn hold(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn settle(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
}

struct Proxy<L> {
    client: Client<HttpConnector, Incoming>,
    provider: Authority,
    ledger: L,
}

impl<L: Ledger> Proxy<L> {
    fn new(provider: Authority, ledger: L) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(usize::MAX)
            .build(connector);
        Self {
            client,
            provider,
            ledger,
        }
    }

    async fn forward(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Box<dyn Error + Send + Sync>> {
        let mut uri = std::mem::take(request.uri_mut()).into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(self.provider.clone());
        uri.path_and_query
            .get_or_insert(PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from_parts(uri)?;
        request.headers_mut().remove(HOST);
        strip(request.headers_mut());
        let call = self.ledger.hold()?;
        match self.client.request(request).await {
            Ok(mut response) => {
                self.ledger.settle(call)?;
                strip(response.headers_mut());
                Ok(response.map(Either::Left))
            }
            Err(error) => Ok(Response::builder()
                .status(StatusCode::BAD_GATEWAY)
                .body(Either::Right(Full::from(error.to_string())))?),
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let service = service_fn(|request| self.forward(request));
        // A connection that fails is the client's to notice.
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }
}

fn strip(fields: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        fields.remove(name);
    }
}

/// Serves at `listen` what `provider` answers, both as address:port, until the process ends.
pub fn run<L: Ledger>(listen: &str, provider: &str, ledger: L) -> Result<(), Box<dyn Error>> {
    let proxy = Arc::new(Proxy::new(provider.parse()?, ledger));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(Arc::clone(&proxy).serve(stream));
        }
    })
}

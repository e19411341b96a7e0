//! The floor: what forwarding costs with hyper on both sides and nothing in between.
//!
//! One thread, one pool of connections to one provider, `TCP_NODELAY` on both sides, bodies passed on frame by frame. It
//! knows no keys, reads no body and counts nothing; hop-by-hop fields are taken out, because a proxy has to.
//!
//! `compare-floor <listen> <provider>`, both as address:port.

use std::{error::Error, net::SocketAddr};

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

#[derive(Clone)]
struct Proxy {
    client: Client<HttpConnector, Incoming>,
    provider: Authority,
}

impl Proxy {
    fn new(provider: Authority) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(usize::MAX)
            .build(connector);
        Self { client, provider }
    }

    async fn forward(
        &self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, hyper::http::Error> {
        let mut uri = std::mem::take(request.uri_mut()).into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(self.provider.clone());
        uri.path_and_query
            .get_or_insert(PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from_parts(uri)?;
        request.headers_mut().remove(HOST);
        strip(request.headers_mut());
        match self.client.request(request).await {
            Ok(mut response) => {
                strip(response.headers_mut());
                Ok(response.map(Either::Left))
            }
            Err(error) => Response::builder()
                .status(StatusCode::BAD_GATEWAY)
                .body(Either::Right(Full::from(error.to_string()))),
        }
    }

    async fn serve(self, stream: TcpStream) {
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

async fn run(listen: SocketAddr, provider: Authority) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(listen).await?;
    let proxy = Proxy::new(provider);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(proxy.clone().serve(stream));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(listen), Some(provider)) = (arguments.next(), arguments.next()) else {
        return Err("usage: compare-floor <listen> <provider>, both as address:port".into());
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(listen.parse()?, provider.parse()?))
}

//! A client that shows everything it gets.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::within;

/// A request that is not sent yet. Every call has a connection of its own.
pub(crate) struct Call {
    address: SocketAddr,
    request: http::request::Builder,
    body: Bytes,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the body broke off.
    pub(crate) broken: bool,
}

impl Call {
    pub(crate) fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", address.to_string());
        Self {
            address,
            request,
            body: Bytes::new(),
        }
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self {
            request: self.request.header(name, value),
            ..self
        }
    }

    pub(crate) fn bearer(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub(crate) fn json(self, body: &str) -> Self {
        let call = self.header("content-type", "application/json");
        Self {
            body: Bytes::copy_from_slice(body.as_bytes()),
            ..call
        }
    }

    pub(crate) fn body(self, body: impl Into<Bytes>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    /// Sends it and waits for the answer's head. Dropping the response closes the connection.
    pub(crate) async fn open(self) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let request = self.request.body(Full::new(self.body)).unwrap();
        within("an answer's head", sender.send_request(request))
            .await
            .unwrap()
    }

    /// Sends it, to a server that may go away meanwhile; the answer's status, where one came.
    pub(crate) async fn try_send(self) -> Option<StatusCode> {
        let stream = TcpStream::connect(self.address).await.ok()?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .ok()?;
        tokio::spawn(connection);
        let request = self.request.body(Full::new(self.body)).unwrap();
        let answer = within("an answer or an end", sender.send_request(request)).await;
        answer.ok().map(|answer| answer.status())
    }

    /// Sends it and reads the answer to its end.
    pub(crate) async fn send(self) -> Answer {
        let (parts, mut body) = self.open().await.into_parts();
        let mut read = Vec::new();
        let mut broken = false;
        while let Some(frame) = within("a frame", body.frame()).await {
            match frame {
                Ok(frame) => read.extend_from_slice(frame.data_ref().unwrap()),
                Err(_) => {
                    broken = true;
                    break;
                }
            }
        }
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: read.into(),
            broken,
        }
    }
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The error's code, in either dialect.
    pub(crate) fn code(&self) -> String {
        let value = self.value();
        let error = &value["error"];
        let code = error["code"]
            .as_str()
            .or_else(|| error["details"]["error_code"].as_str());
        code.unwrap_or_else(|| panic!("no code in {value}"))
            .to_owned()
    }
}

/// Sends bytes as they are, and reads until the server closes or has been silent after a whole answer.
pub(crate) async fn raw_until_close(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut read = Vec::new();
    let _ = within("the server closed", stream.read_to_end(&mut read)).await;
    String::from_utf8_lossy(&read).into_owned()
}

/// Sends bytes as they are on a new connection, and gives the connection.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Reads until `wanted` has come.
pub(crate) async fn read_until(stream: &mut (impl AsyncRead + Unpin), wanted: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    within("bytes came", async {
        while !read.windows(wanted.len()).any(|part| part == wanted) {
            let count = stream.read_buf(&mut read).await.unwrap();
            assert_ne!(count, 0, "closed early: {}", String::from_utf8_lossy(&read));
        }
    })
    .await;
    read
}

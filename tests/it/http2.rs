//! Many calls on one connection, and clients that take one back.

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Body, Incoming},
    client::conn::http2,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::harness::{
    Gateway, KEY, LIMITED, Step, Upstream, head, json, shared_config, sse, within,
};

type Sender = http2::SendRequest<Full<Bytes>>;

async fn connect(gateway: &Gateway) -> Sender {
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn request(path: &str, key: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(format!("http://gateway.example{path}"))
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .body(Full::new(body.into()))
        .unwrap()
}

async fn send(sender: &Sender, request: Request<Full<Bytes>>) -> Response<Incoming> {
    within("an answer", sender.clone().send_request(request))
        .await
        .unwrap()
}

async fn text(answer: Response<Incoming>) -> String {
    let body = within("a body", answer.into_body().collect())
        .await
        .unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_hundred_calls_share_a_connection_and_none_gets_anothers_answer() {
    let upstream = Upstream::start(|seen| {
        let number = seen.json()["number"].to_string();
        if seen.json()["stream"] == true {
            let event = format!("data: {{\"number\":{number}}}\n\n");
            sse(&[&event, "data: [DONE]\n\n"])
        } else {
            json("200 OK", &format!("{{\"number\":{number}}}"))
        }
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let sender = connect(&gateway).await;
    let calls = (0..100).map(|number| {
        let sender = &sender;
        async move {
            let stream = number % 2 == 0;
            let body = format!(r#"{{"model":"m","stream":{stream},"number":{number}}}"#);
            let answer = send(sender, request("/v1/chat/completions", LIMITED, body)).await;
            assert_eq!(answer.status(), 200);
            assert!(answer.headers().contains_key("x-request-id"));
            assert!(!answer.headers().contains_key("connection"));
            let expected = if stream {
                format!("data: {{\"number\":{number}}}\n\ndata: [DONE]\n\n")
            } else {
                format!("{{\"number\":{number}}}")
            };
            assert_eq!(text(answer).await, expected);
        }
    });
    join_all(calls).await;
    gateway.calls(100).await;
    gateway.nothing_held(LIMITED).await;
    for seen in upstream.seen() {
        assert_eq!(seen.headers["host"], upstream.address.to_string());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_reset_stream_is_cancelled_upstream_and_its_neighbours_live() {
    let upstream = Upstream::start(|seen| {
        if seen.json()["hangs"] == true {
            vec![
                head("text/event-stream"),
                Step::Send(b"b\r\ndata: {}\n\n\n\r\n".to_vec()),
                Step::Hang,
            ]
        } else if seen.json()["waits"] == true {
            vec![Step::Hang]
        } else {
            let mut steps = json("200 OK", "{}");
            steps.push(Step::Close);
            steps
        }
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let sender = connect(&gateway).await;
    // After the head: dropping the body resets the stream.
    let hangs = r#"{"model":"m","stream":true,"hangs":true}"#;
    let mut answer = send(&sender, request("/v1/chat/completions", LIMITED, hangs)).await;
    within("a frame", answer.body_mut().frame())
        .await
        .unwrap()
        .unwrap();
    drop(answer);
    // The end of the connection upstream shows that the cancel went through.
    upstream.all_closed().await;
    let calls = gateway.calls(1).await;
    assert_eq!(
        (&calls[0]["outcome"], &calls[0]["status"]),
        (&"client_closed".into(), &200.into())
    );
    gateway.pass(std::time::Duration::from_millis(1));

    // Before the head.
    let waits = r#"{"model":"m","stream":true,"waits":true}"#;
    let mut own = sender.clone();
    let early = tokio::spawn(async move {
        own.send_request(request("/v1/chat/completions", LIMITED, waits))
            .await
    });
    upstream.arrival().await;
    upstream.arrival().await;
    early.abort();
    upstream.all_closed().await;
    let calls = gateway.calls(2).await;
    assert_eq!(
        (&calls[0]["outcome"], &calls[0]["status"]),
        (&"client_closed".into(), &499.into())
    );

    let answer = send(
        &sender,
        request("/v1/chat/completions", LIMITED, r#"{"model":"m"}"#),
    )
    .await;
    assert_eq!(text(answer).await, "{}");
    gateway.nothing_held(LIMITED).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_refusal_arrives_while_the_body_is_still_on_its_way() {
    let upstream = Upstream::answering("200 OK", "{}").await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let sender = connect(&gateway).await;
    for _ in 0..5 {
        let answer = send(
            &sender,
            request("/v1/chat/completions", "nobodys", vec![b'x'; 20 << 20]),
        )
        .await;
        assert_eq!(answer.status(), 401);
        assert!(text(answer).await.contains("invalid_api_key"));
    }
    // The connection serves on.
    let answer = send(
        &sender,
        request("/v1/chat/completions", KEY, r#"{"model":"m"}"#),
    )
    .await;
    assert_eq!(answer.status(), 200);
    gateway.stop().await;
}

#[tokio::test]
async fn a_broken_document_resets_its_stream() {
    let upstream = Upstream::start(|_| {
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
        vec![Step::Send(head.into()), Step::Close]
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let sender = connect(&gateway).await;
    let answer = send(
        &sender,
        request("/v1/chat/completions", KEY, r#"{"model":"m"}"#),
    )
    .await;
    assert_eq!(answer.status(), 200);
    let body = within("the end", answer.into_body().collect()).await;
    assert!(body.is_err());
    gateway.stop().await;
}

#[tokio::test]
async fn a_stream_that_has_no_answer_when_the_drain_ends_is_told() {
    let upstream = Upstream::start(|_| vec![Step::Hang]).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let sender = connect(&gateway).await;
    let body = r#"{"model":"m"}"#;
    let call = request("/v1/chat/completions", LIMITED, body);
    let waits = tokio::spawn(async move { send(&sender, call).await });
    upstream.arrival().await;
    gateway.app().force();
    let answer = waits.await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(text(answer).await.contains("\"draining\""));
    let call = gateway.calls(1).await.remove(0);
    assert_eq!(call["outcome"], "indeterminate", "{call}");
    assert_eq!(call["status"], 503, "{call}");
    gateway.stop().await;
}

#[tokio::test]
async fn an_answer_to_head_ends_with_its_head() {
    let upstream = Upstream::answering("200 OK", "{}").await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let sender = connect(&gateway).await;
    for path in ["/v1/models", "/healthz", "/problems/draining", "/nope"] {
        let mut lengths = Vec::new();
        for method in [Method::HEAD, Method::GET] {
            let mut asked = request(path, KEY, "");
            *asked.method_mut() = method.clone();
            let answer = send(&sender, asked).await;
            assert_eq!(
                answer.body().is_end_stream(),
                method == Method::HEAD,
                "{path}"
            );
            lengths.push(answer.headers()["content-length"].clone());
            text(answer).await;
        }
        assert_eq!(lengths[0], lengths[1], "{path}");
    }
    gateway.stop().await;
}

/// What its provider does not say of an answer, nobody makes up: GET would have content.
#[tokio::test]
async fn an_answer_to_head_has_no_length_that_its_provider_did_not_say() {
    let upstream = Upstream::start(|_| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        vec![Step::Send(head.into())]
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let sender = connect(&gateway).await;
    let mut asked = request("/raw/v1/x", LIMITED, "");
    *asked.method_mut() = Method::HEAD;
    let answer = send(&sender, asked).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.body().is_end_stream());
    assert_eq!(answer.headers().get("content-length"), None);
    assert_eq!(gateway.calls(1).await[0]["outcome"], "completed");
    gateway.nothing_held(LIMITED).await;
    gateway.stop().await;
}

/// RFC 9110 §8.6: the one may have no length, and that of the other would be that of what is not sent.
#[tokio::test]
async fn an_answer_that_has_no_body_has_no_length() {
    for status in ["204 No Content", "304 Not Modified"] {
        let answer = format!("HTTP/1.1 {status}\r\netag: \"x\"\r\n\r\n");
        let upstream = Upstream::start(move |_| vec![Step::Send(answer.clone().into())]).await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        let sender = connect(&gateway).await;
        let asked = request("/raw/v1/files/f", LIMITED, "");
        let answer = send(&sender, asked).await;
        assert!(status.starts_with(answer.status().as_str()), "{status}");
        assert_eq!(answer.headers()["etag"], "\"x\"", "{status}");
        assert_eq!(answer.headers().get("content-length"), None, "{status}");
        assert!(answer.body().is_end_stream(), "{status}");
        let call = &gateway.calls(1).await[0];
        assert_eq!(call["outcome"], "completed", "{status}");
        gateway.nothing_held(LIMITED).await;
        gateway.stop().await;
    }
}

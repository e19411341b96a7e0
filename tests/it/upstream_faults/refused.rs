//! Providers that take no call, and connections that end between calls.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

use super::{STREAM, WHOLE, chat};
use crate::harness::{Gateway, KEY, LIMITED, Step, Upstream, json, shared_config, sse, within};

/// A port on which nobody listens: bound, so that nobody else can take it.
pub(super) fn deaf() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

#[tokio::test]
async fn a_provider_that_nobody_listens_for_is_unreachable() {
    let (_kept, address) = deaf();
    let told = chat(&format!("http://{address}"), "", WHOLE).await;
    told.refused(502, "upstream_unreachable", "upstream_failed");
    assert_eq!(told.used, (0, 0));
    assert!(told.call["first_byte_ms"].is_null());
}

/// An address where nobody answers: a full backlog drops whoever comes next, without a word.
pub(super) fn silent() -> (Vec<Socket>, SocketAddr) {
    let (socket, address) = deaf();
    socket.listen(0).unwrap();
    let fillers: Vec<Socket> = (0..4)
        .map(|_| {
            let filler = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            filler.set_nonblocking(true).unwrap();
            let _ = filler.connect(&address.into());
            filler
        })
        .chain([socket])
        .collect();
    (fillers, address)
}

#[tokio::test]
async fn a_connection_that_never_stands_is_given_up() {
    let (_kept, address) = silent();
    let options = ", timeouts: {connect: 100ms}";
    let told = chat(&format!("http://{address}"), options, WHOLE).await;
    told.refused(504, "upstream_connect_timeout", "upstream_failed");
    assert_eq!(told.used, (0, 0));
}

#[tokio::test]
async fn a_client_that_leaves_before_the_connection_stands_has_called_nobody() {
    let (_kept, address) = silent();
    let options = ", timeouts: {connect: 60s}";
    let gateway = Gateway::start(&shared_config(&format!("http://{address}"), options)).await;
    let call = tokio::spawn(gateway.chat(LIMITED, STREAM).open());
    let held = |limits: &serde_json::Value| {
        let mut limits = limits["limits"].as_array().unwrap().iter();
        limits.any(|limit| limit["held"] != 0)
    };
    within("a hold", async {
        while !held(&gateway.limits(LIMITED).await) {}
    })
    .await;
    call.abort();
    let record = &gateway.records(1).await[0];
    assert_eq!(record["status"], 499);
    gateway.nothing_held(LIMITED).await;
    let limits = gateway.limits(LIMITED).await;
    for limit in limits["limits"].as_array().unwrap() {
        assert_eq!(limit["used"], 0, "{limit}");
    }
    gateway.calls(0).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_host_without_an_address_is_unreachable() {
    // RFC 6761 §6.4: names under `invalid` have none.
    let told = chat("http://nowhere.invalid", "", WHOLE).await;
    told.refused(502, "upstream_unreachable", "upstream_failed");
}

#[tokio::test]
async fn a_reset_before_a_byte_is_not_tried_again() {
    for step in [Step::Reset, Step::Close] {
        let upstream = Upstream::start(move |_| vec![step.clone()]).await;
        let told = chat(&upstream.url(), "", WHOLE).await;
        told.refused(502, "upstream_disconnected", "indeterminate");
        // The provider may have worked: the input is charged by our own count.
        assert_eq!(told.used, (1, 7));
        assert_eq!(told.call["estimated"], true);
        assert_eq!(upstream.seen().len(), 1);
    }
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_costs_nobody_an_error() {
    let upstream = Upstream::start(|_| {
        let mut steps = json("200 OK", "{}");
        steps.push(Step::Close);
        steps
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    for round in 1..=20 {
        let answer = gateway.chat(KEY, WHOLE).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(upstream.seen().len(), round);
    }
    gateway.calls(20).await;
    gateway.stop().await;
}

#[tokio::test]
async fn what_a_provider_says_unasked_reaches_nobody() {
    const EVIL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    for at_once in [true, false] {
        let upstream = Upstream::start(move |seen| {
            let own = seen.headers.get("x-number").cloned().unwrap_or_default();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{own}",
                own.len()
            );
            if at_once {
                vec![Step::Send((answer + EVIL).into_bytes())]
            } else {
                vec![Step::Send(answer.into_bytes()), Step::Send(EVIL.into())]
            }
        })
        .await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        let tries = std::env::var("FAREGATE_TRIES").map_or(20, |tries| tries.parse().unwrap());
        for number in 0..tries {
            let call = gateway.call("GET", "/raw/v1/x").bearer(if number % 2 == 0 {
                KEY
            } else {
                LIMITED
            });
            let answer = call.header("x-number", &number.to_string()).send().await;
            assert_eq!(answer.status, 200, "{at_once}");
            assert_eq!(answer.text(), number.to_string(), "{at_once}");
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_connection_with_two_framings_serves_one_call_only() {
    for (media, body, text) in [
        ("application/json", WHOLE, "{}"),
        ("text/event-stream", STREAM, "data: [DONE]\n\n"),
    ] {
        let upstream = Upstream::start(move |_| {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"
            );
            let mut steps = sse(&[text]);
            steps[0] = Step::Send(head.into_bytes());
            steps
        })
        .await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        for _ in 0..3 {
            let answer = gateway.chat(KEY, body).send().await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, text));
            assert_eq!(answer.header("content-length"), None);
        }
        assert_eq!(*upstream.connections.borrow(), 3, "{media}");
        gateway.stop().await;
    }
}

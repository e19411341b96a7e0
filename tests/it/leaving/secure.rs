//! Clients that leave a connection over TLS, in every way it can end.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use super::{
    HEALTHY, STREAM, WHOLE, request, tells_nothing,
    ways::{Case, Moment},
};
use crate::{
    harness::{Gateway, LIMITED, within},
    tls::Authority,
};

/// How a client ends its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It closes the socket, without TLS's own goodbye.
    Close,
    /// It says goodbye and that it sends no more, and could still read.
    HalfClose,
    /// It says that it sends no more without a goodbye: what an attacker could say for it.
    Truncate,
    /// It says goodbye, and leaves the socket open.
    Goodbye,
    /// It is killed: an RST.
    Reset,
    /// It has begun another request behind the first, which hides its end from whoever does not write.
    Pipelined,
}

/// Ends the connection; what is returned has to live on for the case to be one.
async fn leave(mut client: TlsStream<TcpStream>, way: Way) -> Option<TlsStream<TcpStream>> {
    match way {
        Way::Close | Way::Pipelined => return None,
        Way::Reset => {
            client.get_ref().0.set_zero_linger().unwrap();
            return None;
        }
        Way::HalfClose => client.shutdown().await.unwrap(),
        Way::Truncate => client.get_mut().0.shutdown().await.unwrap(),
        Way::Goodbye => {
            client.get_mut().1.send_close_notify();
            client.flush().await.unwrap();
        }
    }
    Some(client)
}

/// A connection for HTTP/1.1. A handshake is large, and there are several in each case.
async fn connect(authority: &Authority, gateway: &Gateway) -> TlsStream<TcpStream> {
    Box::pin(authority.connect(gateway.address, &["http/1.1"])).await
}

/// Sends a request on a connection of its own, and gives the JSON of the answer.
async fn ask(authority: &Authority, gateway: &Gateway, request: &str) -> Value {
    let mut client = connect(authority, gateway).await;
    client.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    // How TLS ends does not matter.
    let _ = within("an answer", client.read_to_end(&mut read)).await;
    let answer = String::from_utf8(read).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    serde_json::from_str(body).unwrap()
}

/// Waits until the key holds nothing, and gives the tokens that its quota counts.
async fn nothing_held(authority: &Authority, gateway: &Gateway) -> u64 {
    let page = format!(
        "GET /v1/faregate/limits HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {LIMITED}\r\n\r\n"
    );
    within("everything held went back", async {
        loop {
            let page = ask(authority, gateway, &page).await;
            let limits = page["limits"].as_array().unwrap();
            let held = |limit: &Value| {
                let seats = limit["kind"] == "concurrency" && limit["used"] != 0;
                limit["held"] != 0 || seats
            };
            if !limits.iter().any(held) {
                let tokens = limits.iter().find(|limit| limit["unit"] == "tokens");
                return tokens.unwrap()["used"].as_u64().unwrap();
            }
        }
    })
    .await
}

async fn case(way: Way, options: &str, moment: Moment, body: &'static str) {
    let authority = Authority::new();
    let case = Case::start(&authority.server(), options, moment, body).await;
    let (gateway, upstream) = (&case.gateway, &case.upstream);
    let what = format!("{way:?} {options} {moment:?} {body}");
    let more = if way == Way::Pipelined { "G" } else { "" };
    let mut client = connect(&authority, gateway).await;
    case.asked(&mut client, more).await;
    let client = leave(client, way).await;
    case.left(&what).await;
    let call = gateway.calls(1).await.remove(0);
    case.charged(&call, &what);
    let [input, output] = case.owes();
    assert_eq!(nothing_held(&authority, gateway).await, input + output);
    assert_eq!(upstream.seen().len(), 1, "{what}");
    let healthy = request(HEALTHY).replacen("\r\n", "\r\nconnection: close\r\n", 1);
    ask(&authority, gateway, &healthy).await;
    tells_nothing(gateway, 2).await;
    drop(client);
    case.gateway.stop().await;
}

#[tokio::test]
async fn a_stream_is_cancelled_however_its_client_leaves_within_it() {
    for way in [
        Way::Close,
        Way::HalfClose,
        Way::Truncate,
        Way::Goodbye,
        Way::Reset,
        Way::Pipelined,
    ] {
        Box::pin(case(way, "", Moment::WithinTheBody, STREAM)).await;
    }
}

#[tokio::test]
async fn a_stream_is_cancelled_however_its_client_leaves_before_it_begins() {
    for way in [
        Way::Close,
        Way::HalfClose,
        Way::Truncate,
        Way::Goodbye,
        Way::Reset,
    ] {
        Box::pin(case(way, "", Moment::BeforeTheHead, STREAM)).await;
    }
}

#[tokio::test]
async fn a_whole_answer_is_read_on_or_cancelled_and_charged_however_its_client_leaves() {
    for options in ["", ", on_client_disconnect: cancel"] {
        for way in [
            Way::Close,
            Way::HalfClose,
            Way::Truncate,
            Way::Goodbye,
            Way::Reset,
        ] {
            for moment in [Moment::BeforeTheHead, Moment::WithinTheBody] {
                Box::pin(case(way, options, moment, WHOLE)).await;
            }
        }
    }
}

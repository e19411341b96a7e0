//! HTTP/2 clients that stop: heads, windows and connections. Deadlines are short and come by the file.

use super::{finish, hanging, post, start_with};
use crate::harness::{
    Gateway, LIMITED, Step, Upstream,
    h2raw::{Wire, block, code, data, flag, headers, kind},
    json, shared_config, sse,
};

const STREAM: &str = r#"{"model":"m","stream":true}"#;
const EVENT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"0123456789abcdef\"}}]}\n\n";

fn server(section: &str) -> String {
    format!("server: {{listen: \"127.0.0.1:0\", {section}}}\n")
}

/// C-04: a head whose end never comes ends the connection, though a call on it is under way.
#[tokio::test]
async fn a_head_without_its_end() {
    // On a slow machine the first head itself may be late, never with the last.
    for deadline in ["300ms", "3s", "60s"] {
        let server = server(&format!("timeouts: {{head: {deadline}}}"));
        let (upstream, gateway) = start_with(&server).await;
        let mut wire = Wire::open(gateway.address).await;
        wire.send(&hanging(1)).await;
        let in_time = tokio::select! {
            () = upstream.arrival() => true,
            () = wire.closed() => false,
        };
        if in_time {
            let block = block(&post("/raw/v1/hang"));
            wire.send(&headers(flag::END_STREAM, 3, &block)).await;
            wire.closed().await;
            upstream.all_closed().await;
            let record = &gateway.records(1).await[0];
            assert_eq!(record["status"], 499);
            gateway.nothing_held(LIMITED).await;
            assert_eq!(upstream.seen().len(), 1);
            finish(&upstream, gateway).await;
            return;
        }
        gateway.stop().await;
    }
    panic!("never in time");
}

/// C-08: an answer that its client does not take is given up, and nothing else on the connection.
#[tokio::test]
async fn a_window_that_stays_shut() {
    let (upstream, gateway) = start_with(&server("timeouts: {write_stall: 200ms}")).await;
    // `SETTINGS_INITIAL_WINDOW_SIZE` of nothing.
    let mut wire = Wire::with(gateway.address, &[(4, 0)]).await;
    wire.send(&super::chat(1)).await;
    given_up(&mut wire).await;
    gateway.calls(1).await;
    drop(wire);
    finish(&upstream, gateway).await;
}

/// C-08: a provider that has not ended its stream is cancelled, and what was seen is charged.
#[tokio::test]
async fn a_window_that_stays_shut_before_a_stream() {
    let upstream = Upstream::start(|seen| {
        if seen.json()["stream"] != true {
            return json("200 OK", "{}");
        }
        let mut steps = sse(&[EVENT]);
        steps.pop();
        steps.push(Step::Hang);
        steps
    })
    .await;
    let server = server("timeouts: {write_stall: 200ms}");
    let gateway = Gateway::start(&(server + &shared_config(&upstream.url(), ""))).await;
    let mut wire = Wire::with(gateway.address, &[(4, 0)]).await;
    let question = data(flag::END_STREAM, 1, STREAM.as_bytes());
    wire.send(&[super::chat_head(1), question].concat()).await;
    given_up(&mut wire).await;
    upstream.all_closed().await;
    let call = gateway.calls(1).await.remove(0);
    assert_eq!(call["outcome"], "client_closed", "{call}");
    // Our own count of both: the provider has said nothing of usage.
    let input = (STREAM.len() as u64).div_ceil(4);
    let told = [&call["tokens"]["input"], &call["tokens"]["output"]];
    assert_eq!(told, [input, 4], "{call}");
    gateway.nothing_held(LIMITED).await;
    assert_eq!(upstream.seen().len(), 1);
    drop(wire);
    finish(&upstream, gateway).await;
}

/// Stream 1 is answered and reset, and the connection lives.
async fn given_up(wire: &mut Wire) {
    assert_eq!(wire.answer(1).await, 200);
    let end = wire.find(|frame| frame.stream == 1).await.unwrap();
    assert!(end.is(kind::RST_STREAM, 1), "{end:?}");
    assert_eq!(end.code(), code::CANCEL);
    assert!(wire.lives().await);
}

/// C-09: a connection on which nothing is asked is closed, without an error.
#[tokio::test]
async fn an_idle_connection_is_told_to_go_away() {
    let (upstream, gateway) = start_with(&server("http2: {idle: 200ms}")).await;
    let mut wire = Wire::open(gateway.address).await;
    wire.send(&super::chat(1)).await;
    assert_eq!(wire.answer(1).await, 200);
    assert_eq!(wire.goaway().await, Some(code::NO_ERROR));
    // A client that answers the ping behind it is let go at once.
    if let Some(ping) = wire.find(|frame| frame.kind == kind::PING).await {
        let pong = crate::harness::h2raw::frame(kind::PING, flag::ACK, 0, &ping.payload);
        wire.send(&pong).await;
    }
    wire.closed().await;
    finish(&upstream, gateway).await;
}

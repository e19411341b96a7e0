use http_body_util::BodyExt;
use hyper::{Response, body::Incoming};

use super::{A, ACCOUNTS, B, C, metric};
use crate::{
    fixture::{CHAT, answer, file, refused, served},
    harness::{Answer, Gate, Gateway, Step, Upstream, raw_until_close, sse, within},
};

const STREAM: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
const DELTA: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// Places for 64 calls: busy from 55, scarce from 59, full from 61.
async fn shared_config() -> (Upstream, Gate, Gateway) {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |seen| {
        if seen.json()["stream"] != true {
            return answer(seen);
        }
        let mut steps = sse(&[DELTA, DONE]);
        steps.insert(2, Step::Wait(opened.clone()));
        steps
    })
    .await;
    let store = "store: {url: \"sqlite::memory:\", in_flight: 64}\n";
    let gateway = Gateway::start(&(store.to_owned() + &file(&upstream, ACCOUNTS))).await;
    (upstream, gate, gateway)
}

async fn opened(gateway: &Gateway, key: &str) -> Response<Incoming> {
    let mut stream = gateway.chat(key, STREAM).open().await;
    assert_eq!(stream.status(), 200);
    within("an event", stream.frame()).await.unwrap().unwrap();
    stream
}

fn closes(stream: &Response<Incoming>) -> bool {
    let connection = stream.headers().get("connection");
    connection.is_some_and(|options| options == "close")
}

/// A refusal that asks to come again in a moment.
fn shed(answer: &Answer) {
    refused(answer, 503, "overloaded");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("x-should-retry"), None);
}

async fn ended(gate: &Gate, stream: Response<Incoming>) -> bool {
    let mut stream = stream.into_body();
    let mut rest = Vec::new();
    loop {
        // The gate lets one stream go on, which may be another one.
        gate.open();
        tokio::select! {
            biased;
            frame = stream.frame() => match frame {
                Some(frame) => rest.extend_from_slice(frame.unwrap().data_ref().unwrap()),
                None => return rest == DONE.as_bytes(),
            },
            () = tokio::task::yield_now() => {}
        }
    }
}

#[tokio::test]
async fn the_more_is_under_way_the_fewer_get_in_and_nobody_is_shown_out() {
    let (upstream, gate, gateway) = shared_config().await;
    let mut streams = Vec::new();
    for count in 1..=59 {
        let stream = opened(&gateway, A).await;
        assert_eq!(closes(&stream), count >= 55, "{count}");
        streams.push(stream);
    }
    assert_eq!(metric(&gateway, "faregate_overload_level").await, 2);

    // Who has most of it gets no more of it; somebody else does.
    let refusal = gateway.chat(A, STREAM).send().await;
    shed(&refusal);
    assert!(
        refusal.text().contains("this account"),
        "{}",
        refusal.text()
    );
    streams.push(opened(&gateway, B).await);
    streams.push(opened(&gateway, B).await);

    // Nobody does.
    assert_eq!(metric(&gateway, "faregate_overload_level").await, 3);
    for key in [A, B, C, "nobody-s-key"] {
        shed(&gateway.chat(key, CHAT).send().await);
    }
    // It is said before the body is there.
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {C}\r\n\
         content-length: 1000000\r\nconnection: close\r\n\r\n"
    );
    let told = raw_until_close(gateway.address, head.as_bytes()).await;
    assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
    // What is no call is answered: whoever asks for its health must not restart it.
    served(&gateway.call("GET", "/healthz").send().await);
    served(&gateway.call("GET", "/readyz").send().await);
    let used = gateway.limits(A).await["limits"][0]["used"].clone();
    assert_eq!(used, 59);
    assert_eq!(upstream.seen().len(), 61);
    let why = |why: &str| format!("faregate_shed_calls_total{{why=\"{why}\"}}");
    assert_eq!(metric(&gateway, &why("share")).await, 1);
    assert_eq!(metric(&gateway, &why("all")).await, 5);

    // Everybody who was in gets the whole answer.
    for stream in streams {
        assert!(within("the rest of a stream", ended(&gate, stream)).await);
    }
    for key in [A, B, C] {
        gateway.nothing_held(key).await;
    }
    assert_eq!(metric(&gateway, "faregate_overload_level").await, 0);
    let answer = gateway.chat(C, CHAT).send().await;
    served(&answer);
    assert_eq!(answer.header("connection"), None);
    gateway.stop().await;
}

#[tokio::test]
async fn a_refused_call_takes_nothing() {
    let (upstream, gate, gateway) = shared_config().await;
    let mut streams = Vec::new();
    for _ in 0..59 {
        streams.push(opened(&gateway, A).await);
    }
    let before = gateway.limits(A).await;
    for _ in 0..5 {
        shed(&gateway.chat(A, CHAT).send().await);
    }
    assert_eq!(gateway.limits(A).await["limits"], before["limits"]);
    assert_eq!(upstream.seen().len(), 59);
    // A place that is free again is anybody's.
    for stream in streams {
        assert!(within("the rest of a stream", ended(&gate, stream)).await);
    }
    served(&gateway.chat(A, CHAT).send().await);
    gateway.calls(60).await;
    gateway.stop().await;
}

#[tokio::test]
async fn many_connections_close_and_refuse_nobody() {
    let upstream = crate::fixture::provider().await;
    let server = "server: {listen: \"127.0.0.1:0\", limits: {connections: 20}}\n";
    let gateway = Gateway::start(&(server.to_owned() + &file(&upstream, ACCOUNTS))).await;
    let mut idle = Vec::new();
    while metric(&gateway, "faregate_overload_level").await == 0 {
        idle.push(
            tokio::net::TcpStream::connect(gateway.address)
                .await
                .unwrap(),
        );
        assert!(idle.len() <= 17, "85 % of 20 are busy");
        let open = || metric(&gateway, "faregate_connections");
        let counted = async { while open().await < idle.len() as u64 {} };
        within("it was accepted", counted).await;
    }
    assert_eq!(idle.len(), 17);
    for _ in 0..3 {
        let answer = gateway.chat(A, CHAT).send().await;
        served(&answer);
        assert_eq!(answer.header("connection"), Some("close"));
    }
    assert_eq!(metric(&gateway, "faregate_overload_level").await, 1);
    gateway.stop().await;
}

//! Every way to leave, before the answer and within it, for streams and whole answers.

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{ANSWER, EVENT, STREAM, WHOLE, end, head, input, piece, read_until, request, stands};
use crate::harness::{Gate, Gateway, Seen, Step, Upstream, house, json, raw};

/// How a client ends its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It closes: a FIN.
    Close,
    /// It says that it sends no more, and could still read.
    HalfClose,
    /// It is killed: an RST.
    Reset,
    /// It has begun another request behind the first, which hides its end from whoever does not write.
    Pipelined,
}

/// When it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    BeforeTheHead,
    WithinTheBody,
}

/// Ends the connection; what is returned has to live on for the case to be one.
async fn leave(mut client: TcpStream, way: Way) -> Option<TcpStream> {
    match way {
        Way::Close | Way::Pipelined => None,
        Way::Reset => {
            client.set_zero_linger().unwrap();
            None
        }
        Way::HalfClose => {
            client.shutdown().await.unwrap();
            Some(client)
        }
    }
}

fn script(seen: &Seen, moment: Moment, gate: &Gate) -> Vec<Step> {
    let asked = seen.json();
    if asked["user"] == "healthy" {
        return json("200 OK", ANSWER);
    }
    let streams = asked["stream"] == true;
    let (media, first) = if streams {
        ("text/event-stream", EVENT)
    } else {
        ("application/json", &ANSWER[..30])
    };
    let mut steps = vec![head(media), piece(first)];
    let wait = if streams {
        Step::Hang
    } else {
        Step::Wait(gate.clone())
    };
    match moment {
        Moment::BeforeTheHead => steps.insert(0, wait),
        Moment::WithinTheBody => steps.push(wait),
    }
    if !streams {
        steps.extend([piece(&ANSWER[30..]), end()]);
    }
    steps
}

async fn case(way: Way, moment: Moment, body: &str) {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |seen| script(seen, moment, &opened)).await;
    let yaml = house(&upstream.url(), "") + "streaming: {heartbeat: 20ms}\n";
    let gateway = Gateway::start(&yaml).await;
    let more = if way == Way::Pipelined { "G" } else { "" };
    let mut client = raw(gateway.address, (request(body) + more).as_bytes()).await;
    upstream.arrival().await;
    let streams = body == STREAM;
    if moment == Moment::WithinTheBody {
        read_until(&mut client, if streams { "abcdef" } else { "choices" }).await;
    }
    let client = leave(client, way).await;

    let what = format!("{way:?} {moment:?} {body}");
    // The record of the request is written when the gateway has seen that its client is gone.
    let record = gateway.records(1).await.remove(0);
    assert_eq!(record["outcome"], "client_closed", "{what}");
    if streams {
        upstream.all_closed().await;
    } else {
        gate.open();
    }
    let call = stands(&gateway, &upstream, 1).await.remove(0);
    assert_eq!(call["outcome"], "client_closed", "{what}");
    let told = [
        call["tokens"]["input"].as_u64(),
        call["tokens"]["output"].as_u64(),
    ];
    let owed = match (streams, moment) {
        (false, _) => [50, 7],
        (true, Moment::BeforeTheHead) => [input(STREAM), 0],
        (true, Moment::WithinTheBody) => [input(STREAM), 4],
    };
    assert_eq!(told, owed.map(Some), "{what}");
    assert_eq!(call["estimated"], streams, "{what}");
    drop(client);
    gateway.stop().await;
}

#[tokio::test]
async fn a_stream_is_cancelled_however_its_client_leaves_within_it() {
    for way in [Way::Close, Way::HalfClose, Way::Reset, Way::Pipelined] {
        case(way, Moment::WithinTheBody, STREAM).await;
    }
}

#[tokio::test]
async fn a_stream_is_cancelled_however_its_client_leaves_before_it_begins() {
    for way in [Way::Close, Way::HalfClose, Way::Reset] {
        case(way, Moment::BeforeTheHead, STREAM).await;
    }
}

#[tokio::test]
async fn a_whole_answer_is_read_on_and_charged_however_its_client_leaves() {
    for way in [Way::Close, Way::HalfClose, Way::Reset] {
        for moment in [Moment::BeforeTheHead, Moment::WithinTheBody] {
            case(way, moment, WHOLE).await;
        }
    }
}

//! Every way to leave, before the answer and within it, for streams and whole answers.

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use super::{ANSWER, EVENT, STREAM, WHOLE, input, request, settled_calls};
use crate::harness::{
    Gate, Gateway, Seen, Step, Upstream, end, head, json, piece, raw, read_until, shared_config,
};

/// How many bytes of a whole answer come before its client leaves within it.
const SEEN: usize = 30;

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
pub(super) enum Moment {
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
        ("application/json", &ANSWER[..SEEN])
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
        steps.extend([piece(&ANSWER[SEEN..]), end()]);
    }
    steps
}

/// A call that its client leaves.
pub(super) struct Case {
    pub(super) gateway: Gateway,
    pub(super) upstream: Upstream,
    moment: Moment,
    body: &'static str,
    cancels: bool,
    gate: Gate,
}

impl Case {
    /// A gateway with this `server` section, before a provider with these `options` that waits at this moment.
    pub(super) async fn start(
        server: &str,
        options: &str,
        moment: Moment,
        body: &'static str,
    ) -> Self {
        let gate = Gate::default();
        let opened = gate.clone();
        let upstream = Upstream::start(move |seen| script(seen, moment, &opened)).await;
        let config = shared_config(&upstream.url(), options);
        let yaml = format!("{server}{config}streaming: {{heartbeat: 20ms}}\n");
        Self {
            gateway: Gateway::start(&yaml).await,
            upstream,
            moment,
            body,
            cancels: body == STREAM || options.contains("cancel"),
            gate,
        }
    }

    /// Sends the request, and `more` behind it, and waits for the moment.
    pub(super) async fn asked<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        client: &mut S,
        more: &str,
    ) {
        let request = request(self.body) + more;
        client.write_all(request.as_bytes()).await.unwrap();
        client.flush().await.unwrap();
        self.upstream.arrival().await;
        if self.moment == Moment::WithinTheBody {
            let seen = if self.body == STREAM {
                "abcdef"
            } else {
                "choices"
            };
            read_until(client, seen.as_bytes()).await;
        }
    }

    /// Waits until the gateway has seen that its client is gone, and the provider what follows from that.
    pub(super) async fn left(&self, what: &str) {
        // The record of the request is written when the gateway has seen it.
        let record = self.gateway.records(1).await.remove(0);
        assert_eq!(record["outcome"], "client_closed", "{what}");
        if self.cancels {
            self.upstream.all_closed().await;
        } else {
            self.gate.open();
        }
    }

    /// Tokens of input and output that are charged, by hand.
    pub(super) fn owes(&self) -> [u64; 2] {
        match (self.cancels, self.moment, self.body) {
            (false, ..) => [50, 7],
            (true, Moment::BeforeTheHead, body) => [input(body), 0],
            (true, Moment::WithinTheBody, STREAM) => [input(STREAM), 4],
            (true, Moment::WithinTheBody, body) => [input(body), (SEEN as u64).div_ceil(4)],
        }
    }

    pub(super) fn charged(&self, call: &Value, what: &str) {
        assert_eq!(call["outcome"], "client_closed", "{what}");
        let tokens = &call["tokens"];
        let told = [tokens["input"].as_u64(), tokens["output"].as_u64()];
        assert_eq!(told, self.owes().map(Some), "{what}");
        assert_eq!(call["estimated"], self.cancels, "{what}");
    }
}

async fn case(way: Way, moment: Moment, body: &'static str) {
    let case = Case::start("", "", moment, body).await;
    let what = format!("{way:?} {moment:?} {body}");
    let more = if way == Way::Pipelined { "G" } else { "" };
    let mut client = raw(case.gateway.address, b"").await;
    case.asked(&mut client, more).await;
    let client = leave(client, way).await;
    case.left(&what).await;
    let call = settled_calls(&case.gateway, &case.upstream, 1)
        .await
        .remove(0);
    case.charged(&call, &what);
    drop(client);
    case.gateway.stop().await;
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

//! A client that is gone without a word: its cable is cut. Takes most of a minute, so it runs where
//! `FAREGATE_VANISHED` is set.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{ANSWER, EVENT, STREAM, request, settled_calls};
use crate::harness::{Gateway, Step, Upstream, head, json, piece, shared_config};

/// A network of two machines, ours and the client's; it is taken down when this is dropped.
struct Network {
    name: String,
    cable: String,
}

fn run(line: &str) -> bool {
    let mut words = line.split(' ');
    let status = Command::new(words.next().unwrap()).args(words).status();
    status.is_ok_and(|status| status.success())
}

impl Network {
    fn new() -> Self {
        let id = std::process::id() % 100_000;
        let network = Self {
            name: format!("faregate-{id}"),
            cable: format!("fg{id}"),
        };
        let Self { name, cable } = &network;
        let built = run(&format!("ip netns add {name}"))
            && run(&format!(
                "ip link add {cable} type veth peer name far netns {name}"
            ))
            && run(&format!("ip addr add 198.51.100.1/30 dev {cable}"))
            && run(&format!("ip link set {cable} up"))
            && run(&format!("ip -n {name} addr add 198.51.100.2/30 dev far"))
            && run(&format!("ip -n {name} link set far up"));
        assert!(built, "a network of its own could not be made");
        network
    }

    /// A client on the other machine that asks and then only reads.
    fn client(&self, gateway: &Gateway, request: &str) -> Child {
        let (host, port) = (gateway.address.ip(), gateway.address.port());
        let script = format!("exec 3<>/dev/tcp/{host}/{port}; printf %s \"$0\" >&3; cat <&3");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, "bash", "-c", &script, request]);
        command.stdout(Stdio::null()).spawn().unwrap()
    }

    fn cut(&self) {
        assert!(run(&format!("ip -n {} link set far down", self.name)));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        run(&format!("ip link del {}", self.cable));
        run(&format!("ip netns del {}", self.name));
    }
}

#[tokio::test]
async fn a_client_that_vanishes_is_found_within_three_quarters_of_a_minute() {
    if std::env::var_os("FAREGATE_VANISHED").is_none() {
        return;
    }
    let network = Network::new();
    let upstream = Upstream::start(|seen| {
        if seen.json()["user"] == "healthy" {
            return json("200 OK", ANSWER);
        }
        vec![head("text/event-stream"), piece(EVENT), Step::Hang]
    })
    .await;
    let server = "server: {listen: \"198.51.100.1:0\"}\n";
    let gateway = Gateway::start(&format!("{server}{}", shared_config(&upstream.url(), ""))).await;
    let mut client = network.client(&gateway, &request(STREAM));
    upstream.arrival().await;
    network.cut();
    let cut = Instant::now();
    upstream.all_closed().await;
    let found = cut.elapsed();
    let call = settled_calls(&gateway, &upstream, 1).await.remove(0);
    assert_eq!(call["outcome"], "client_closed");
    crate::harness::notice(&format!("found after {found:?}"));
    assert!(found < Duration::from_secs(50), "{found:?}");
    client.kill().unwrap();
    client.wait().unwrap();
    gateway.stop().await;
}

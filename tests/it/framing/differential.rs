//! The same bytes through us, nginx and haproxy: behind us a provider never sees a request that a peer would have kept
//! from it.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

use super::{
    TABLES,
    probe::{find, one_meaning, written},
};
use crate::harness::{Gateway, Upstream, notice, shared_config, within};

const ANSWER: &str = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;

/// Mutated requests for each time that `FAREGATE_DIFFERENTIAL` says.
const MUTATED: usize = 120;

/// A peer with its own provider. It is killed when this is dropped.
struct Peer {
    name: &'static str,
    child: Child,
    folder: TempDir,
    upstream: Upstream,
}

impl Peer {
    async fn start(
        name: &'static str,
        arguments: &[&str],
        file: impl Fn(&Path, &Upstream) -> String,
    ) -> Self {
        let upstream = Upstream::answering("200 OK", ANSWER).await;
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("conf"), file(folder.path(), &upstream)).unwrap();
        let child = Command::new(name)
            .args(arguments)
            .arg(folder.path().join("conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let peer = Self {
            name,
            child: child.unwrap_or_else(|error| {
                notice(&format!(
                    "DIFFERENTIAL RUN NOT DONE: {name} cannot be started"
                ));
                panic!("{name}: {error}")
            }),
            folder,
            upstream,
        };
        within("a peer listens", async {
            while UnixStream::connect(peer.socket()).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        peer
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("socket")
    }

    /// How many requests its provider sees of these bytes.
    async fn passes(&self, bytes: &[u8]) -> usize {
        let before = self.upstream.seen().len();
        converse(UnixStream::connect(self.socket()).await.unwrap(), bytes).await;
        self.upstream.seen().len() - before
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// nginx as its documentation shows a proxy, with little time for its clients.
async fn nginx() -> Peer {
    Peer::start("/usr/sbin/nginx", &["-c"], |folder, upstream| {
        let folder = folder.display();
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {folder}/{kind};\n"))
            .concat();
        format!(
            "daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/log;\nevents {{}}\nhttp {{\n\
             access_log off;\n{paths}keepalive_timeout 150ms;\nclient_header_timeout 150ms;\nclient_body_timeout 150ms;\n\
             lingering_close off;\nserver {{\nlisten unix:{folder}/socket;\nlocation / {{\nproxy_pass {};\n\
             proxy_http_version 1.1;\nproxy_set_header Connection \"\";\n}}\n}}\n}}\n",
            upstream.url()
        )
    })
    .await
}

/// haproxy as its documentation shows a proxy, with little time for its clients.
async fn haproxy() -> Peer {
    Peer::start("/usr/sbin/haproxy", &["-db", "-q", "-f"], |folder, upstream| {
        format!(
            "defaults\nmode http\ntimeout connect 5s\ntimeout server 5s\ntimeout client 150ms\ntimeout http-request 150ms\n\
             timeout http-keep-alive 150ms\nfrontend all\nbind unix@{}/socket\ndefault_backend provider\n\
             backend provider\nserver one {}\n",
            folder.display(),
            upstream.address
        )
    })
    .await
}

/// Sends bytes and reads to the end.
async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) {
    let _ = stream.write_all(bytes).await;
    let mut read = Vec::new();
    within("the end", async {
        while let Ok(1..) = stream.read_buf(&mut read).await {}
    })
    .await;
}

/// The choices of a run: xorshift, which is good enough to choose with.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

const BASES: [&[u8]; 6] = [
    b"{U}Content-Length: 5\r\nX-A: b\r\n\r\n[1,2]{S}",
    b"{U}X-A: b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n{S}",
    b"{P}Content-Length: {L}\r\nAccept: */*\r\n\r\n{C}{S}",
    b"{P}Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n{D}{S}",
    b"GET /raw/v1/files HTTP/1.1\r\n{H}{K}Connection: keep-alive\r\n\r\n{S}",
    b"{U}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n{S}",
];

const WORDS: [&[u8]; 24] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b"\x0b",
    b";",
    b",",
    b":",
    b"_",
    b"+",
    b"-",
    b"0",
    b"0x",
    b"\xff",
    b"\r\n ",
    b"\r\nContent-Length: 0",
    b"\r\nContent-Length: 7",
    b"\r\nTransfer-Encoding: chunked",
    b"\r\nTransfer-Encoding: identity",
    b"\r\nTransfer-Encoding : chunked",
    b"\r\nContent-Length: +5",
    b"\r\nConnection: close",
];

/// A request with one to three things inserted, deleted or doubled in its head or in what follows the head.
fn mutated(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = written(BASES[dice.roll(BASES.len())]);
    for _ in 0..=dice.roll(3) {
        // What is smuggled stays as it is, and so does the host: peers have other ideas of what a host is called.
        let most = find(&bytes, b"GET /raw/canary").unwrap();
        let first = find(&bytes, b"Host: ").map_or(0, |at| at.min(most));
        let least = find(&bytes, b"Authorization: ").map_or(0, |at| at.min(most - 1));
        let at = if dice.roll(8) == 0 {
            dice.roll(first.max(1))
        } else {
            least + dice.roll(most - least)
        };
        match dice.roll(4) {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, bytes[at]),
            _ => drop(bytes.splice(at..at, WORDS[dice.roll(WORDS.len())].iter().copied())),
        }
    }
    bytes
}

#[tokio::test]
async fn no_more_passes_than_behind_the_strictest_peer() {
    let Ok(times) = std::env::var("FAREGATE_DIFFERENTIAL") else {
        notice(
            "DIFFERENTIAL RUN NOT DONE: set FAREGATE_DIFFERENTIAL=1, it takes a minute, nginx and haproxy",
        );
        return;
    };
    let seed = std::env::var("FAREGATE_SEED").map_or(88_533_838, |seed| seed.parse().unwrap());
    let peers = [nginx().await, haproxy().await];
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let server = "server: {listen: \"127.0.0.1:0\", timeouts: {head: 150ms, body_idle: 150ms, keep_alive: 150ms}}\n";
    let gateway = Gateway::start(&(server.to_owned() + &shared_config(&upstream.url(), ""))).await;

    let mut cases: Vec<(String, Vec<u8>, bool)> = Vec::new();
    for (topic, probes) in TABLES {
        for probe in probes {
            let name = format!("{topic}: {}", probe.name);
            cases.push((name, written(probe.bytes), !probe.tolerated.is_empty()));
        }
    }
    let mut dice = Dice(seed);
    for number in 0..MUTATED * times.parse::<usize>().unwrap_or(1) {
        cases.push((
            format!("mutated {number} of {seed}"),
            mutated(&mut dice),
            false,
        ));
    }
    let (mut wrong, mut alone) = (Vec::new(), Vec::new());
    for (name, bytes, tolerated) in &cases {
        let before = upstream.seen().len();
        let ours = async {
            let stream = TcpStream::connect(gateway.address).await.unwrap();
            tokio::time::timeout(Duration::from_secs(30), converse(stream, bytes)).await
        };
        let (ended, nginx, haproxy) =
            tokio::join!(ours, peers[0].passes(bytes), peers[1].passes(bytes));
        ended.unwrap_or_else(|_| panic!("{name}: the connection stays open"));
        let seen = &upstream.seen()[before..];
        let shown = String::from_utf8_lossy(bytes);
        let counts = format!(
            "{} of ours, {nginx} of nginx, {haproxy} of haproxy",
            seen.len()
        );
        for seen in seen {
            let canary = seen.target.contains("canary");
            if let Err(why) = one_meaning(seen)
                && !canary
            {
                wrong.push(format!("{name}: {why}: {seen:?}"));
            }
        }
        // nginx takes capitals, `_` and `-` alone for a method, where RFC 9110 §9.1 has any token.
        let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
        let plain = |byte: &u8| byte.is_ascii_uppercase() || b"_-".contains(byte);
        let strictest = if method.iter().all(plain) {
            nginx.min(haproxy)
        } else {
            haproxy
        };
        if seen.len() > strictest.max(1) {
            wrong.push(format!("{name}: {counts}: {shown:?}"));
        } else if seen.len() > strictest && !tolerated {
            alone.push(format!("{name}: {counts}: {shown:?}"));
        }
    }
    notice(&format!("{} requests, seed {seed}", cases.len()));
    notice(&format!(
        "refused by a peer, and passed by us as one: {}\n{}",
        alone.len(),
        alone.join("\n")
    ));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for peer in &peers {
        assert!(
            !peer.upstream.seen().is_empty(),
            "{} passes nothing",
            peer.name
        );
    }
    gateway.stop().await;
}

//! The simulated provider over the wire, and its rules one by one.

mod rules;
mod shapes;
mod wire;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};

use super::{Settings, Simulator};

/// As fast as possible, seed 1.
fn settings() -> Settings {
    Settings {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        latency: Duration::ZERO,
        tokens_per_second: 0,
        seed: 1,
    }
}

/// Runs `client` against a simulator, which has ended in good order when this returns.
async fn against<T>(settings: Settings, client: impl AsyncFnOnce(SocketAddr) -> T) -> T {
    let simulator = Simulator::bind(settings).await.unwrap();
    let address = simulator.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let serve = simulator.serve(async {
        stopped.await.ok();
    });
    let ask = async {
        let result = client(address).await;
        stop.send(()).unwrap();
        result
    };
    tokio::join!(serve, ask).1
}

/// What came back.
struct Got {
    status: u16,
    head: String,
    body: String,
}

/// Sends `body` and reads the answer to its end. `path` may carry further header fields after a line break.
async fn send(address: SocketAddr, method: &str, path: &str, fields: &str, body: &str) -> Got {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: simulated\r\nConnection: close\r\nContent-Length: {}\r\n{fields}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    let body = if head.contains("transfer-encoding: chunked") {
        unchunked(body)
    } else {
        body.to_owned()
    };
    Got {
        status: head[9..12].parse().unwrap(),
        head,
        body,
    }
}

async fn post(path: &str, body: &str) -> Got {
    against(settings(), async |address| {
        send(address, "POST", path, "", body).await
    })
    .await
}

async fn get(path: &str, fields: &str) -> Got {
    against(settings(), async |address| {
        send(address, "GET", path, fields, "").await
    })
    .await
}

fn unchunked(mut rest: &str) -> String {
    let mut whole = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return whole;
        }
        whole.push_str(&after[..size]);
        rest = after[size..].strip_prefix("\r\n").unwrap();
    }
}

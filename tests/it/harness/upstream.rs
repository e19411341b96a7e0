//! A scripted provider: it says exactly these bytes, when told, and remembers what it was asked.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore, watch},
};

use super::within;

/// One thing that the provider does.
#[derive(Clone)]
pub(crate) enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Waits until the test opens the gate.
    Wait(Gate),
    /// Resets the connection.
    Reset,
    /// Closes the connection.
    Close,
    /// Says nothing more until the other side closes.
    Hang,
}

/// Opened by the test, one waiter at a time.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Notify>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.notify_one();
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    /// The whole head, as it was written.
    pub(crate) head: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Script = dyn Fn(&Seen) -> Vec<Step> + Send + Sync;

/// The provider.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    asked: Arc<Mutex<u64>>,
    arrived: Arc<Semaphore>,
    open: watch::Receiver<usize>,
    pub(crate) connections: watch::Receiver<usize>,
}

/// A whole answer with a JSON body.
pub(crate) fn json(status: &str, body: &str) -> Vec<Step> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    vec![Step::Send((head + body).into_bytes())]
}

/// The head of an answer that comes in chunks.
pub(crate) fn head(media: &str) -> Step {
    let fields = format!("content-type: {media}\r\ntransfer-encoding: chunked\r\n\r\n");
    Step::Send(format!("HTTP/1.1 200 OK\r\n{fields}").into_bytes())
}

/// A text as a chunk of its own.
pub(crate) fn piece(text: &str) -> Step {
    Step::Send(format!("{:x}\r\n{text}\r\n", text.len()).into_bytes())
}

/// The end of an answer that came in chunks.
pub(crate) fn end() -> Step {
    Step::Send(b"0\r\n\r\n".to_vec())
}

/// A whole stream: its head, one chunk for each text, and its end.
pub(crate) fn sse(frames: &[&str]) -> Vec<Step> {
    let mut steps = vec![head("text/event-stream")];
    steps.extend(frames.iter().map(|frame| piece(frame)));
    steps.push(end());
    steps
}

impl Upstream {
    /// Starts a provider that answers by `script`.
    pub(crate) async fn start(script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let asked = Arc::new(Mutex::new(0));
        let arrived = Arc::new(Semaphore::new(0));
        let (open_count, open) = watch::channel(0);
        let (total, connections) = watch::channel(0);
        let counter = Arc::clone(&asked);
        let counted = move |request: &Seen| {
            *counter.lock().unwrap() += 1;
            script(request)
        };
        let script: Arc<Script> = Arc::new(counted);
        let upstream = Self {
            address,
            seen: Arc::clone(&seen),
            asked: Arc::clone(&asked),
            arrived: Arc::clone(&arrived),
            open,
            connections,
        };
        let open_count = Arc::new(open_count);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                total.send_modify(|count| *count += 1);
                open_count.send_modify(|count| *count += 1);
                let (seen, arrived, script) =
                    (Arc::clone(&seen), Arc::clone(&arrived), Arc::clone(&script));
                let open_count = Arc::clone(&open_count);
                tokio::spawn(async move {
                    serve(stream, &seen, &arrived, &*script).await;
                    open_count.send_modify(|count| *count -= 1);
                });
            }
        });
        upstream
    }

    /// A provider that answers everything with this JSON.
    pub(crate) async fn answering(status: &'static str, body: &'static str) -> Self {
        Self::start(move |_| json(status, body)).await
    }

    /// The URL, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything it was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests came so far, those included that were forgotten.
    pub(crate) fn count(&self) -> u64 {
        *self.asked.lock().unwrap()
    }

    /// Forgets what it was asked, but not how often: a long run needs no memory of every request.
    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }

    /// How many connections are open.
    pub(crate) fn open_connections(&self) -> usize {
        *self.open.borrow()
    }

    /// The next request that nobody has waited for yet.
    pub(crate) async fn arrival(&self) {
        within("a request arrived upstream", self.arrived.acquire())
            .await
            .unwrap()
            .forget();
    }

    /// Waits until no connection is open any more.
    pub(crate) async fn all_closed(&self) {
        let mut open = self.open.clone();
        within(
            "the connections upstream closed",
            open.wait_for(|open| *open == 0),
        )
        .await
        .unwrap();
    }
}

/// The URL of a provider that does something with each connection as soon as a head has come on it, one after the other.
pub(crate) async fn at_each_head<F>(then: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = Vec::new();
            while !read.windows(4).any(|four| four == b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
            }
            then(stream).await;
        }
    });
    format!("http://{address}")
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Seen>>,
    arrived: &Semaphore,
    script: &Script,
) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer).await {
        let steps = script(&request);
        seen.lock().unwrap().push(request);
        arrived.add_permits(1);
        for step in steps {
            match step {
                Step::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Step::Wait(gate) => {
                    // Whoever waits still notices that the other side is gone.
                    let mut byte = [0; 1];
                    tokio::select! {
                        () = gate.0.notified() => {}
                        read = stream.peek(&mut byte) => if matches!(read, Ok(0) | Err(_)) { return },
                    }
                }
                Step::Reset => {
                    stream.set_zero_linger().unwrap();
                    return;
                }
                Step::Close => return,
                Step::Hang => {
                    let mut rest = Vec::new();
                    let _ = stream.read_to_end(&mut rest).await;
                    return;
                }
            }
        }
    }
}

/// Reads one request; `None` at the end of the connection.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head: Vec<u8> = buffer.drain(..end).collect();
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.trim_end().split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let fields = lines.filter_map(|line| line.split_once(": "));
    let headers: HashMap<String, String> = fields
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    // What has no readable framing is no request: it ends the connection, and is not seen.
    let length: usize = match headers.get("content-length") {
        Some(length) => length.parse().ok()?,
        None => 0,
    };
    let chunked = headers
        .get("transfer-encoding")
        .is_some_and(|coding| coding == "chunked");
    let body = if chunked {
        dechunk(stream, buffer).await?
    } else {
        while buffer.len() < length {
            if stream.read_buf(buffer).await.ok()? == 0 {
                return None;
            }
        }
        buffer.drain(..length).collect()
    };
    Some(Seen {
        method,
        target,
        head: head.clone(),
        headers,
        body,
    })
}

async fn dechunk(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = loop {
            if let Some(at) = buffer.windows(2).position(|two| two == b"\r\n") {
                break at;
            }
            if stream.read_buf(buffer).await.ok()? == 0 {
                return None;
            }
        };
        let digits = std::str::from_utf8(&buffer[..line]).ok()?;
        let size = u32::from_str_radix(digits, 16).ok()? as usize;
        while buffer.len() < line + 2 + size + 2 {
            if stream.read_buf(buffer).await.ok()? == 0 {
                return None;
            }
        }
        body.extend_from_slice(&buffer[line + 2..line + 2 + size]);
        buffer.drain(..line + 2 + size + 2);
        if size == 0 {
            return Some(body);
        }
    }
}

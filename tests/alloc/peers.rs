//! A client and a provider on threads of their own, which say and read plain bytes.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use tokio::sync::oneshot;

/// A provider that answers every request alike, on one connection.
pub(crate) struct Provider {
    address: SocketAddr,
    /// Told by the client of everything it has read, so that no two writes become one read on the way.
    read: Sender<()>,
}

impl Provider {
    /// One whole JSON answer.
    pub(crate) fn answering(body: &str) -> Self {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        Self::start(vec![answer])
    }

    /// A stream of so many chunks of text, its usage, and its end.
    pub(crate) fn streaming(chunks: usize) -> Self {
        let chunk = |event: &str| format!("{:x}\r\n{event}\r\n", event.len());
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let text = "data: {\"choices\":[{\"delta\":{\"content\":\"word\"}}]}\n\n";
        let mut writes = vec![head.to_owned()];
        writes.extend((0..chunks).map(|_| chunk(text)));
        // The usage is hidden from a client that did not ask for it, so it would wait for nothing.
        let usage = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;
        let usage = chunk(&format!("data: {usage}\n\n"));
        writes.push(usage + &chunk("data: [DONE]\n\n") + "0\r\n\r\n");
        Self::start(writes)
    }

    fn start(writes: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (read, was_read) = mpsc::channel();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            answer(stream, &writes, &was_read);
        });
        Self { address, read }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn answer(mut stream: TcpStream, writes: &[String], was_read: &Receiver<()>) {
    stream.set_nodelay(true).unwrap();
    let mut read = Vec::new();
    while read_message(&mut stream, &mut read, || ()).is_some() {
        // What the client has read of the last answer says nothing of this one.
        while was_read.try_recv().is_ok() {}
        for (index, bytes) in writes.iter().enumerate() {
            if index > 0 && was_read.recv().is_err() {
                return;
            }
            if stream.write_all(bytes.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// A client with one connection.
pub(crate) struct Client {
    stream: TcpStream,
    read: Sender<()>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, provider: &Provider) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: provider.read.clone(),
        }
    }

    /// Sends `request` so many times, one after the other, and reads each answer, which has to have this status.
    pub(crate) async fn ask(mut self, request: &str, expected: &str, times: u64) -> Self {
        let (done, asked) = oneshot::channel();
        let (request, expected) = (request.to_owned(), format!("HTTP/1.1 {expected}"));
        thread::spawn(move || {
            let mut read = Vec::new();
            for _ in 0..times {
                self.stream.write_all(request.as_bytes()).unwrap();
                let told = || {
                    // A provider that waits for nothing has gone.
                    let _ = self.read.send(());
                };
                let answer = read_message(&mut self.stream, &mut read, told).unwrap();
                assert!(answer.starts_with(&expected), "{answer}");
            }
            let _ = done.send(self);
        });
        asked.await.unwrap()
    }
}

/// Reads one message and gives its text; `None` at the end of the connection. Each read is told.
fn read_message(stream: &mut TcpStream, read: &mut Vec<u8>, told: impl Fn()) -> Option<String> {
    loop {
        if let Some(length) = length_of(read) {
            let message = read.drain(..length).collect();
            return Some(String::from_utf8(message).unwrap());
        }
        let mut more = [0; 16 * 1024];
        match stream.read(&mut more) {
            Ok(0) | Err(_) => return None,
            Ok(length) => {
                read.extend_from_slice(&more[..length]);
                told();
            }
        }
    }
}

/// How long the message at the start is, once all of it is there.
fn length_of(read: &[u8]) -> Option<usize> {
    const END: &[u8] = b"\r\n\r\n";
    let head = read.windows(4).position(|four| four == END)? + 4;
    let text = std::str::from_utf8(&read[..head]).unwrap();
    let field = |name: &str| {
        let line = text
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with(name))?;
        Some(line[name.len()..].trim().to_owned())
    };
    if field("transfer-encoding:").is_some() {
        let end = read[head..]
            .windows(5)
            .position(|five| five == b"0\r\n\r\n")?;
        return Some(head + end + 5);
    }
    let body: usize = field("content-length:").map_or(0, |length| length.parse().unwrap());
    (read.len() >= head + body).then_some(head + body)
}

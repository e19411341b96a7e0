//! The closed loop: every connection asks again as soon as it has its answer, whole or streamed.

use std::{io, time::Duration};

use memchr::{memchr, memmem};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::{
    Run,
    answer::Answer,
    arguments::Mode,
    request::Request,
    tally::{Tally, micros, monotonic_micros},
};

/// The connections of a run of streams begin within this time, so that their chunks do not come in step.
const SPREAD: Duration = Duration::from_millis(50);

/// Runs all connections for their time.
pub async fn run(run: Run) -> Tally {
    let start = Instant::now();
    let tasks: Vec<_> = (0..run.connections)
        .map(|number| tokio::task::spawn_local(connection(Run::clone(&run), number, start)))
        .collect();
    let mut tally = Tally::default();
    for task in tasks {
        match task.await {
            Ok(one) => tally.add(one),
            Err(error) => tally.failure(&io::Error::other(error)),
        }
    }
    tally.elapsed = start.elapsed();
    tally
}

async fn connection(run: Run, number: usize, start: Instant) -> Tally {
    let streams = run.mode == Mode::Streams;
    if streams {
        let share = number as f64 / run.connections as f64;
        sleep(SPREAD.mul_f64(share)).await;
    }
    let mut tally = Tally::default();
    let mut caller = Caller::new(&run);
    let mut turn = number;
    while start.elapsed() < run.time {
        caller.request.set_key(run.key(turn));
        turn += run.connections;
        if let Err(error) = caller.call(&run, streams, &mut tally).await {
            tally.failure(&error);
            caller.stream = None;
            // What refuses connections must not be asked ten thousand times a second.
            sleep(Duration::from_millis(10)).await;
        }
    }
    tally
}

struct Caller {
    request: Request,
    stream: Option<TcpStream>,
    answer: Answer,
    bytes: Vec<u8>,
    events: Events,
    content: Vec<u8>,
}

impl Caller {
    fn new(run: &Run) -> Self {
        Self {
            request: run.template.request(),
            stream: None,
            answer: Answer::default(),
            bytes: vec![0; 32 << 10],
            events: Events::default(),
            content: Vec::new(),
        }
    }

    async fn call(&mut self, run: &Run, streams: bool, tally: &mut Tally) -> io::Result<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(run.address).await?;
                stream.set_nodelay(true)?;
                self.stream.insert(stream)
            }
        };
        self.answer.clear();
        self.events.clear();
        self.content.clear();
        let start = Instant::now();
        let (first, rest) = self.request.parts();
        stream.write_all(first).await?;
        if !rest.is_empty() {
            stream.write_all(rest).await?;
        }
        let mut waiting = streams;
        while !self.answer.is_done() {
            let length = stream.read(&mut self.bytes).await?;
            let now = if streams { monotonic_micros() } else { 0 };
            let (events, content) = (&mut self.events, &mut self.content);
            let mut some = false;
            self.answer.feed(&self.bytes[..length], |bytes| {
                some = true;
                if streams {
                    events.take(bytes, now, tally);
                }
                if content.len() < 600 {
                    content.extend_from_slice(&bytes[..bytes.len().min(600)]);
                }
            })?;
            if waiting && some {
                waiting = false;
                tally.first_byte.push(micros(start.elapsed()));
            }
        }
        tally.answer(self.answer.status, start.elapsed(), &self.content);
        tally.whole_streams += u64::from(self.events.done && self.events.used);
        if self.answer.closes {
            self.stream = None;
        }
        Ok(())
    }
}

/// The events of one stream, line by line.
#[derive(Debug, Default)]
struct Events {
    line: Vec<u8>,
    used: bool,
    done: bool,
}

impl Events {
    fn clear(&mut self) {
        self.line.clear();
        self.used = false;
        self.done = false;
    }

    fn take(&mut self, mut bytes: &[u8], now: u64, tally: &mut Tally) {
        while let Some(end) = memchr(b'\n', bytes) {
            self.line.extend_from_slice(&bytes[..end]);
            self.line_ends(now, tally);
            self.line.clear();
            bytes = &bytes[end + 1..];
        }
        self.line.extend_from_slice(bytes);
    }

    fn line_ends(&mut self, now: u64, tally: &mut Tally) {
        let Some(data) = self.line.strip_prefix(b"data:") else {
            return;
        };
        if data.trim_ascii() == b"[DONE]" {
            self.done = true;
            return;
        }
        tally.chunks += 1;
        if let Some(at) = memmem::find(data, b"sent_us=") {
            let digits = data[at + 8..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit());
            let sent = digits.fold(0, |sum: u64, digit| sum * 10 + u64::from(digit - b'0'));
            let delay = u32::try_from(now.saturating_sub(sent)).unwrap_or(u32::MAX);
            tally.chunk_delay.push(delay);
        } else if memmem::find(data, b"\"usage\":{").is_some() {
            self.used = true;
        }
    }
}

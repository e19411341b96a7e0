//! A provider for measurements: it answers every POST as OpenAI's chat completions do, and costs next to nothing itself.
//!
//! Knobs stand in the prompt, where every gateway passes them on, or in header fields:
//! `[[delay_ms=20 chunks=64 chunk_delay_ms=10]]`, or `x-delay-ms`, `x-chunks` and `x-chunk-delay-ms`.
//! The prompt goes first.
//!
//! `compare-provider <listen>`, as address:port.

mod answer;
mod knobs;
mod request;

use std::{error::Error, io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, sleep_until},
};

use knobs::Knobs;
use request::Reader;

/// Serves one connection until the other side has enough.
async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = Reader::default();
    let mut out = Vec::new();
    while let Some(request) = reader.next(&mut stream).await? {
        if request.knobs.delay_ms > 0 {
            sleep(Duration::from_millis(request.knobs.delay_ms)).await;
        }
        if request.stream {
            stream_answer(&mut stream, request.knobs, &mut out).await?;
        } else {
            stream.write_all(&answer::WHOLE).await?;
        }
    }
    Ok(())
}

/// Sends a stream: without a pause in one write, else chunk after chunk.
async fn stream_answer(stream: &mut TcpStream, knobs: Knobs, out: &mut Vec<u8>) -> io::Result<()> {
    out.clear();
    out.extend_from_slice(answer::STREAM_HEAD.as_bytes());
    let pause = Duration::from_millis(knobs.chunk_delay_ms);
    let mut next = Instant::now();
    for number in 1..=knobs.chunks {
        answer::chunk(out);
        if !pause.is_zero() {
            stream.write_all(out).await?;
            out.clear();
            next += pause;
            if number < knobs.chunks {
                wait(stream, next).await?;
            }
        }
    }
    answer::end(out, knobs.chunks);
    stream.write_all(out).await
}

/// Waits, and notices when the other side goes: thousands of silent streams must not outlive their run.
async fn wait(stream: &mut TcpStream, until: Instant) -> io::Result<()> {
    let mut byte = [0];
    tokio::select! {
        () = sleep_until(until) => Ok(()),
        read = stream.read(&mut byte) => Err(match read {
            Ok(0) => io::ErrorKind::ConnectionAborted.into(),
            Ok(_) => io::Error::other("a request before the end of the answer"),
            Err(error) => error,
        }),
    }
}

async fn run(listen: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(listen) = std::env::args().nth(1) else {
        return Err("usage: compare-provider <listen>, as address:port".into());
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(run(listen.parse()?))?)
}

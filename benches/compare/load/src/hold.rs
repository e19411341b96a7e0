//! Many streams that are open and silent.

use std::{cell::Cell, io, rc::Rc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use crate::{Run, answer::Answer, tally::Tally};

/// Streams opened in a second: what counts is how many are open, not how fast they came.
const PER_SECOND: f64 = 2000.0;
/// How long the last of them may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens all streams, says so, and holds them until its input ends.
pub async fn run(run: Run) -> Tally {
    let start = Instant::now();
    let (opened, mut events) = mpsc::unbounded_channel();
    let lost = Rc::new(Cell::new(0));
    for number in 0..run.connections {
        let (run, opened, lost) = (Run::clone(&run), opened.clone(), Rc::clone(&lost));
        tokio::task::spawn_local(async move {
            sleep(Duration::from_secs_f64(number as f64 / PER_SECOND)).await;
            let result = open(&run, number).await;
            let held = match result {
                Ok((stream, status)) => {
                    let _ = opened.send(Ok(status));
                    Some(stream)
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                    None
                }
            };
            if let Some(mut stream) = held {
                // Comments of a heartbeat may come; an end may not.
                let mut bytes = [0; 512];
                while matches!(stream.read(&mut bytes).await, Ok(1..)) {}
                lost.set(lost.get() + 1);
            }
        });
    }
    drop(opened);
    let mut tally = Tally::default();
    let all = async {
        for _ in 0..run.connections {
            match events.recv().await {
                Some(Ok(status)) => tally.answer(status, start.elapsed(), &[]),
                Some(Err(error)) => tally.failure(&error),
                None => break,
            }
        }
    };
    let spread = Duration::from_secs_f64(run.connections as f64 / PER_SECOND);
    let _ = timeout(spread + PATIENCE, all).await;
    println!("ready {}", tally.ok);
    let _ = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await;
    tally.failed += lost.get();
    tally.elapsed = start.elapsed();
    tally
}

/// A stream that has had its first content, and its status.
async fn open(run: &Run, number: usize) -> io::Result<(TcpStream, u16)> {
    let mut stream = TcpStream::connect(run.address).await?;
    stream.set_nodelay(true)?;
    let mut request = run.template.request();
    request.set_key(run.key(number));
    let (first, rest) = request.parts();
    stream.write_all(first).await?;
    stream.write_all(rest).await?;
    let mut answer = Answer::default();
    let mut bytes = vec![0; 4 << 10];
    let mut some = false;
    while !some {
        let length = stream.read(&mut bytes).await?;
        answer.feed(&bytes[..length], |_| some = true)?;
    }
    Ok((stream, answer.status))
}

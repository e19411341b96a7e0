//! The open loop: requests at a fixed rate. Threads that block, because they wake with less delay than an event loop.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::{answer::Answer, arguments::Arguments, request::Request, tally::Tally};

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs all connections for their time.
pub fn run(arguments: &Arguments) -> Tally {
    let start = Instant::now();
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.connections)
            .map(|number| scope.spawn(move || connection(arguments, number, start)))
            .collect();
        for thread in threads {
            match thread.join() {
                Ok(one) => tally.add(one),
                Err(_) => tally.failure(&io::Error::other("a thread of the driver has failed")),
            }
        }
    });
    tally.elapsed = start.elapsed();
    tally
}

fn connection(arguments: &Arguments, number: usize, start: Instant) -> Tally {
    let mut tally = Tally::default();
    let mut stream = None;
    let mut request = arguments.template.request();
    let mut answer = Answer::default();
    let mut bytes = vec![0; 32 << 10];
    let mut turn = number;
    loop {
        let due = start + Duration::from_secs_f64(turn as f64 / arguments.rate);
        if due.duration_since(start) >= arguments.time {
            return tally;
        }
        request.set_key(arguments.key(turn));
        turn += arguments.connections;
        let now = Instant::now();
        // The answer before was late: then this request is late as well, and its time counts from when it was due.
        // Otherwise it counts from when it is sent, because how exactly a thread wakes is not the gateway's doing.
        let late = now > due;
        if !late {
            std::thread::sleep(due - now);
        }
        let asked = if late { due } else { Instant::now() };
        match call(arguments, &mut stream, &request, &mut answer, &mut bytes) {
            Ok(()) => tally.answer(answer.status, asked.elapsed(), &bytes),
            Err(error) => {
                tally.failure(&error);
                stream = None;
            }
        }
    }
}

fn call(
    arguments: &Arguments,
    slot: &mut Option<TcpStream>,
    request: &Request,
    answer: &mut Answer,
    bytes: &mut [u8],
) -> io::Result<()> {
    let stream = match slot {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(arguments.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            slot.insert(stream)
        }
    };
    answer.clear();
    let (first, rest) = request.parts();
    stream.write_all(first)?;
    stream.write_all(rest)?;
    while !answer.is_done() {
        let length = stream.read(bytes)?;
        answer.feed(&bytes[..length], |_| {})?;
    }
    if answer.closes {
        *slot = None;
    }
    Ok(())
}

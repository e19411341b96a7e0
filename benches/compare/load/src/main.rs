//! The load driver. One thread but for the open loop, loopback only, and one line of JSON as its result.
//!
//! | mode | what it does |
//! |---|---|
//! | `closed` | keep-alive connections that ask again as soon as they have their answer |
//! | `open` | a fixed rate, whatever the answers take; late requests count from when they were due |
//! | `streams` | as `closed`, with streams: time to the first byte, delay of every chunk |
//! | `hold` | opens streams, says `ready <n>` when each has its first byte, and holds them until its input ends |

mod answer;
mod arguments;
mod closed;
mod hold;
mod open;
mod request;
mod tally;

use std::error::Error;

use arguments::{Arguments, Mode};
use tally::Tally;

/// What all connections of a run share.
type Run = std::rc::Rc<Arguments>;

fn single_thread<T>(future: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(tokio::task::LocalSet::new().run_until(future)))
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::read(std::env::args().skip(1))?;
    let tally: Tally = match arguments.mode {
        Mode::Closed | Mode::Streams => single_thread(closed::run(Run::new(arguments)))?,
        Mode::Open => open::run(&arguments),
        Mode::Hold => single_thread(hold::run(Run::new(arguments)))?,
    };
    println!("{}", tally.json());
    Ok(())
}

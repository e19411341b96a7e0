//! `faregate simulate`.

use super::{Failure, Terminal, arguments::Simulate};
use crate::simulate::{Settings, Simulator};

/// Serves the simulated provider until the process is told to stop.
pub(super) async fn run(flags: &Simulate, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let settings = Settings {
        address: flags.listen,
        latency: flags.latency,
        tokens_per_second: flags.tokens_per_second,
        seed: flags.seed,
    };
    let simulator = Simulator::bind(settings)
        .await
        .map_err(|error| Failure::unavailable(format!("{}: {error}", flags.listen)))?;
    let mut stop = Stop::listen()?;
    terminal.result(format_args!(
        "The simulated provider listens on http://{}. Its base URLs: http://{0}/v1 for OpenAI's clients, http://{0} \
         for Anthropic's.\n",
        simulator.local_addr()
    ))?;
    simulator.serve(stop.asked()).await;
    Ok(())
}

/// The signals that end a process politely.
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};

        let listen = |kind| {
            signal(kind).map_err(|error| Failure::failed(format!("no signal handler: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

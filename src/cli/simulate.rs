//! `faregate simulate`.

use super::{Failure, Terminal, arguments::Simulate, stop::Stop};
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
        .map_err(|error| {
            Failure::unavailable(format!(
                "cannot listen on {}: {error}\n  hint: name another address with --listen; port 0 takes a free one",
                flags.listen
            ))
        })?;
    let mut stop = Stop::listen()?;
    terminal.result(format_args!(
        "The simulated provider listens on http://{}. Its base URLs: http://{0}/v1 for OpenAI's clients, http://{0} \
         for Anthropic's.\n",
        simulator.local_addr()
    ))?;
    simulator.serve(stop.asked()).await;
    Ok(())
}

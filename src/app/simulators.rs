//! Simulated providers: real servers on loopback ports of their own.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
};

use http::uri::{Authority, Scheme};

use crate::{
    config::SimulatedSettings,
    gateway,
    listener::{Shutdown, Tasks},
    simulate::{self, Simulator},
    upstream::BaseUrl,
};

/// The simulators that run, by their settings.
#[derive(Debug, Default)]
pub(super) struct Simulators {
    running: HashMap<String, SocketAddr>,
}

impl Simulators {
    /// Starts what is missing, and writes the addresses into `settings`. One that is no longer named runs on until the
    /// end: calls under way may still use it.
    ///
    /// # Errors
    /// No loopback port is free.
    pub(super) async fn start(
        &mut self,
        simulated: &[SimulatedSettings],
        settings: &mut gateway::Settings,
        tasks: &Tasks,
        shutdown: &Shutdown,
    ) -> io::Result<()> {
        for simulator in simulated {
            let SimulatedSettings {
                provider,
                latency,
                tokens_per_second,
                seed,
            } = simulator;
            let name = format!("{provider} {latency:?} {tokens_per_second} {seed}");
            let address = match self.running.get(&name) {
                Some(address) => *address,
                None => {
                    let settings = simulate::Settings {
                        address: (Ipv4Addr::LOCALHOST, 0).into(),
                        latency: *latency,
                        tokens_per_second: *tokens_per_second,
                        seed: *seed,
                    };
                    let simulator = Simulator::bind(settings).await?;
                    let address = simulator.local_addr();
                    tasks.spawn(simulator.serve(shutdown.cut_off()));
                    self.running.insert(name, address);
                    address
                }
            };
            let authority: Result<Authority, _> = address.to_string().parse();
            let authority = authority.map_err(io::Error::other)?;
            for upstream in settings
                .providers
                .iter_mut()
                .filter(|upstream| upstream.id == *provider)
            {
                let path = String::new();
                upstream.base_url = BaseUrl {
                    scheme: Scheme::HTTP,
                    authority: authority.clone(),
                    path,
                };
            }
        }
        Ok(())
    }
}

//! `faregate simulate`.

use std::{net::SocketAddr, time::Duration};

use clap::Args;

use super::read;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    faregate simulate --listen 127.0.0.1:8000 --latency 30ms --tokens-per-second 200\n\n\
    Point a provider at it: providers: {local: {kind: openai, base_url: \"http://127.0.0.1:8000\"}}")]
pub(in crate::cli) struct Simulate {
    /// Where it listens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000", value_parser = read::address)]
    pub(in crate::cli) listen: SocketAddr,
    /// Delay from a request's last byte to the first byte of its answer
    #[arg(long, value_name = "TIME", default_value = "30ms", value_parser = read::delay)]
    pub(in crate::cli) latency: Duration,
    /// Speed of an answer, in tokens per second; 0 is as fast as possible
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = read::number(0..=u32::MAX))]
    pub(in crate::cli) tokens_per_second: u32,
    /// The same seed gives the same answers
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = read::number(0..=u64::MAX))]
    pub(in crate::cli) seed: u64,
}

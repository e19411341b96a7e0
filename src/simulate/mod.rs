//! The simulated provider: an HTTP/1.1 server that speaks OpenAI's and Anthropic's dialects without a model behind it.
//!
//! It answers with plausible text, tool calls and vectors, whole or streamed, at a chosen speed, and reports usage
//! that adds up to what it sent. It keeps no state: an answer follows from the seed and the request's bytes alone,
//! timestamps included, so that the same call gives the same bytes on every machine.
//!
//! What a prompt can ask for:
//! * a length: `in 300 words` gives 300 words (at most 20,000); otherwise it is 20 to 60;
//! * a tool: a forced `tool_choice` is obeyed; with `auto`, the first tool whose name, or a word of it, is in the
//!   last user message is called, or the first one if the message says `tool` or `function`;
//! * JSON: a JSON schema as response format is filled in;
//! * thinking: Anthropic's `thinking`, OpenAI's `reasoning_effort` and `reasoning.effort`.
//!
//! How tokens are counted, the module `count` says. Cached input is reported where the caller asked for a cache
//! (`cache_control`, `prompt_cache_key`): of the marked part, what stands before the last message counts as read and
//! the rest as written.
//!
//! Rank 2. It shares the vocabulary of `providers` with the gateway and nothing else: it must not know accounts,
//! limits or how the gateway forwards, or it would agree with the gateway's mistakes.

mod answer;
mod arguments;
mod chance;
mod chat;
mod completions;
mod count;
mod embeddings;
mod exchange;
mod fields;
mod messages;
mod models;
mod paced;
mod prompt;
mod prose;
mod rejection;
mod reply;
mod responses;
mod route;
mod tools;

#[cfg(test)]
mod tests;

use std::{io, net::SocketAddr, pin::pin, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{net::TcpListener, task::JoinSet, time};

/// How the simulated provider behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// From a request's last byte to the head of its answer.
    pub latency: Duration,
    /// How fast output tokens come, streamed or not; 0 is as fast as possible.
    pub tokens_per_second: u32,
    /// Two servers with the same seed give the same answers.
    pub seed: u64,
}

/// A simulated provider whose address is taken. It answers nothing before [`Simulator::serve`].
#[derive(Debug)]
pub struct Simulator {
    listener: TcpListener,
    address: SocketAddr,
    settings: Settings,
}

/// How long a connection may be idle. Longer than clients keep theirs, so that it is the client who closes: a server
/// that closes first meets a request on its way now and then.
const IDLE: Duration = Duration::from_secs(600);

/// How long the accept loop rests when the system has no descriptor left; a loop without a rest would burn a core.
const ACCEPT_REST: Duration = Duration::from_millis(50);

impl Simulator {
    /// Takes the address.
    ///
    /// # Errors
    /// What the system says: the address is in use, not ours, or not allowed.
    pub async fn bind(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.address).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            settings,
        })
    }

    /// The address taken, with the real port.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `shutdown` is ready, then finishes the answers under way and returns. Dropping the
    /// future cuts them off.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self {
            listener, settings, ..
        } = self;
        let mut shutdown = pin!(shutdown);
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        // Without it a small frame of a stream waits for the acknowledgement of the one before.
                        if let Err(error) = stream.set_nodelay(true) {
                            tracing::debug!(%error, "no TCP_NODELAY on a connection of the simulated provider");
                        }
                        let service = service_fn(move |request| exchange::answer(settings, request));
                        let connection = http1::Builder::new()
                            .timer(TokioTimer::new())
                            .header_read_timeout(IDLE)
                            .serve_connection(TokioIo::new(stream), service);
                        connections.spawn(graceful.watch(connection));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the simulated provider cannot accept a connection");
                        time::sleep(ACCEPT_REST).await;
                    }
                },
                // Finished connections are taken out at once, so that the set holds the open ones only.
                Some(_) = connections.join_next() => {}
            }
        }
        drop(listener);
        graceful.shutdown().await;
        while connections.join_next().await.is_some() {}
    }
}

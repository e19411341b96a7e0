//! `faregate serve`: from the file to the end of the process.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    App, StartError, demo,
    descriptors::{self, Fewer},
    watch::{Cause, Watch},
};
use crate::{
    config::{self, Config, Environment, Problems},
    domain::Clock,
    store::WriteError,
    telemetry,
};

/// What a write beyond the limit of a file's size raises, on every system that has it (`ulimit -f`).
const SIGXFSZ: i32 = 25;

/// How the daemon is started.
#[derive(Debug)]
pub struct ServeOptions {
    /// The configuration file.
    pub config: PathBuf,
    /// The value of `RUST_LOG`.
    pub log_levels: Option<String>,
    /// Whether the log may have colours.
    pub color: bool,
}

/// Why the daemon ended otherwise than by a signal.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The file is wrong.
    #[error("{0}")]
    Config(Problems),
    /// Something it names is not to be had.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system does not tell of signals.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// From here on a write beyond the limit of a file's size only fails, as on a full disk, and does not end the process.
///
/// # Errors
/// The system does not tell of signals.
pub fn outlive_file_limits() -> io::Result<()> {
    signal(SignalKind::from_raw(SIGXFSZ)).map(drop)
}

/// Serves until SIGTERM or SIGINT. `out` gets the lines for a newcomer, where the file has demo keys.
///
/// # Errors
/// It could not be started; the words say what to do.
pub async fn serve(
    options: ServeOptions,
    environment: &dyn Environment,
    out: &mut dyn Write,
) -> Result<(), ServeError> {
    // First of all: a process manager may send SIGHUP at any time, and a signal without a handler would end this process.
    let reload = signal(SignalKind::hangup())?;
    outlive_file_limits()?;
    let mut watch = Watch::new(&options.config);
    let mut config = config::load(&options.config, environment).map_err(ServeError::Config)?;
    watch.watch_also(&config.files);
    let guard = telemetry::init(config.log, options.log_levels.as_deref(), options.color);
    warn(&config);
    let files = descriptors::raise();
    if let Some(fewer) = descriptors::fit(&mut config, files) {
        fewer.warn();
    }
    let mut signals = Signals::listen(reload)?;
    let demo = |address: &str| demo::commands(&config, address);
    let scheme = config.listener.tls.as_ref().map_or("http", |_| "https");
    let commands = demo(&format!("{scheme}://{}", config.listener.address));
    let app = App::start(config, Clock::system(), guard.access_log()).await?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        address = %app.address(),
        admin = app.admin_address().map(tracing::field::display),
        config = %options.config.display(),
        "faregate serves"
    );
    // Whoever started it may not look at its output; calls are served all the same.
    if let Err(error) = out
        .write_all(commands.as_bytes())
        .and_then(|()| out.flush())
    {
        tracing::warn!(%error, "the first commands could not be printed");
    }

    let reloads = Reloads {
        options: &options,
        environment,
        files,
        watch,
    };
    let app = reloads.until_told(app, &mut signals).await;
    drain(app, &mut signals).await;
    tracing::info!("faregate has ended");
    drop(guard);
    Ok(())
}

/// What a running daemon reads its file again with.
struct Reloads<'a> {
    options: &'a ServeOptions,
    environment: &'a dyn Environment,
    /// How many files it may have open.
    files: Option<u64>,
    watch: Watch,
}

impl Reloads<'_> {
    /// Reloads for each SIGHUP and each change of a file, and where the store could not be written, until a signal says to
    /// stop.
    async fn until_told(mut self, mut app: App, signals: &mut Signals) -> App {
        loop {
            tokio::select! {
                _ = signals.terminate.recv() => return app,
                _ = signals.interrupt.recv() => return app,
                Some(()) = signals.reload.recv() => self.reload(&mut app, Cause::Signal).await,
                cause = self.watch.due() => self.reload(&mut app, cause).await,
            }
        }
    }

    async fn reload(&mut self, app: &mut App, cause: Cause) {
        let again = cause == Cause::Retry;
        let cause = cause.as_str();
        let file = &self.options.config;
        let path = file.display();
        // What changes from here on is another change.
        self.watch.settled();
        let mut config = match config::load_again(file, self.environment) {
            Ok(config) => config,
            Err(problems) => {
                // A file that it names may be yet to come, and make it right.
                self.watch.watch_also(problems.files());
                app.reload_refused();
                // A line for each: one field could not hold them all.
                for problem in problems.iter() {
                    tracing::error!(hint = problem.advice(), "{problem:#}");
                }
                tracing::error!(config = %path, cause, "the file is wrong; the old configuration stays");
                return;
            }
        };
        self.watch.watch_also(&config.files);
        let fewer = descriptors::fit(&mut config, self.files);
        // What has been said is not said at each try.
        if !again {
            warn(&config);
            fewer.iter().for_each(Fewer::warn);
        }
        match app.reload(config).await {
            Ok(()) => tracing::info!(config = %path, cause, "the configuration was reloaded"),
            Err(error) => {
                app.reload_refused();
                // A disk that is full may be so no more, and nobody touches the file then.
                let passes = matches!(error, StartError::Write(WriteError::Unavailable(_)));
                if passes {
                    self.watch.try_again();
                }
                if !(passes && again) {
                    let hint = passes.then_some("it is tried again until it succeeds");
                    tracing::error!(config = %path, cause, %error, hint, "the reload failed; the old configuration stays");
                }
            }
        }
    }
}

/// Lets calls under way finish, for as long as the configuration allows; a second signal ends it at once.
async fn drain(app: App, signals: &mut Signals) {
    let time = app.drain_time();
    app.begin_drain();
    tracing::info!(
        seconds = time.as_secs(),
        "draining: calls under way may finish; another signal ends them now"
    );
    tokio::select! {
        () = app.served() => {}
        () = tokio::time::sleep(time) => tracing::warn!("the drain is over; streams still open get their last event"),
        () = signals.stop() => tracing::warn!("a second signal; streams that are still open get their last event"),
    }
    app.force();
    app.served().await;
    app.close().await;
}

fn warn(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!(hint = warning.advice(), "{warning:#}");
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    fn listen(reload: Signal) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

//! The `faregate` program: arguments and standard streams go to [`faregate::cli`], its exit code comes back.

use std::{io, path::Path, process::ExitCode};

use faregate::{
    app::{self, ServeError, ServeOptions, StartError},
    cli::{self, Exit, Failure, Terminal},
    config::{Environment, ProcessEnvironment},
    domain::Clock,
};

fn main() -> ExitCode {
    let environment = ProcessEnvironment;
    // https://no-color.org: set and not empty means no colours.
    let color = environment.get("NO_COLOR").is_none_or(|set| set.is_empty());
    let mut terminal = Terminal::standard(color);
    let serve = |config: &Path| serve(config, &environment, color);
    cli::run(
        std::env::args_os(),
        &mut terminal,
        &environment,
        &Clock::system(),
        serve,
    )
    .into()
}

/// Runs the daemon on a thread for each core, until it is told to stop.
fn serve(config: &Path, environment: &ProcessEnvironment, color: bool) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the event loop cannot be started: {error}")))?;
    let options = ServeOptions {
        config: config.to_owned(),
        log_levels: environment.get("RUST_LOG"),
        color,
    };
    let served = runtime.block_on(app::serve(options, environment, &mut io::stdout()));
    served.map_err(|error| {
        let exit = match &error {
            ServeError::Config(_) => Exit::Configuration,
            ServeError::Start(
                StartError::Bind(_) | StartError::Store(_) | StartError::Write(_),
            ) => Exit::Unavailable,
            ServeError::Start(StartError::Simulator(_)) | ServeError::System(_) => Exit::Failed,
        };
        Failure::new(exit, error.to_string())
    })
}

//! `faregate check` and `faregate health`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::pin,
};

use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{
    Exit, Failure, Terminal,
    client::{self, PROBE},
    loaded, show,
};
use crate::{
    config::{self, Asked, Environment, NoFile, Problem},
    listener,
};

/// Says what is wrong with a configuration, or what it declares.
pub(super) fn run(
    file: &Path,
    environment: &dyn Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let config = loaded(file, environment)?;
    for warning in &config.warnings {
        terminal.note(format_args!("warning: {warning}"));
    }
    let models = match &config.gateway.models {
        Some(models) => count(models.len(), "model"),
        None => "all models".to_owned(),
    };
    terminal.result(format_args!(
        "{}: good. {}, {models}, {}, {}, {}.\n",
        file.display(),
        count(config.gateway.providers.len(), "provider"),
        count(config.roster.plans.len(), "plan"),
        count(config.roster.accounts.len(), "account"),
        count(config.roster.keys.len(), "key"),
    ))
}

/// The same for programs: what is wrong is the result as well.
pub(super) fn report(
    located: Result<PathBuf, NoFile>,
    environment: &dyn Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let checked = match located {
        Ok(file) => config::load(&file, environment)
            .map_err(|problems| problems.iter().map(shown).collect()),
        Err(nowhere) => Err(vec![json!({
            "file": null, "line": null, "column": null, "path": "",
            "message": nowhere.to_string(), "hint": NoFile::HINT,
        })]),
    };
    let (valid, problems, warnings): (bool, Vec<Value>, Vec<Value>) = match checked {
        Ok(config) => (
            true,
            Vec::new(),
            config.warnings.iter().map(shown).collect(),
        ),
        Err(problems) => (false, problems, Vec::new()),
    };
    let whole = json!({"valid": valid, "problems": problems, "warnings": warnings});
    show::json(terminal, &whole)?;
    if valid {
        Ok(())
    } else {
        Err(Failure::new(Exit::Configuration, ""))
    }
}

fn shown(problem: &Problem) -> Value {
    let position = problem.position();
    json!({
        "file": problem.file(),
        "line": position.map(|(line, _)| line),
        "column": position.map(|(_, column)| column),
        "path": problem.path(),
        "message": problem.text(),
        "hint": problem.advice(),
    })
}

/// Asks the daemon of a configuration whether it is ready: at its admin listener, or where there is none, in public.
///
/// A file that has become wrong is no reason to end a daemon that runs on with the one before, nor is one that names
/// another admin listener, which waits for a restart. Whoever probes knows two exits.
pub(super) async fn health(
    located: Result<PathBuf, Failure>,
    environment: &dyn Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let file = located.map_err(|nowhere| Failure::failed(nowhere.message))?;
    let loaded = config::load(&file, environment);
    // A long file takes its time to be read, and that is not the daemon's.
    let until = Instant::now() + PROBE;
    let (asked, problems, answer) = match loaded {
        Ok(config) => {
            let of = |listener: &listener::Settings| Asked {
                address: listener.address,
                tls: listener.tls.is_some(),
                read: true,
            };
            let public = of(&config.listener);
            let (asked, answer) = match &config.admin {
                Some(admin) => answering(of(&admin.listener), public, until, terminal).await,
                None => (public, ask(public, until).await),
            };
            (asked, None, answer)
        }
        Err(problems) => {
            let asked = config::asked_at(&file, environment);
            (asked, Some(problems), ask(asked, until).await)
        }
    };
    match (answer, problems) {
        (Ok(status), problems) if status.is_success() => {
            let address = asked.address;
            if problems.is_some() {
                let who = if asked.read {
                    format!("the daemon at {address} runs with what it read before")
                } else {
                    format!("{}, and a daemon is ready there", asked_anyway(address))
                };
                terminal.note(format_args!(
                    "the configuration is wrong; {who}\n  hint: `faregate check` says what is wrong; a restart would fail"
                ));
            }
            terminal.result("ready\n")
        }
        (Ok(status), _) => Err(Failure::failed(format!(
            "the daemon is not ready: {} answered {status}",
            asked.address
        ))),
        (Err(error), Some(problems)) => {
            let words = if asked.read {
                format!("nothing answers: {error}")
            } else {
                format!(
                    "{}, and nothing answers: {error}",
                    asked_anyway(asked.address)
                )
            };
            Err(Failure::failed(format!(
                "{words}; and the configuration is wrong:\n{problems}"
            )))
        }
        (Err(error), None) => Err(Failure::failed(format!(
            "{error}\n  hint: start it with `faregate serve`; or restart one that listens elsewhere, because a changed \
             `listen` is in force after a restart"
        ))),
    }
}

async fn ask(asked: Asked, until: Instant) -> Result<StatusCode, String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a question's future is large, and two are asked at most"
    )]
    let answer = Box::pin(client::ready(asked.address, asked.tls, until));
    answer.await.map_err(|error| error.to_string())
}

/// What the admin listener answers, or the public one where only that does.
async fn answering(
    admin: Asked,
    public: Asked,
    until: Instant,
    terminal: &mut Terminal<'_>,
) -> (Asked, Result<StatusCode, String>) {
    let (mut first, second) = (pin!(ask(admin, until)), pin!(ask(public, until)));
    let (answer, other) = match timeout(PROBE / 3, first.as_mut()).await {
        Ok(Ok(status)) => return (admin, Ok(status)),
        Ok(error) => (error, second.await),
        // One that hangs would leave the other no time. The other is not asked before, because it need not know of each probe.
        Err(_) => tokio::join!(first, second),
    };
    match (answer, other) {
        (Err(error), Err(other)) => (admin, Err(format!("{error}, and {other}"))),
        (Err(_), answer) => {
            terminal.note(format_args!(
                "nothing answers at {}, where the configuration has the admin listener; the public one at {} was asked\n  \
                 hint: a changed `admin.listen` is in force after a restart",
                admin.address, public.address
            ));
            (public, answer)
        }
        (answer, _) => (admin, answer),
    }
}

/// What is done where nothing can be read of a file.
fn asked_anyway(address: SocketAddr) -> String {
    format!("the file does not say where the daemon is; {address}, where it usually is, was asked")
}

fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

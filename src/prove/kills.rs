//! A daemon that is killed under load, again and again: every call whose answer was read whole is in the ledger.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    Obstacle, Progress, Proof, Settings, Tell,
    child::{Daemon, Home},
    client::{Call, Line, PATIENCE},
    configs,
    scratch::Scratch,
    tokens::{by_hand, rows, verify},
};
use crate::{
    domain::RequestId,
    store::{CallRow, Outcome},
};

/// Connections that are busy when the daemon is killed.
const LINES: usize = 16;

/// Every call whose answer was read whole, and what it said it used.
type Whole = HashMap<RequestId, Option<(u64, u64)>>;

/// Proves it, in both durabilities in turn.
pub(super) async fn prove(
    settings: &Settings,
    scratch: &Scratch,
    tell: Tell<'_>,
) -> Result<Proof, Obstacle> {
    let home = Home::of(&scratch.folder("kills")?);
    let mut proof = Proof::new(
        "Kills",
        format!(
            "The daemon is killed with SIGKILL {} times while {LINES} connections are answered, streams among them, \
             with `durability: grouped` and `strict` in turn. After each restart every call whose answer was read \
             whole is in the ledger, once and at its price, what was in flight is settled within what it held, and \
             `ledger verify` finds no difference.",
            settings.kills
        ),
    );
    let mut whole = Whole::new();
    for number in 0..settings.kills {
        tell(Progress {
            proof: "kills",
            done: number.into(),
            of: settings.kills.into(),
        });
        let durability = if number % 2 == 0 { "grouped" } else { "strict" };
        Scratch::write(&home.file, &configs::load(durability))?;
        let daemon = Daemon::start(&settings.program, &home.file).await?;
        if number > 0 {
            after_restart(&mut proof, &home, number, &whole)?;
        }
        // Never at the same point of a group, a checkpoint or a stream.
        let busy = Duration::from_millis(150 + u64::from(number) * 37 % 400);
        whole.extend(load(daemon, busy).await?);
    }
    let last = Daemon::start(&settings.program, &home.file).await?;
    if settings.kills > 0 {
        after_restart(&mut proof, &home, settings.kills, &whole)?;
    }
    last.kill()?;
    figures(&mut proof, &rows(&home, "load")?, &whole);
    verify(&mut proof, &home)?;
    Ok(proof)
}

/// Calls on every connection until the daemon is killed.
async fn load(mut daemon: Daemon, busy: Duration) -> Result<Whole, Obstacle> {
    let mut tasks = JoinSet::new();
    let read = Arc::new(Notify::new());
    for number in 0..LINES {
        let mut line = Line::with(&mut daemon).await?;
        let read = Arc::clone(&read);
        tasks.spawn(async move {
            let mut whole = Whole::new();
            for call in 0.. {
                let call = Call {
                    path: "/v1/chat/completions",
                    account: "load",
                    model: "tokens",
                    max_tokens: 10 + 7 * (number as u32 % 8),
                    stream: (number + call) % 2 == 0,
                };
                // The connection ends with the daemon.
                let Ok(answer) = line.call(call).await else {
                    break;
                };
                if answer.status.is_success()
                    && answer.whole
                    && let Some(id) = answer.id
                {
                    whole.insert(id, answer.used);
                    read.notify_one();
                }
            }
            whole
        });
    }
    let mut whole = Whole::new();
    let busy = async {
        sleep_until(Instant::now() + busy).await;
        // A slow machine has read nothing yet, and nothing would be shown. What never comes is a miss, in the end.
        let _ = tokio::time::timeout(PATIENCE, read.notified()).await;
    };
    let all_ended = async {
        while let Some(done) = tasks.join_next().await {
            whole.extend(done.unwrap_or_default());
        }
    };
    // A daemon that is gone answers nobody any more.
    tokio::select! {
        () = busy => {}
        () = all_ended => daemon.ends().await?,
    }
    // In the middle of whatever it is doing. Its end takes a moment of this thread, and of none that reads answers.
    tokio::task::block_in_place(|| daemon.kill())?;
    while let Some(done) = tasks.join_next().await {
        whole.extend(done.unwrap_or_default());
    }
    Ok(whole)
}

/// What must hold as soon as the next daemon serves.
fn after_restart(proof: &mut Proof, home: &Home, kill: u32, whole: &Whole) -> Result<(), Obstacle> {
    let rows = rows(home, "load")?;
    let stored: HashMap<RequestId, &CallRow> = rows.iter().map(|row| (row.id, row)).collect();
    if stored.len() != rows.len() {
        proof.miss(format!("after kill {kill} a call stands twice"));
    }
    for (id, used) in whole {
        let Some(row) = stored.get(id) else {
            proof.miss(format!(
                "after kill {kill} call {id}, which was read whole, is missing"
            ));
            continue;
        };
        let tokens = (row.tokens.input, row.tokens.output);
        if used.is_some_and(|used| used != tokens) || row.outcome != Outcome::Completed {
            proof.miss(format!(
                "after kill {kill} call {id} is recorded as something else than was read"
            ));
        }
    }
    for row in &rows {
        let by_hand = by_hand(row.tokens.input, row.tokens.output);
        let cost = row.cost_nano_usd.unwrap_or_default();
        let charged = match row.outcome {
            Outcome::Indeterminate => cost <= row.held_nano_usd.unwrap_or_default(),
            _ => cost == by_hand,
        };
        if !charged {
            proof.miss(format!(
                "after kill {kill} call {} is charged {cost} billionths",
                row.id
            ));
        }
    }
    let mut verified = Proof::new("", "");
    verify(&mut verified, home)?;
    let misses = verified.misses.into_iter();
    proof
        .misses
        .extend(misses.map(|miss| format!("after kill {kill}: {miss}")));
    Ok(())
}

fn figures(proof: &mut Proof, rows: &[CallRow], whole: &Whole) {
    let of = |outcome: Outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    let stored: HashSet<RequestId> = rows.iter().map(|row| row.id).collect();
    let missing = |id: &&RequestId| !stored.contains(*id);
    proof.saw("answers read whole", whole.len());
    proof.expect(
        "of these missing in the ledger",
        whole.keys().filter(missing).count(),
        0,
    );
    proof.saw("calls in the ledger", rows.len());
    for outcome in [
        Outcome::Completed,
        Outcome::ClientClosed,
        Outcome::UpstreamFailed,
        Outcome::Indeterminate,
    ] {
        if of(outcome) > 0 {
            proof.saw(outcome.as_str(), of(outcome));
        }
    }
    if whole.is_empty() {
        proof.miss("no answer was read whole, so nothing is shown");
    }
}

#[cfg(test)]
mod tests;

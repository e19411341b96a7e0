//! Many calls at the same moment against money for exactly so many: a limit is a limit.

use std::{collections::BTreeMap, sync::Arc};

use tokio::{sync::Barrier, task::JoinSet};

use super::{
    Obstacle, Progress, Proof, Settings, Tell,
    child::{Daemon, Home},
    client::{Answer, Broken, Call, Line, all_judged, share},
    configs::{self, Account, BURSTS, PRICE},
    scratch::Scratch,
    tokens::{balance, recorded, rows, verify},
};
use crate::domain::NanoUsd;

/// Descriptors that are no connection.
const KEPT: u64 = 150;

/// Connections that a daemon serves at once (`server.limits.connections`), less some.
const MOST_LINES: usize = 9_900;

/// Proves it for every level that can bind.
pub(super) async fn prove(
    settings: &Settings,
    scratch: &Scratch,
    files: u64,
    tell: Tell<'_>,
) -> Result<Vec<Proof>, Obstacle> {
    let home = Home::of(&scratch.folder("bursts")?);
    Scratch::write(&home.file, &configs::bursts())?;
    let mut daemon = Daemon::start(&settings.program, &home.file).await?;
    let calls = settings.calls as usize;
    let most = usize::try_from((files / 2).saturating_sub(KEPT)).unwrap_or(usize::MAX);
    let lines = calls.min(most.clamp(16, MOST_LINES));
    let mut proofs = Vec::new();
    for account in BURSTS {
        let claim = format!(
            "{calls} calls of 0.02 USD each, {lines} of them at the same moment, against {}: exactly {} are served \
             and the others get 402.",
            account.bound,
            account.calls.min(calls)
        );
        let mut proof = Proof::new(format!("Burst, {}", account.id), claim);
        let answers = burst(&mut daemon, &account, calls, lines, tell).await?;
        daemon.still_runs()?;
        all_judged(&answers)?;
        judge(&mut proof, &account, calls, &answers);
        recorded(&home, account.id, account.calls.min(calls)).await?;
        let rows = rows(&home, account.id)?;
        let cost: i64 = rows.iter().filter_map(|row| row.cost_nano_usd).sum();
        proof.expect("calls in the ledger", rows.len(), account.calls.min(calls));
        let whole = PRICE * i64::try_from(account.calls.min(calls)).unwrap_or(i64::MAX);
        proof.expect(
            "charged (USD)",
            NanoUsd::from_nanos(cost),
            NanoUsd::from_nanos(whole),
        );
        if account.id == "credit" {
            let left = NanoUsd::from_nanos(1_000_000_000 - whole);
            proof.expect("credit left (USD)", balance(&home, account.id)?, left);
        }
        verify(&mut proof, &home)?;
        proofs.push(proof);
    }
    daemon.kill()?;
    Ok(proofs)
}

fn judge(proof: &mut Proof, account: &Account, calls: usize, answers: &[Result<Answer, Broken>]) {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for answer in answers {
        let kind = match answer {
            Err(_) => "no whole answer".to_owned(),
            Ok(answer) => match &answer.code {
                Some(code) => format!("{} {code}", answer.status.as_u16()),
                None => answer.status.as_u16().to_string(),
            },
        };
        *kinds.entry(kind).or_default() += 1;
    }
    let served = kinds.remove("200").unwrap_or(0);
    proof.expect("200", served, account.calls.min(calls));
    for (kind, count) in kinds {
        if !kind.starts_with("402 ") {
            proof.miss(format!("{count} answers are {kind}"));
        }
        proof.saw(&kind, count);
    }
}

/// All calls at once, over as many connections as there may be.
async fn burst(
    daemon: &mut Daemon,
    account: &Account,
    calls: usize,
    lines: usize,
    tell: Tell<'_>,
) -> Result<Vec<Result<Answer, Broken>>, Obstacle> {
    let name = format!("burst, {}", account.id);
    let mut report = |done: usize| {
        tell(Progress {
            proof: &name,
            done: done as u64,
            of: calls as u64,
        });
    };
    report(0);
    let start = Arc::new(Barrier::new(lines));
    let id = account.id;
    let mut tasks = JoinSet::new();
    for number in 0..lines {
        let (line, start) = (Line::with(daemon).await?, Arc::clone(&start));
        let call = Call {
            path: "/exact/v1/chat/completions",
            account: id,
            model: "exact",
            max_tokens: 5,
            stream: false,
        };
        // Where there are fewer connections than calls, some make another call afterwards.
        let calls = std::iter::repeat_n(call, share(calls, lines, number));
        tasks.spawn(async move {
            start.wait().await;
            line.calls(calls).await
        });
    }
    let mut answers = Vec::with_capacity(calls);
    while let Some(done) = tasks.join_next().await {
        answers.extend(done.unwrap_or_default());
        report(answers.len());
    }
    // A task that broke has answered nothing.
    answers.resize_with(calls, || Err(Broken::Off));
    Ok(answers)
}

//! Calls that cost what they use: however many there are at once, they never cost more than there is. And what every
//! proof reads in the store.

use std::{collections::BTreeMap, time::Duration};

use tokio::{task::JoinSet, time::Instant};

use super::{
    Obstacle, Progress, Proof, Settings, Tell,
    child::{Daemon, Home},
    client::{Answer, Broken, Call, Line, all_judged, share},
    configs::{self, INPUT, OUTPUT},
    scratch::Scratch,
};
use crate::{
    domain::{AccountId, NanoUsd},
    store::{CallFilter, CallRow, LONGEST_PAGE, Reader},
};

/// Calls at the same time.
const LINES: usize = 64;

/// What is spent: enough for some dozens of calls, in dollars and in billionths.
const CREDIT: (&str, i64) = ("0.05", 50_000_000);

/// How long the writer may take for what has been answered already.
const WRITER: Duration = Duration::from_secs(30);

/// Proves it.
pub(super) async fn prove(
    settings: &Settings,
    scratch: &Scratch,
    tell: Tell<'_>,
) -> Result<Proof, Obstacle> {
    let home = Home::of(&scratch.folder("tokens")?);
    Scratch::write(&home.file, &configs::tokens(CREDIT.0))?;
    let mut daemon = Daemon::start(&settings.program, &home.file).await?;
    let calls = settings.calls as usize;
    let lines = LINES.min(calls);
    let mut proof = Proof::new(
        "Token prices",
        format!(
            "{calls} calls, {lines} at a time, of which each costs the tokens that it turns out to use, against credit \
             of {} USD: together they never cost more, what is served is charged by its tokens to the billionth of a \
             dollar, and the others get 402, or 429 while calls in flight hold the rest.",
            CREDIT.0
        ),
    );
    let answers = spend(&mut daemon, calls, lines, tell).await?;
    daemon.still_runs()?;
    all_judged(&answers)?;
    let served = judge(&mut proof, calls, &answers);
    recorded(&home, "tokens", served).await?;
    let rows = rows(&home, "tokens")?;
    proof.expect("calls in the ledger", rows.len(), served);
    let cost: i64 = rows.iter().filter_map(|row| row.cost_nano_usd).sum();
    for row in &rows {
        let by_hand = by_hand(row.tokens.input, row.tokens.output);
        if row.cost_nano_usd != Some(by_hand) {
            proof.miss(format!(
                "call {} cost {:?} instead of {by_hand}",
                row.id, row.cost_nano_usd
            ));
        }
    }
    if cost > CREDIT.1 {
        proof.miss("more was charged than there was");
    }
    proof.saw("charged (USD)", NanoUsd::from_nanos(cost));
    let left = NanoUsd::from_nanos(CREDIT.1 - cost);
    proof.expect("credit left (USD)", balance(&home, "tokens")?, left);
    verify(&mut proof, &home)?;
    daemon.kill()?;
    Ok(proof)
}

/// So many tokens at the prices of the file, in billionths of a dollar.
pub(super) fn by_hand(input: u64, output: u64) -> i64 {
    // A dollar per million tokens is a thousand billionths for each.
    let of = |tokens: u64, price: i64| {
        i64::try_from(tokens)
            .unwrap_or(i64::MAX)
            .saturating_mul(price * 1000)
    };
    of(input, INPUT).saturating_add(of(output, OUTPUT))
}

async fn spend(
    daemon: &mut Daemon,
    calls: usize,
    lines: usize,
    tell: Tell<'_>,
) -> Result<Vec<Result<Answer, Broken>>, Obstacle> {
    let mut tasks = JoinSet::new();
    for number in 0..lines {
        let line = Line::with(daemon).await?;
        let calls = (0..share(calls, lines, number)).map(move |call| Call {
            path: "/v1/chat/completions",
            account: "tokens",
            model: "tokens",
            max_tokens: 20,
            stream: (number + call) % 2 == 0,
        });
        tasks.spawn(line.calls(calls));
    }
    let mut answers = Vec::with_capacity(calls);
    while let Some(done) = tasks.join_next().await {
        answers.extend(done.unwrap_or_default());
        tell(Progress {
            proof: "token prices",
            done: answers.len() as u64,
            of: calls as u64,
        });
    }
    Ok(answers)
}

/// Sorts the answers, and says how many were served.
fn judge(proof: &mut Proof, calls: usize, answers: &[Result<Answer, Broken>]) -> usize {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for answer in answers.iter().flatten() {
        let code = answer.code.as_deref().unwrap_or_default();
        let kind = format!("{} {code}", answer.status.as_u16());
        *kinds.entry(kind.trim_end().to_owned()).or_default() += 1;
    }
    let whole: usize = kinds.values().sum();
    if whole < calls {
        proof.miss(format!("{} calls have no whole answer", calls - whole));
    }
    let served = kinds.get("200").copied().unwrap_or(0);
    if served == 0 {
        proof.miss("nothing was served");
    }
    let allowed = [
        "200",
        "402 credit_exhausted",
        "402 insufficient_credit_for_request",
        "429 credit_on_hold",
    ];
    for (kind, count) in &kinds {
        if !allowed.contains(&kind.as_str()) {
            proof.miss(format!("{count} answers are {kind}"));
        }
        proof.saw(kind, count);
    }
    served
}

// === What every proof reads in the store ===

pub(super) fn reader(home: &Home) -> Result<Reader, Obstacle> {
    Reader::open(&home.store).map_err(|error| Obstacle::Store(error.to_string()))
}

/// Every recorded call of an account.
pub(super) fn rows(home: &Home, account: &str) -> Result<Vec<CallRow>, Obstacle> {
    let reader = reader(home)?;
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let filter = CallFilter {
            account: AccountId::parse(account).ok(),
            limit: LONGEST_PAGE,
            cursor,
            ..CallFilter::default()
        };
        let page = reader
            .calls(&filter)
            .map_err(|error| Obstacle::Store(error.to_string()))?;
        all.extend(page.data);
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}

/// Waits until the writer has what was answered already: some milliseconds, in groups.
pub(super) async fn recorded(home: &Home, account: &str, calls: usize) -> Result<(), Obstacle> {
    let until = Instant::now() + WRITER;
    while rows(home, account)?.len() < calls {
        if Instant::now() > until {
            // That they are missing is a miss, which the caller counts.
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// The credit of an account.
pub(super) fn balance(home: &Home, account: &str) -> Result<NanoUsd, Obstacle> {
    let failed = |words: String| Obstacle::Store(words);
    let id = AccountId::parse(account).map_err(|error| failed(error.to_string()))?;
    let credit = reader(home)?.credit(&id);
    credit
        .map(|credit| credit.balance)
        .map_err(|error| failed(error.to_string()))
}

/// `faregate ledger verify`: everything is added up again.
pub(super) fn verify(proof: &mut Proof, home: &Home) -> Result<(), Obstacle> {
    let verified = reader(home)?
        .verify(|_| {})
        .map_err(|error| Obstacle::Store(error.to_string()))?;
    proof.expect(
        "difference by `ledger verify` (billionths of a USD)",
        verified.difference_nano_usd.to_string(),
        "0".to_owned(),
    );
    if !verified.is_right() {
        proof.miss(format!(
            "`ledger verify` finds {} places that do not add up",
            verified.problems.len()
        ));
    }
    Ok(())
}

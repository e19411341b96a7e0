//! What happened to a call, check by check, in words.

use serde::Serialize;

use super::call::Call;
use crate::domain::NanoUsd;

/// A check that a call passed.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) check: &'static str,
    pub(super) words: String,
}

/// What was held.
#[derive(Debug, Serialize)]
pub(super) struct Hold {
    pub(super) tokens: u64,
    /// Input tokens at most; `None` where it was not noted how the hold is made up.
    pub(super) input: Option<u64>,
    /// Output tokens at most, for each answer.
    pub(super) output_limit: Option<u64>,
    pub(super) answers: u64,
    /// Whether we wrote that limit into the body.
    pub(super) written: bool,
    pub(super) money: Option<NanoUsd>,
}

/// How it ended, and what that means for what is charged.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) outcome: String,
    pub(super) words: String,
}

/// The checks of `call`, in the order in which a request meets them.
pub(super) fn steps(call: &Call) -> Vec<Step> {
    let step = |check, words: String| Step { check, words };
    let (model, upstream) = (call.model.as_deref(), call.upstream_model.as_deref());
    let mut steps = vec![
        step(
            "route",
            format!(
                "route {} leads to provider {} for {}",
                call.route, call.provider, call.endpoint
            ),
        ),
        step(
            "authenticate",
            format!(
                "key {} of account {} was valid here",
                call.key, call.account
            ),
        ),
        step(
            "standing",
            format!(
                "plan {}: its subscription, where it needs one, was open, and nothing that binds was used up",
                call.plan
            ),
        ),
        step(
            "rate",
            "there was room among the requests per minute and the calls at once".to_owned(),
        ),
    ];
    steps.push(match model {
        Some(model) => step(
            "peek",
            format!(
                "the body asked for model {model}, {}",
                if call.stream {
                    "as a stream"
                } else {
                    "answered whole"
                }
            ),
        ),
        None => step("peek", "no model was named".to_owned()),
    });
    let price = match (&call.price_version, call.cost()) {
        (Some(version), _) => format!("its price is version {version}"),
        (None, Some(_)) => "the route has a price for each request".to_owned(),
        (None, None) => "nothing of it has a price, and no money was counted".to_owned(),
    };
    steps.push(match model {
        Some(model) => step(
            "policy",
            format!("key, account and plan may use {model}; {price}"),
        ),
        None => step("policy", price),
    });
    steps.push(step("reserve", reserved(call)));
    let tries = match (call.attempt, call.first_byte_ms) {
        (0 | 1, Some(_)) => "sent once".to_owned(),
        // Where nothing came back it may have reached nobody.
        (0 | 1, None) => "tried once".to_owned(),
        (tries, _) => format!("sent {tries} times, because earlier tries reached nobody"),
    };
    steps.push(step(
        "forward",
        match upstream {
            Some(name) => format!("{tries}, as {name} at {}", call.provider),
            None => format!("{tries}, to {}", call.provider),
        },
    ));
    steps.push(step(
        "meter",
        format!(
            "answered with {}, and settled when the answer ended",
            call.status
        ),
    ));
    steps
}

/// So many tokens, in words.
pub(super) fn in_tokens(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} token{plural}")
}

fn reserved(call: &Call) -> String {
    match (call.held_tokens, call.held()) {
        (0, None) => "nothing had to be held".to_owned(),
        (1, None) => "1 token was held, of every token quota that applies".to_owned(),
        (tokens, None) => format!("{tokens} tokens were held, of every token quota that applies"),
        (0, Some(money)) => {
            format!("{money} USD were taken, of every budget and of credit where they apply")
        }
        (tokens, Some(money)) => {
            format!(
                "{} and {money} USD were held, of every level that applies",
                in_tokens(tokens)
            )
        }
    }
}

/// What was held for `call`, and how that is made up.
pub(super) fn hold(call: &Call) -> Hold {
    let agreed = call.terms.as_ref();
    let answers = agreed.and_then(|agreed| agreed.answers).unwrap_or(1);
    let output = agreed.map(|agreed| agreed.output_limit);
    let of_output = output.map(|output| output.saturating_mul(answers));
    Hold {
        tokens: call.held_tokens,
        input: of_output.map(|output| call.held_tokens.saturating_sub(output)),
        output_limit: output.filter(|_| call.held_tokens > 0),
        answers,
        written: agreed.is_some_and(|agreed| agreed.written),
        money: call.held(),
    }
}

/// How `call` ended.
pub(super) fn outcome(call: &Call) -> Outcome {
    let nothing = call.came_to_nothing();
    let words = match call.outcome.as_str() {
        "completed" if (400..500).contains(&call.status) => {
            "The provider refused the call by itself. What it reports is charged, an own count never; the request and \
             its price count."
        }
        "completed" => {
            "The answer ended by itself and was passed on whole. What it used is charged."
        }
        "client_closed" => {
            "The client left first. What was observed until then is charged, the input at least; where the provider is \
             read to its end without a client, all of it."
        }
        "upstream_failed" if nothing => {
            "The provider was not reached, or failed by its own word. Nothing is charged, and the request does not count."
        }
        "upstream_failed" => {
            "The provider failed, or was cut off, within its answer. What was passed on is charged."
        }
        _ => {
            "It is not known what the provider did: it went silent, or this daemon ended while the call was under way. \
             The input and what was seen of the answer are charged, never more than was held."
        }
    };
    Outcome {
        outcome: call.outcome.clone(),
        words: words.to_owned(),
    }
}

/// What else has to be said.
pub(super) fn remarks(call: &Call) -> Vec<String> {
    let mut remarks = Vec::new();
    if call.estimated {
        remarks.push(
            "estimated: the provider reported no usage that can be believed, so the gateway's own count is used. It is never a credit."
                .to_owned(),
        );
    }
    if call.overrun {
        remarks.push(
            "overrun: it used more than was held for it. All of it is charged, which is the only way to a balance below \
             zero; a stream is cut at this point."
                .to_owned(),
        );
    }
    remarks
}

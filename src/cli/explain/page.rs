//! An explanation for people.

use std::fmt::{self, Write as _};

use super::{
    Explanation,
    call::{Call, Charged, Counted},
    cost::Costing,
    history::{Hold, in_tokens},
};
use crate::cli::table::Heading;

/// The width of what stands before the words.
const MARGIN: usize = 17;

/// All of it, as text.
pub(super) fn page(explanation: &Explanation, heading: Heading) -> String {
    let mut out = Page {
        text: String::new(),
        heading,
    };
    // Writing to a string does not fail.
    let _ = out.whole(explanation);
    out.text
}

struct Page {
    text: String,
    heading: Heading,
}

impl Page {
    fn whole(&mut self, explanation: &Explanation) -> fmt::Result {
        let Explanation {
            call,
            checks,
            hold,
            cost,
            outcome,
            remarks,
        } = explanation;
        self.head(call)?;
        self.title("Checks, all passed")?;
        for (number, step) in (1..).zip(checks) {
            self.line(&format!("{number} {}", step.check), &step.words)?;
        }
        self.title("Held")?;
        self.held(call, hold)?;
        self.title("Used")?;
        self.used(call)?;
        self.title("Cost")?;
        self.cost(cost)?;
        self.title("Moved")?;
        self.moved(call)?;
        self.title("Outcome")?;
        self.line(&outcome.outcome, &outcome.words)?;
        for remark in remarks {
            let (flag, words) = remark.split_once(": ").unwrap_or(("", remark));
            self.line(flag, words)?;
        }
        self.title("Times")?;
        self.times(call)
    }

    fn head(&mut self, call: &Call) -> fmt::Result {
        let Call {
            request_id,
            at,
            account,
            key,
            plan,
            plan_version,
            ..
        } = call;
        let version = match plan_version {
            Some(version) => format!(", version {version}"),
            None => String::new(),
        };
        writeln!(self.text, "Call {request_id}")?;
        self.line("at", at)?;
        self.line(
            "account",
            &format!("{account}, with key {key}, on plan {plan}{version}"),
        )?;
        if let Some(user) = &call.end_user {
            self.line("end user", user)?;
        }
        if let Some(key) = &call.idempotency_key {
            self.line("idempotency", key)?;
        }
        Ok(())
    }

    fn held(&mut self, call: &Call, hold: &Hold) -> fmt::Result {
        if hold.tokens == 0 && hold.money.is_none() {
            return self.line("", "nothing");
        }
        if hold.tokens > 0 {
            let words = match (hold.input, hold.output_limit) {
                (Some(input), Some(output)) => {
                    let answers = match hold.answers {
                        1 => String::new(),
                        many => format!(" x {many} answers"),
                    };
                    format!(
                        "{}: at most {input} of input, {output} of output{answers}",
                        hold.tokens
                    )
                }
                _ => format!("{}; how they are made up was not kept", hold.tokens),
            };
            self.line("tokens", &words)?;
        }
        if let (true, Some(limit)) = (hold.written, hold.output_limit) {
            let words = format!("an output limit of {limit} was written into the forwarded body");
            self.line("limit", &words)?;
        }
        match (hold.money, call.overrun) {
            (Some(money), _) => self.line("money", &format!("{money} USD")),
            (None, _) => Ok(()),
        }
    }

    fn used(&mut self, call: &Call) -> fmt::Result {
        let tokens = &call.tokens;
        let counts = [
            ("input", tokens.input, ""),
            (
                "cached",
                tokens.cached_input,
                " of the input, read from a cache",
            ),
            (
                "written",
                tokens.cache_write,
                " of the input, written to a cache",
            ),
            (
                "for an hour",
                tokens.cache_write_1h,
                " of those, kept for an hour",
            ),
            ("audio", tokens.audio_input, " of the input"),
            ("output", tokens.output, ""),
            ("reasoning", tokens.reasoning, " of the output"),
            ("audio", tokens.audio_output, " of the output"),
        ];
        for (name, count, of) in counts {
            if count > 0 || of.is_empty() {
                self.line(name, &format!("{}{of}", in_tokens(count)))?;
            }
        }
        let others = [
            ("images", tokens.images),
            ("seconds", tokens.seconds),
            ("pages", tokens.pages),
        ];
        for (name, count) in others.into_iter().filter(|(_, count)| *count > 0) {
            self.line(name, &count.to_string())?;
        }
        Ok(())
    }

    fn cost(&mut self, cost: &Costing) -> fmt::Result {
        if let Some(version) = &cost.price_version {
            let source = match &cost.source {
                Some(source) => format!(", from {source}"),
                None => String::new(),
            };
            self.line("price", &format!("version {version}{source}"))?;
        }
        if cost.above > 0 {
            let words = format!("the prices above {} input tokens apply", cost.above);
            self.line("tier", &words)?;
        }
        for line in &cost.lines {
            let per = if line.per_million { " per million" } else { "" };
            let words = format!("{} x {} USD{per} = {}", line.count, line.price, line.amount);
            self.line(line.item, &words)?;
        }
        if let (Some(units), true) = (cost.units, cost.lines.len() > 1) {
            self.line("together", &units.to_string())?;
        }
        if let Some(service) = &cost.service_tier {
            let words = format!("x {} for the service tier {}", service.factor, service.name);
            self.line("", &words)?;
        }
        for fixed in &cost.requests {
            let of = match fixed.name {
                "price_per_request" => "of the route, for each request".to_owned(),
                "request" => "of the model, for each request".to_owned(),
                feature => format!("for {feature}"),
            };
            self.line("", &format!("+ {} USD {of}", fixed.price))?;
        }
        if let Some(factor) = &cost.price_factor {
            self.line("", &format!("x {factor}, the plan's factor on all prices"))?;
        }
        if let (Some(sum), Some(computed)) = (cost.sum, cost.computed) {
            let words = if sum.is_whole() {
                format!("{sum} USD, with nothing to round")
            } else {
                format!("{sum}, rounded up once to {computed} USD")
            };
            self.line("sum", &words)?;
        }
        if let Some(recorded) = cost.recorded {
            let same = match cost.equal {
                Some(true) => ", the same to the billionth",
                Some(false) => ", which is a different amount",
                None => "",
            };
            self.line("record", &format!("{recorded} USD{same}"))?;
        }
        for words in &cost.words {
            self.line("", words)?;
        }
        Ok(())
    }

    fn moved(&mut self, call: &Call) -> fmt::Result {
        if call.counted.is_none() && call.credit.is_none() {
            let words = match call.terms {
                Some(_) => "no quota, no budget and no credit",
                None => "no credit; which quotas and budgets were moved was not kept",
            };
            return self.line("", words);
        }
        if let Some(Counted { account, key }) = &call.counted {
            for (name, counters) in [("account", account), ("key", key)] {
                let each = counters.iter().map(|counter| step(call, counter));
                let words = each.collect::<Vec<_>>().join(", ");
                if !words.is_empty() {
                    self.line(name, &words)?;
                }
            }
        }
        let Some(Charged { lots, debt }) = &call.credit else {
            return Ok(());
        };
        for lot in lots {
            let id = match (&lot.kind, &lot.id) {
                (Some(kind), Some(id)) => format!(" ({kind} {id})"),
                _ => String::new(),
            };
            self.line(
                "credit",
                &format!("{} USD of entry {}{id}", lot.amount, lot.entry),
            )?;
        }
        if !debt.trim_matches(['0', '.']).is_empty() {
            self.line(
                "debt",
                &format!("{debt} USD, which the next top-up pays first"),
            )?;
        }
        if lots.is_empty() && call.cost_nano_usd.unwrap_or_default() == 0 {
            self.line("credit", "nothing was taken")?;
        }
        Ok(())
    }

    fn times(&mut self, call: &Call) -> fmt::Result {
        self.line(
            "queue",
            &format!("{} ms from its arrival until it was sent", call.queue_ms),
        )?;
        match call.first_byte_ms {
            Some(first) => {
                self.line(
                    "first byte",
                    &format!("{first} ms until the provider's answer began"),
                )?;
            }
            None => self.line("first byte", "none came")?,
        }
        self.line(
            "total",
            &format!("{} ms from its arrival to its end", call.total_ms),
        )
    }

    fn title(&mut self, title: &str) -> fmt::Result {
        writeln!(self.text, "\n{}", self.heading.written(title))
    }

    fn line(&mut self, name: &str, words: &str) -> fmt::Result {
        let line = format!("  {name:<MARGIN$}{words}");
        writeln!(self.text, "{}", line.trim_end())
    }
}

/// How far a call moved a counter.
fn step(call: &Call, counter: &str) -> String {
    let (unit, per) = counter.split_once('/').unwrap_or((counter, "window"));
    let by = match unit {
        "requests" => "1 request".to_owned(),
        "tokens" => in_tokens(call.tokens.input.saturating_add(call.tokens.output)),
        _ => format!("{} USD", call.cost().unwrap_or_default()),
    };
    format!("{by} of this {per}")
}

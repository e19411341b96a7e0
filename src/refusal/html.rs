//! Pages for people: one style, no script, nothing loaded from anywhere, every text escaped.

use std::fmt::{self, Display, Write as _};

use bytes::Bytes;

use super::{binds::LimitName, render::View};
use crate::domain::{Amount, CURRENCY, NanoUsd};

/// Works from 320 pixels up, in light and dark.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;font:16px/1.55 system-ui,sans-serif;background:#fff;color:#1a1c20}\
main{max-width:42rem;margin:0 auto;padding:3rem 1.25rem}\
h1{font-size:1.6rem;line-height:1.25;margin:.25rem 0 1rem}\
h2{font-size:1.05rem;margin:1.75rem 0 .25rem}\
p{margin:0 0 1rem;overflow-wrap:anywhere}\
.code{font:.85rem ui-monospace,monospace;color:#5c6370;margin:0}\
.button{display:inline-block;padding:.6rem 1.1rem;border-radius:.4rem;background:#1a56db;color:#fff;text-decoration:none}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.25rem;margin:1.5rem 0}\
dt{color:#5c6370}dd{margin:0;overflow-wrap:anywhere}\
li{margin:.2rem 0}a{color:#1a56db}\
@media(prefers-color-scheme:dark){body{background:#16181c;color:#e6e8eb}a{color:#8ab4f8}.button{color:#fff}\
.code,dt{color:#9aa0aa}}";

/// A text whose markup characters are escaped, for elements and for attributes in double quotes.
pub(super) struct Escaped<T>(pub(super) T);

/// A figure with its currency where it is money; the counts are named by the limit.
struct Figure(Amount);

/// Escapes on the way to a writer.
struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

impl Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Amount::Count(_) => write!(f, "{}", self.0),
            Amount::Usd(_) => write!(f, "{} {CURRENCY}", self.0),
        }
    }
}

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            let (plain, from) = rest.split_at(at);
            self.0.write_str(plain)?;
            self.0.write_str(match from.as_bytes().first() {
                Some(b'&') => "&amp;",
                Some(b'<') => "&lt;",
                Some(b'>') => "&gt;",
                Some(b'"') => "&quot;",
                _ => "&#39;",
            })?;
            // All five are one byte long.
            rest = from.get(1..).unwrap_or_default();
        }
        self.0.write_str(rest)
    }
}

/// A whole document around what `body` writes into its `main`.
pub(super) fn document(title: &str, body: impl FnOnce(&mut String) -> fmt::Result) -> Bytes {
    let mut out = String::with_capacity(4096);
    // A string takes everything, and our own Display implementations fail only when their writer does.
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n",
        Escaped(title)
    );
    let _ = body(&mut out);
    out.push_str("</main>\n</body>\n</html>\n");
    out.into()
}

/// The page of a refusal: the same facts as the JSON, and a button.
pub(super) fn refusal(view: &View<'_>) -> Bytes {
    let code = view.refusal.code;
    document(code.title(), |out| {
        let status = view.verdict.status.as_u16();
        writeln!(out, "<p class=\"code\">{status} {}</p>", code.as_str())?;
        writeln!(out, "<h1>{}</h1>", Escaped(code.title()))?;
        writeln!(out, "<p>{}</p>", Escaped(view.message()))?;
        if let Some((remedy, Some(page))) = view.actions.remedy {
            writeln!(
                out,
                "<p><a class=\"button\" href=\"{}\">{}</a></p>",
                Escaped(page),
                remedy.label()
            )?;
        }
        facts(out, view)?;
        writeln!(
            out,
            "<p><a href=\"{}\">What this means, how to fix it and how to prevent it</a></p>",
            Escaped(view.problem_uri())
        )
    })
}

fn facts(out: &mut String, view: &View<'_>) -> fmt::Result {
    out.push_str("<dl>\n");
    if let Some(subject) = &view.refusal.subject {
        fact(out, "Account", &subject.account)?;
        fact(out, "Plan", &subject.plan)?;
        if let Some(status) = subject.subscription {
            fact(out, "Subscription", status.as_str())?;
        }
    }
    if let Some(limit) = view.refusal.limit {
        let scope = limit.scope.as_str();
        fact(out, "Limit", format_args!("{} ({scope})", LimitName(limit)))?;
        if !view.refusal.redacts() {
            let figure = |figure| Figure(limit.amount(figure));
            fact(out, "Allowed", figure(limit.limit))?;
            fact(out, "Used", figure(limit.used))?;
            if limit.held > 0 {
                fact(out, "Held by calls in flight", figure(limit.held))?;
            }
            fact(out, "Left", figure(limit.remaining()))?;
        }
        if let Some(at) = limit.resets_at {
            fact(out, "Resets at", at)?;
        }
    }
    if let Some(credit) = view.refusal.credit.filter(|_| !view.refusal.redacts()) {
        let figure = |money| Figure(Amount::Usd(money));
        fact(out, "Credit", figure(credit.balance))?;
        if credit.held > NanoUsd::ZERO {
            fact(out, "Credit held by calls in flight", figure(credit.held))?;
        }
        if credit.asked > NanoUsd::ZERO {
            fact(out, "This request at most", figure(credit.asked))?;
        }
    }
    fact(out, "Request", view.scene.request_id)?;
    out.push_str("</dl>\n");
    Ok(())
}

fn fact(out: &mut String, name: &str, value: impl Display) -> fmt::Result {
    writeln!(out, "<dt>{name}</dt><dd>{}</dd>", Escaped(value))
}

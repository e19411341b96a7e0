//! Which of our three kinds of body a client asked for.

use http::HeaderValue;

/// How a refusal is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Representation {
    /// The error body of the dialect, as `application/json`: what every SDK reads.
    Dialect,
    /// Pure RFC 9457, for a client that names `application/problem+json`.
    Problem,
    /// A page for a person with a browser.
    Html,
}

/// What an `Accept` field says of the three, in thousandths (RFC 9110 §12.4.2); `None` where it does not name it.
#[derive(Default)]
struct Weights {
    problem: Option<u16>,
    html: Option<u16>,
    json: Option<u16>,
    application: Option<u16>,
    anything: Option<u16>,
}

impl Representation {
    /// Chooses by `Accept` (RFC 9110 §12.5.1).
    ///
    /// `application/problem+json` has to be named; HTML has to be named and weigh more than JSON. Everything else gets
    /// the dialect, because a client that says nothing of the kind is a program that reads its vendor's error body.
    pub fn preferred(accept: Option<&HeaderValue>) -> Self {
        let Some(accept) = accept.and_then(|accept| accept.to_str().ok()) else {
            return Self::Dialect;
        };
        let mut weights = Weights::default();
        for range in accept.split(',') {
            weights.take(range);
        }
        let html = weights.html.unwrap_or(0);
        let json = weights
            .json
            .or(weights.application)
            .or(weights.anything)
            .unwrap_or(0);
        match weights.problem {
            Some(problem) if problem > 0 && problem >= html => Self::Problem,
            _ if html > json => Self::Html,
            _ => Self::Dialect,
        }
    }
}

impl Weights {
    fn take(&mut self, range: &str) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let quality = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1000, thousandths);
        let is = |name: &str| kind.eq_ignore_ascii_case(name);
        let weight = if is("application/problem+json") {
            &mut self.problem
        } else if is("text/html") {
            &mut self.html
        } else if is("application/json") {
            &mut self.json
        } else if is("application/*") {
            &mut self.application
        // The lone asterisk is what Java's HttpURLConnection sends.
        } else if is("*/*") || is("*") {
            &mut self.anything
        } else {
            return;
        };
        *weight = Some(weight.unwrap_or(0).max(quality));
    }
}

/// A weight such as `0.85`; what is none counts as not wanted.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" => 1000,
        "0" | "" if digits => fraction
            .bytes()
            .zip([100, 10, 1])
            .map(|(digit, place)| u16::from(digit - b'0') * place)
            .sum(),
        _ => 0,
    }
}

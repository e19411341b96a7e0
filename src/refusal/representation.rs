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

/// What an `Accept` field says of them, in thousandths (RFC 9110 §12.4.2); `None` where it does not name it.
#[derive(Default)]
struct Weights {
    problem: Option<u16>,
    html: Option<u16>,
    json: Option<u16>,
    stream: Option<u16>,
    application: Option<u16>,
    anything: Option<u16>,
}

impl Representation {
    /// Chooses by the values of `Accept` (RFC 9110 §12.5.1).
    ///
    /// `application/problem+json` has to be named, and nothing may weigh more; HTML has to be named and weigh more than
    /// the dialect. Everything else gets the dialect, because a client that says nothing of the kind is a program that
    /// reads its vendor's error body. So is one that asks for a stream.
    pub fn preferred<'a>(accept: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let mut weights = Weights::default();
        for value in accept {
            for range in parts(value.to_str().unwrap_or_default(), ',') {
                weights.take(range);
            }
        }
        let json = weights.json.or(weights.application).or(weights.anything);
        let dialect = json.max(weights.stream).unwrap_or(0);
        let html = weights.html.unwrap_or(0);
        match weights.problem {
            Some(problem) if problem > 0 && problem >= html.max(dialect) => Self::Problem,
            _ if html > dialect => Self::Html,
            _ => Self::Dialect,
        }
    }
}

impl Weights {
    fn take(&mut self, range: &str) {
        let mut parts = parts(range, ';').map(str::trim);
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
        } else if is("text/event-stream") {
            &mut self.stream
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

/// What stands between separators, those in quotes left alone (RFC 9110 §5.6.4).
fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |letter| {
        let literal = std::mem::take(&mut escaped);
        match letter {
            '\\' => escaped = quoted && !literal,
            '"' if !literal => quoted = !quoted,
            _ => {}
        }
        letter == separator && !quoted
    })
}

/// A weight such as `0.85`; what is none counts as not wanted.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" if digits && fraction.bytes().all(|digit| digit == b'0') => 1000,
        "0" | "" if digits => fraction
            .bytes()
            .zip([100, 10, 1])
            .map(|(digit, place)| u16::from(digit - b'0') * place)
            .sum(),
        _ => 0,
    }
}

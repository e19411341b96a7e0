//! Which representation an `Accept` field gets.

use http::HeaderValue;

use crate::refusal::Representation::{self, Dialect, Html, Problem};

#[track_caller]
fn check(accept: &'static str, expected: Representation) {
    let value = HeaderValue::from_static(accept);
    assert_eq!(
        Representation::preferred(Some(&value)),
        expected,
        "{accept}"
    );
}

#[test]
fn programs_get_the_dialect() {
    assert_eq!(Representation::preferred(None), Dialect);
    check("", Dialect);
    check("*/*", Dialect);
    check("application/json", Dialect);
    check("text/event-stream", Dialect);
    check("application/json, text/plain, */*", Dialect);
    check("application/*", Dialect);
    check(";;,,=q,", Dialect);
}

#[test]
fn a_browser_gets_a_page() {
    // Firefox, Chromium and Safari, curl with a wish, jQuery.
    check(
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        Html,
    );
    check(
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
        Html,
    );
    check("text/html", Html);
    check("TEXT/HTML ; Q=0.9, application/json;q=0.89", Html);
    check("text/html, */*; q=0.01", Html);
    check("text/html, application/*;q=0", Html);
}

#[test]
fn html_has_to_weigh_more_than_json() {
    check("text/html, application/json", Dialect);
    check("text/html;q=0.5, application/json;q=0.9", Dialect);
    check("text/html;q=0, */*;q=0", Dialect);
    check("text/html;q=0.4, */*;q=0.5", Dialect);
    check("text/html;q=2, text/plain", Dialect);
    check("text/html;q=1.5", Dialect);
    check("text/html;q=1.000", Html);
    check("text/plain;title=\", text/html, \\\", \"", Dialect);
    check("text/html;q=0.1234", Dialect);
    check("text/html;q=x", Dialect);
}

#[test]
fn problem_details_have_to_be_named() {
    check("application/problem+json", Problem);
    check("application/problem+json, application/json", Problem);
    check("application/problem+json;q=0.5, */*;q=0.1", Problem);
    check(
        "application/problem+json;q=0.1, application/json;q=0, */*",
        Problem,
    );
    check("application/problem+json;profile=\"a,b\";q=0.5", Problem);
    check("application/json, application/problem+json;q=0.5", Dialect);
    check("application/problem+json;q=0.5, */*", Dialect);
    check("text/html;q=0.5, application/problem+json", Problem);
    check("text/html, application/problem+json;q=0.1", Html);
    check("application/problem+json;q=0, application/json", Dialect);
}

/// Who asks for a stream reads the dialect's errors.
#[test]
fn a_stream_is_the_dialects() {
    check("text/event-stream, application/problem+json;q=0.1", Dialect);
    check("text/event-stream, text/html;q=0.9", Dialect);
    check("text/event-stream;q=0.1, application/problem+json", Problem);
    check("text/event-stream;q=0, text/html;q=0.1", Html);
}

#[test]
fn lines_are_one_list() {
    let lines = ["text/html;q=0.5", "application/problem+json"].map(HeaderValue::from_static);
    assert_eq!(Representation::preferred(&lines), Problem);
}

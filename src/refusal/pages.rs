//! `/problems/<code>`: what each code means, how to fix it and how to prevent it.

use std::fmt::{self, Write as _};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::CACHE_CONTROL};
use serde::Serialize;

use super::{
    Code, Links, Representation,
    guide::{Guide, guide},
    headers::{content, content_type},
    html::{Escaped, document},
    json::encode,
    links::ProblemUri,
};

/// A problem type as a program reads it: RFC 9457's members, and the guide's.
#[derive(Serialize)]
struct Page<'a> {
    r#type: ProblemUri<'a>,
    title: &'static str,
    status: u16,
    detail: &'static str,
    code: &'static str,
    fix: &'static str,
    prevention: &'static str,
}

#[derive(Serialize)]
struct Index<'a> {
    problems: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    code: &'static str,
    status: u16,
    title: &'static str,
    r#type: ProblemUri<'a>,
}

/// The page at `/problems` and then `page`: the list of all codes, or behind a slash one of them. With its media type;
/// `None` for a code that is none.
pub fn problem_page(
    page: &str,
    representation: Representation,
    links: &Links,
) -> Option<(HeaderValue, Bytes)> {
    let html = representation == Representation::Html;
    let code = page.strip_prefix('/').unwrap_or_default();
    if code.is_empty() {
        let index = match representation {
            // The list is not a problem, whatever was asked for.
            Representation::Problem => Representation::Dialect,
            other => other,
        };
        let body = if html {
            index_html(page)
        } else {
            index_json(links)
        };
        return Some((content_type(index), body));
    }
    let code = Code::ALL.into_iter().find(|known| known.as_str() == code)?;
    let body = if html {
        page_html(code)
    } else {
        page_json(code, links)
    };
    Some((content_type(representation), body))
}

/// Adds the fields of a page that [`problem_page`] gave: its media type, what a browser may do with it, how long it may
/// be kept.
pub fn page_headers(content_type: HeaderValue, headers: &mut HeaderMap) {
    let html = content_type.as_bytes().starts_with(b"text/html");
    content(content_type, html, headers);
    // The texts change with the version only.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
}

fn page_json(code: Code, links: &Links) -> Bytes {
    let Guide {
        meaning,
        fix,
        prevention,
    } = guide(code);
    encode(&Page {
        r#type: ProblemUri { links, code },
        title: code.title(),
        status: code.status().as_u16(),
        detail: meaning,
        code: code.as_str(),
        fix,
        prevention,
    })
}

fn index_json(links: &Links) -> Bytes {
    let problems = Code::ALL.into_iter().map(|code| Entry {
        code: code.as_str(),
        status: code.status().as_u16(),
        title: code.title(),
        r#type: ProblemUri { links, code },
    });
    encode(&Index {
        problems: problems.collect(),
    })
}

fn page_html(code: Code) -> Bytes {
    let Guide {
        meaning,
        fix,
        prevention,
    } = guide(code);
    document(code.title(), |out| {
        head(out, code)?;
        section(out, "What it means", meaning)?;
        section(out, "How to fix it", fix)?;
        section(out, "How to prevent it", prevention)?;
        // Relative, so that it works behind any public address.
        out.write_str("<p><a href=\"./\">All codes</a></p>\n")
    })
}

fn head(out: &mut String, code: Code) -> fmt::Result {
    let status = code.status().as_u16();
    writeln!(out, "<p class=\"code\">{status} {}</p>", code.as_str())?;
    writeln!(out, "<h1>{}</h1>", Escaped(code.title()))
}

fn section(out: &mut String, heading: &str, text: &str) -> fmt::Result {
    writeln!(out, "<h2>{heading}</h2>\n<p>{}</p>", Escaped(text))
}

fn index_html(page: &str) -> Bytes {
    // Relative, as a prefix that a proxy takes away needs it: a browser leaves out what follows the last slash.
    let folder = if page.is_empty() { "problems/" } else { "" };
    document("Error codes", |out| {
        out.push_str("<h1>Error codes</h1>\n");
        out.push_str("<p>Every answer that does not come from a provider names one of these codes.</p>\n<ul>\n");
        for code in Code::ALL {
            writeln!(
                out,
                "<li><a href=\"{folder}{}\">{}</a> <span class=\"code\">{} {}</span></li>",
                code.as_str(),
                Escaped(code.title()),
                code.status().as_u16(),
                code.as_str()
            )?;
        }
        out.write_str("</ul>\n")
    })
}

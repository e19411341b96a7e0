//! What comes from outside the file: environment variables, files with secrets, the system's trusted roots.

use std::{ffi::OsString, fmt, path::Path};

use rustls::pki_types::CertificateDer;

use crate::domain::{Clock, Secret, Timestamp};

/// A file with one credential has no business being larger.
const LARGEST_SECRET: u64 = 64 * 1024;

/// What the process finds around it. Tests put their own in its place.
pub trait Environment: fmt::Debug {
    /// An environment variable; `None` when it is not set or not UTF-8.
    fn get(&self, name: &str) -> Option<String>;

    /// An environment variable as it is, text or not; `None` when it is not set.
    fn get_raw(&self, name: &str) -> Option<OsString> {
        self.get(name).map(OsString::from)
    }

    /// The certificates this system trusts; empty when there are none or they cannot be read.
    fn system_roots(&self) -> Vec<CertificateDer<'static>>;

    /// What time it is: a price may hold from some instant on.
    fn now(&self) -> Timestamp {
        Clock::system().now()
    }
}

/// The real environment.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment; everything else is handed this type"
    )]
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn get_raw(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn system_roots(&self) -> Vec<CertificateDer<'static>> {
        rustls_native_certs::load_native_certs().certs
    }
}

/// A scalar after its variables were filled in.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(crate) text: String,
    /// Whether a variable was named. Then the text may be a secret whatever the key is, and is not shown.
    pub(crate) from_environment: bool,
}

/// Why a variable could not be filled in.
#[derive(Debug)]
pub(crate) struct Unfilled {
    pub(crate) text: String,
    pub(crate) hint: String,
}

/// Fills in `${NAME}` and `${NAME:-default}`; the default also stands in for an empty variable, as in a shell.
/// `$${` is a literal `${`. What is filled in is not read again.
pub(crate) fn fill(text: &str, environment: &dyn Environment) -> Result<Filled, Unfilled> {
    let mut filled = String::with_capacity(text.len());
    let mut from_environment = false;
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(literal) = rest[..at].strip_suffix('$') {
            filled.push_str(literal);
            filled.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        filled.push_str(&rest[..at]);
        let Some((inside, after)) = rest[at + 2..].split_once('}') else {
            return Err(unfilled("has a `${` without its `}`"));
        };
        filled.push_str(&variable(inside, environment)?);
        from_environment = true;
        rest = after;
    }
    filled.push_str(rest);
    Ok(Filled {
        text: filled,
        from_environment,
    })
}

fn variable(inside: &str, environment: &dyn Environment) -> Result<String, Unfilled> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let letters = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !letters || name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
        return Err(unfilled(
            "has a `${…}` that does not name an environment variable",
        ));
    }
    // A shell would fill in the inner one. Here it would be a part of the default, letter by letter, and a key that
    // looks like one goes to a provider.
    if default.is_some_and(|default| default.contains("${")) {
        return Err(Unfilled {
            text: format!("has a `${{…}}` within the default of ${{{name}}}"),
            hint: "write a default that is a plain text; it is taken as it stands".to_owned(),
        });
    }
    match (environment.get(name), default) {
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, _) if environment.get_raw(name).is_some() => Err(Unfilled {
            text: format!("the environment variable {name} is not UTF-8"),
            hint: "set it to a text; a default is for one that is not set".to_owned(),
        }),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Unfilled {
            text: format!("the environment variable {name} is not set"),
            hint: format!("set it, or give a default with ${{{name}:-default}}"),
        }),
    }
}

fn unfilled(text: &str) -> Unfilled {
    Unfilled {
        text: text.to_owned(),
        hint: "write ${NAME} or ${NAME:-default}; a literal `${` is written `$${`".to_owned(),
    }
}

/// Whether a header field can carry a text as a credential: its value begins and ends with a visible character and
/// has no control characters (RFC 9110 §5.5).
pub(crate) fn sendable(text: &str) -> bool {
    text.trim() == text && !text.chars().any(char::is_control)
}

/// A file's content without the line break at its end.
///
/// # Errors
/// Words, without anything of the content: the file is missing, unreadable, too large, not UTF-8 or empty.
pub(crate) fn from_file(path: &Path) -> Result<Secret, String> {
    let bytes = read(path, LARGEST_SECRET)?;
    let mut text = String::from_utf8(bytes).map_err(|_| {
        let shown = path.display();
        format!("{shown} is not UTF-8 text")
    })?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    Ok(Secret::new(text))
}

/// A file's bytes, at most `most` of them.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    use std::io::Read as _;

    let shown = path.display();
    let wrong = |error: std::io::Error| format!("{shown} cannot be read: {error}");
    // Whoever opens a pipe waits for its other end, a daemon that reads it again too.
    if std::fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir()) {
        return Err(format!(
            "{shown} is a pipe, a socket or a device; it has to be a file"
        ));
    }
    let file = std::fs::File::open(path).map_err(wrong)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > most) {
        return Err(format!("{shown} is larger than {most} bytes"));
    }
    Ok(bytes)
}

//! The server that takes e-mails, as the configuration states it.

use std::{fmt, net::IpAddr, time::Duration};

use lettre::{
    AsyncSmtpTransport, Tokio1Executor,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
        extension::ClientId,
    },
};
use percent_encoding::percent_decode_str;
use rustls::{RootCertStore, pki_types::CertificateDer};

use crate::domain::Secret;

/// The ports of RFC 8314 §3.3 (implicit TLS), RFC 6409 §3.1 (submission) and RFC 5321 §4.5.4.2.
const IMPLICIT_PORT: u16 = 465;
const SUBMISSION_PORT: u16 = 587;
const PLAIN_PORT: u16 = 25;

/// The server that takes e-mails, and how it is reached.
#[derive(Clone)]
pub struct Smtp {
    host: String,
    port: u16,
    tls: Tls,
    credentials: Option<Credentials>,
}

/// Why a text is not taken as the server's address. It goes after "this URL" and has nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct WrongSmtp {
    /// What is wrong.
    pub words: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}

const LIKE: &str = "such as smtps://user:password@smtp.example.com:465, or smtp://user:password@smtp.example.com:587?tls=required; \
                    in user and password, every character but letters and digits as %XX";

impl Smtp {
    /// Reads `smtps://user:password@host:465`, `smtp://user:password@host:587?tls=required`, or, on this machine alone,
    /// `smtp://localhost:25`. The server's certificate is checked against what `roots` gives.
    ///
    /// # Errors
    /// It is something else, or its password would be sent in the clear.
    pub fn parse(
        url: &Secret,
        roots: impl FnOnce() -> Vec<CertificateDer<'static>>,
    ) -> Result<Self, WrongSmtp> {
        let wrong = |words| WrongSmtp { words, hint: LIKE };
        let text = url.expose();
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| wrong("is not the URL of a mail server"))?;
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (host, port) = host_and_port(host).ok_or_else(|| wrong("has no host and port"))?;
        let credentials = user
            .map(|user| credentials(user).ok_or_else(|| wrong("has no user and password")))
            .transpose()?;
        let (tls, usual) = match (scheme, query) {
            ("smtps", None) => (Tls::Wrapper(parameters(&host, roots)?), IMPLICIT_PORT),
            ("smtp", Some("tls=required")) => {
                (Tls::Required(parameters(&host, roots)?), SUBMISSION_PORT)
            }
            ("smtp", None) if is_local(&host) => (Tls::None, PLAIN_PORT),
            ("smtp", None | Some("tls=opportunistic")) => {
                let words = "would send mail, and its password, in the clear to another machine";
                let hint = "write smtps://, or add ?tls=required";
                return Err(WrongSmtp { words, hint });
            }
            _ => return Err(wrong("is not the URL of a mail server")),
        };
        Ok(Self {
            port: port.unwrap_or(usual),
            host,
            tls,
            credentials,
        })
    }

    /// A connection to be made; `name` is how we introduce ourselves.
    pub(super) fn transport(
        &self,
        name: &str,
        time: Duration,
    ) -> AsyncSmtpTransport<Tokio1Executor> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(self.port)
            .tls(self.tls.clone())
            .hello_name(ClientId::Domain(name.to_owned()))
            .timeout(Some(time));
        match &self.credentials {
            Some(credentials) => builder.credentials(credentials.clone()).build(),
            None => builder.build(),
        }
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if host.is_empty() || !host.bytes().all(known) {
        return None;
    }
    let port = match port {
        "" => None,
        port => Some(
            port.strip_prefix(':')?
                .parse()
                .ok()
                .filter(|port| *port != 0)?,
        ),
    };
    Some((host.to_owned(), port))
}

fn credentials(text: &str) -> Option<Credentials> {
    let (user, password) = text.split_once(':')?;
    let decoded = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .ok()
            .map(String::from)
    };
    Some(Credentials::new(decoded(user)?, decoded(password)?))
}

/// What is said to this machine is heard by nobody else.
fn is_local(host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    host.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback())
}

fn parameters(
    host: &str,
    roots: impl FnOnce() -> Vec<CertificateDer<'static>>,
) -> Result<TlsParameters, WrongSmtp> {
    let mut builder =
        TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::None);
    let mut known = RootCertStore::empty();
    for root in roots() {
        // One that cannot be read would spoil all of them.
        if known.add(root.clone()).is_ok()
            && let Ok(certificate) = Certificate::from_der(root.to_vec())
        {
            builder = builder.add_root_certificate(certificate);
        }
    }
    let hint = "install the package ca-certificates, or set SSL_CERT_FILE";
    let wrong = |words| WrongSmtp { words, hint };
    if known.is_empty() {
        return Err(wrong(
            "needs TLS, and this system trusts no certificate authority",
        ));
    }
    builder
        .build()
        .map_err(|_| wrong("needs TLS, which cannot be set up"))
}

#[cfg(test)]
mod tests;

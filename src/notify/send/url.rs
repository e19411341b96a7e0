//! The address of a webhook, as the configuration states it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use sha2::{Digest, Sha256};

use super::address::{is_listed, special};

/// Names that clouds answer their own machines' credentials under.
const METADATA: [&str; 4] = [
    "metadata.google.internal",
    "metadata.goog",
    "instance-data.ec2.internal",
    "metadata.azure.internal",
];

/// Endings of names that no public name server knows (RFC 6761, RFC 6762, RFC 8375, and what ICANN keeps free).
const LOCAL: [&str; 5] = ["localhost", "local", "internal", "home.arpa", "lan"];

/// Where a webhook is sent to.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    pub(super) secure: bool,
    pub(super) host: Host,
    pub(super) port: u16,
    /// As the `Host` field has it.
    pub(super) authority: String,
    /// Path and query, as the request line has them. The query may be a secret.
    pub(super) path: String,
    name: String,
}

/// Who is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// A name to be looked up.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// Why a text is not taken as a webhook's address. It goes after "this URL".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct WrongUrl {
    /// What is wrong; nothing of the URL but its host's address is repeated.
    pub words: String,
    /// What to do about it.
    pub hint: &'static str,
}

const LIKE: &str = "such as https://example.com/hooks";
const LIST: &str = "list its network in notifications.allow_private_targets if it is meant";

impl WebhookUrl {
    /// Reads a URL. What is not the public internet has to be in `allowed`, and `http://` is only for that.
    ///
    /// # Errors
    /// It is no URL, or one that must not be sent to, with words.
    pub fn parse(text: &str, allowed: &[IpNet]) -> Result<Self, WrongUrl> {
        let printable = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        if !text.bytes().all(printable) {
            return Err(wrong("has characters that a URL cannot have", LIKE));
        }
        if text.contains('#') {
            let hint = "leave out everything from # on";
            return Err(wrong("has a fragment, which is never sent", hint));
        }
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| wrong("does not begin with https://", LIKE))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(wrong("does not begin with https://", LIKE)),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            let hint = "leave out everything before the host; the signature says who sends";
            return Err(wrong("has a user or password in it", hint));
        }
        let (host, port) = host_and_port(authority)?;
        let port = port.unwrap_or(if secure { 443 } else { 80 });
        permitted(&host, secure, allowed)?;
        if dotted(path) {
            return Err(wrong("has a path with dot segments", LIKE));
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        let authority = authority.to_ascii_lowercase();
        let name = named(secure, &authority, slash, path);
        Ok(Self {
            secure,
            host,
            port,
            authority,
            path: format!("{slash}{path}"),
            name,
        })
    }

    /// The URL without its query, which may be a secret; two that differ only there end in different digits.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is reached over TLS.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn named(secure: bool, authority: &str, slash: &str, path: &str) -> String {
    let scheme = if secure { "https" } else { "http" };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut name = format!("{scheme}://{authority}{slash}{path}");
    if !query.is_empty() {
        let digest = Sha256::digest(query.as_bytes());
        name.push('#');
        for byte in digest.iter().take(4) {
            name.push_str(&format!("{byte:02x}"));
        }
    }
    name
}

fn wrong(words: impl Into<String>, hint: &'static str) -> WrongUrl {
    let words = words.into();
    WrongUrl { words, hint }
}

fn host_and_port(authority: &str) -> Result<(Host, Option<u16>), WrongUrl> {
    let no_host = || wrong("has no host that can be looked up", LIKE);
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inner, port) = rest.split_once(']').ok_or_else(no_host)?;
            let address: Ipv6Addr = inner.parse().map_err(|_| no_host())?;
            (Host::Address(address.into()), port)
        }
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            let (host, port) = authority.split_at(end);
            (name_or_address(host)?, port)
        }
    };
    if port.is_empty() {
        return Ok((host, None));
    }
    let digits = port.strip_prefix(':').unwrap_or_default();
    let number = digits.parse().ok().filter(|port: &u16| *port != 0);
    match number.filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(port) => Ok((host, Some(port))),
        None => {
            let words = "has a port that is not a number from 1 to 65535";
            Err(wrong(words, LIKE))
        }
    }
}

/// A host whose last part is a number is an address to every resolver, in forms that few people read: 127.1, 0x7f.1,
/// 2130706433 (WHATWG URL §3.5). Only the plain one is taken.
fn name_or_address(host: &str) -> Result<Host, WrongUrl> {
    let host = host.to_ascii_lowercase();
    let last = host.rsplit('.').next().unwrap_or_default();
    let number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    if number && !last.is_empty() {
        return match host.parse::<Ipv4Addr>() {
            Ok(address) => Ok(Host::Address(address.into())),
            Err(_) => {
                let words = "has an IP address in an ambiguous form";
                Err(wrong(words, "write four numbers from 0 to 255"))
            }
        };
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if host.len() <= 253 && host.split('.').all(label) {
        Ok(Host::Name(host))
    } else {
        Err(wrong("has no host that can be looked up", LIKE))
    }
}

fn permitted(host: &Host, secure: bool, allowed: &[IpNet]) -> Result<(), WrongUrl> {
    match host {
        Host::Address(address) if is_listed(*address, allowed) => return Ok(()),
        Host::Address(address) => {
            if let Some(word) = special(*address) {
                return Err(wrong(format!("leads to {address}, which is {word}"), LIST));
            }
        }
        Host::Name(name) if METADATA.contains(&name.as_str()) => {
            let hint = "name the receiver itself";
            return Err(wrong("is the metadata service of a cloud", hint));
        }
        Host::Name(name) => {
            let local = |ending: &&str| {
                name.strip_suffix(*ending)
                    .is_some_and(|before| before.is_empty() || before.ends_with('.'))
            };
            let private = !name.contains('.') || LOCAL.iter().any(local);
            if private && allowed.is_empty() {
                return Err(wrong("has a host that only a private network knows", LIST));
            }
        }
    }
    if !secure && (allowed.is_empty() || matches!(host, Host::Address(_))) {
        let hint =
            "write https://; http:// is only for networks in notifications.allow_private_targets";
        return Err(wrong("is sent without encryption", hint));
    }
    Ok(())
}

/// Whether a segment of the path is `.` or `..`, plainly or escaped.
fn dotted(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let plain = path.to_ascii_lowercase().replace("%2e", ".");
    plain
        .split('/')
        .any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests;

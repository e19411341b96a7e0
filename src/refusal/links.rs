//! Where people pay and read.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Code;
use crate::domain::AccountId;

/// Everything of a URL that RFC 3986 §2.3 does not call unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What RFC 3986 allows nowhere in a URL. Escaping it keeps a template inside `<…>` of a `Link` field.
const FORBIDDEN: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The part of a template that stands for the account.
const PLACE: &str = "{account}";

/// The addresses in refusals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    /// Our own public address, without a slash at its end.
    pub public_url: String,
    /// Where credit, a subscription or a better plan is bought; `{account}` stands for the account.
    pub pay_url: Option<String>,
    /// Where a payment method is changed; `{account}` stands for the account.
    pub portal_url: Option<String>,
}

/// A template with its account; written out where it is needed, without a string of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    template: &'a str,
    account: &'a str,
}

/// The URI of a problem type (RFC 9457 §3.1.1): the page that explains a code.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProblemUri<'a> {
    pub(super) links: &'a Links,
    pub(super) code: Code,
}

impl Links {
    /// The page to pay on.
    pub fn pay<'a>(&'a self, account: Option<&'a AccountId>) -> Option<Address<'a>> {
        self.pay_url
            .as_deref()
            .map(|template| Address::new(template, account))
    }

    /// The page to change a payment method on; the page to pay on where there is no other.
    pub fn portal<'a>(&'a self, account: Option<&'a AccountId>) -> Option<Address<'a>> {
        self.portal_url
            .as_deref()
            .or(self.pay_url.as_deref())
            .map(|template| Address::new(template, account))
    }

    /// The host, and port where there is one, of our own public address.
    pub(super) fn authority(&self) -> &str {
        let rest = self
            .public_url
            .split_once("://")
            .map_or(self.public_url.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }
}

impl<'a> Address<'a> {
    fn new(template: &'a str, account: Option<&'a AccountId>) -> Self {
        let account = account.map(AccountId::as_str).unwrap_or_default();
        Self { template, account }
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, piece) in self.template.split(PLACE).enumerate() {
            if index > 0 {
                write!(f, "{}", utf8_percent_encode(self.account, ESCAPED))?;
            }
            write!(f, "{}", utf8_percent_encode(piece, FORBIDDEN))?;
        }
        Ok(())
    }
}

impl serde::Serialize for Address<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for ProblemUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/problems/{}",
            self.links.public_url,
            self.code.as_str()
        )
    }
}

impl serde::Serialize for ProblemUri<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

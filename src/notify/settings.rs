//! Who is told, and when.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;

use super::{Pattern, SigningKey, Smtp, WebhookUrl};
use crate::{
    domain::{EmailAddress, NanoUsd, SubscriptionPolicy},
    refusal::Links,
};

/// How long one try may take, from the look-up of the name to the answer's head (Standard Webhooks: 15 to 30 s).
pub const TRY_TIME: Duration = Duration::from_secs(20);

/// Who is told, and when.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Receivers of signed messages.
    pub webhooks: Vec<Arc<Webhook>>,
    /// E-mail.
    pub email: Option<Arc<Email>>,
    /// When credit is low.
    pub low_credit: LowAt,
    /// How long before a renewal it is told; `None` tells none.
    pub renewal_notice: Option<Duration>,
    /// How long subscriptions that are overdue or ended still work.
    pub subscriptions: SubscriptionPolicy,
    /// Where people pay.
    pub links: Links,
    /// How long one try may take.
    pub try_time: Duration,
}

/// A receiver of signed messages.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where it is.
    pub url: WebhookUrl,
    /// What messages are signed with: the present secret, and others while it changes. Never empty.
    pub keys: Vec<SigningKey>,
    /// What it wants to know.
    pub events: Vec<Pattern>,
    /// The roots that its certificate is checked against.
    pub tls: Arc<rustls::ClientConfig>,
    /// Networks that are not the public internet and meant all the same.
    pub allowed: Vec<IpNet>,
}

/// Messages by e-mail.
#[derive(Debug, Clone)]
pub struct Email {
    /// The server that takes them.
    pub smtp: Smtp,
    /// Who they are from.
    pub from: Sender,
    /// Who gets all of them.
    pub to: Vec<EmailAddress>,
    /// Whether an account's own address gets what is about that account.
    pub accounts: bool,
}

/// The sender of an e-mail: an address, and a name where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The name.
    pub name: Option<String>,
    /// The address.
    pub address: EmailAddress,
}

/// When credit is low.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LowAt {
    /// At so many hundredths of the last top-up.
    Percent(u8),
    /// At this amount.
    Amount(NanoUsd),
}

impl Webhook {
    /// Whether it wants to know of `event`.
    pub(crate) fn wants(&self, event: super::Event) -> bool {
        self.events.iter().any(|pattern| pattern.wants(event))
    }
}

impl Sender {
    /// Reads `Faregate <billing@example.com>` or the address alone; `None` where it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |name: &str| !name.chars().any(|c| c.is_control() || "<>\"\\".contains(c));
        match text.trim().strip_suffix('>') {
            Some(text) => {
                let (name, address) = text.split_once('<')?;
                let name = name.trim().trim_matches('"');
                Some(Self {
                    name: (!name.is_empty()).then(|| name.to_owned()),
                    address: address.parse().ok()?,
                })
                .filter(|_| plain(name))
            }
            None => Some(Self {
                name: None,
                address: text.trim().parse().ok()?,
            }),
        }
    }
}

impl Settings {
    /// The names of everything that messages are queued for.
    pub(crate) fn targets(&self) -> Vec<String> {
        let webhooks = self
            .webhooks
            .iter()
            .map(|webhook| webhook.url.name().to_owned());
        let email = self
            .email
            .iter()
            .map(|_| crate::store::EMAIL_TARGET.to_owned());
        webhooks.chain(email).collect()
    }
}

#[cfg(test)]
mod tests;

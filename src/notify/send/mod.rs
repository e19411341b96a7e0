//! Getting one message to one receiver, once.

pub(super) mod address;
pub(super) mod email;
pub(super) mod letter;
pub(super) mod sign;
pub(super) mod smtp;
pub(super) mod url;
pub(super) mod webhook;

use std::time::Duration;

use serde_json::Value;

use super::Settings;
use crate::{
    domain::Timestamp,
    store::{EMAIL_TARGET, NotificationRow},
};

/// What one try came to. No error has a secret or the query of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tried {
    /// The receiver took it.
    Delivered,
    /// It may be tried again.
    Failed {
        /// What went wrong.
        error: String,
        /// How long the receiver asks to be left alone.
        wait: Option<Duration>,
    },
    /// The receiver will never take this one.
    Refused {
        /// What it said.
        error: String,
    },
    /// The receiver wants nothing any more.
    Gone {
        /// What it said.
        error: String,
    },
}

impl Tried {
    pub(super) fn failed(error: impl Into<String>) -> Self {
        Self::Failed {
            error: error.into(),
            wait: None,
        }
    }
}

/// The body of a message, where it still is one: what somebody has damaged in the store is not sent.
fn body(row: &NotificationRow) -> Result<Value, String> {
    match serde_json::from_str::<Value>(&row.body) {
        Ok(body) if body["type"].is_string() => Ok(body),
        Ok(_) => Err("its body in the store is damaged: it has no type".to_owned()),
        Err(error) => Err(format!("its body in the store is damaged: {error}")),
    }
}

/// Sends a message that is at its turn, at `now`.
pub(super) async fn send(settings: &Settings, row: &NotificationRow, now: Timestamp) -> Tried {
    let trying = async {
        if row.target == EMAIL_TARGET {
            return match &settings.email {
                Some(email) => email::send(email, row, settings.try_time).await,
                None => Tried::failed("the configuration has no e-mail any more"),
            };
        }
        let webhook = settings
            .webhooks
            .iter()
            .find(|webhook| webhook.url.name() == row.target);
        match webhook {
            Some(webhook) => webhook::send(webhook, row, now).await,
            None => Tried::failed("the configuration has no such webhook any more"),
        }
    };
    tokio::time::timeout(settings.try_time, trying)
        .await
        .unwrap_or_else(|_| Tried::failed(format!("no answer within {:?}", settings.try_time)))
}

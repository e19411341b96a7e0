//! What people are told: the queue of messages, and what was told already.

mod rows;

pub(super) use rows::delete_old;

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

use crate::domain::{AccountId, InvalidRequestId, KeyId, RequestId, Timestamp};

use super::{
    Store,
    calls::{Cursor, Page},
    handle::WriteError,
    reader::{ReadError, Reader},
};

/// The target of messages that go out by e-mail; all others are URLs.
pub const EMAIL_TARGET: &str = "email";

/// The name of one message. It stays the same however often the message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotificationId(pub(super) RequestId);

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    /// Its name.
    pub id: NotificationId,
    /// The type of its event.
    pub event: &'static str,
    /// Who it is about.
    pub account: Option<AccountId>,
    /// Which key it is about.
    pub key: Option<KeyId>,
    /// A webhook's URL without its query, or [`EMAIL_TARGET`].
    pub target: String,
    /// The address of an e-mail.
    pub recipient: Option<String>,
    /// JSON, sent as it is.
    pub body: String,
}

/// What was told last about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The thing.
    pub slot: String,
    /// Which one of its kind: the start of a window, the end of a trial.
    pub at: i64,
    /// How far it had come.
    pub level: i64,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationStatus {
    /// It is sent, now or again later.
    Pending,
    /// Its receiver has it.
    Delivered,
    /// Its tries are used up, or nobody is there to send it to.
    Failed,
    /// Its target has said that it wants nothing any more.
    Disabled,
}

/// A message as it is stored. Its JSON is the row of lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotificationRow {
    /// Its name.
    pub id: NotificationId,
    /// The type of its event.
    #[serde(rename = "type")]
    pub event: String,
    /// Who it is about.
    pub account: Option<String>,
    /// Which key it is about.
    pub key: Option<String>,
    /// A webhook's URL without its query, or [`EMAIL_TARGET`].
    pub target: String,
    /// The address of an e-mail.
    pub recipient: Option<String>,
    /// What became of it.
    pub status: NotificationStatus,
    /// Tries that were made.
    pub attempts: u32,
    /// When it is tried next, while it is pending.
    pub next_at: Option<Timestamp>,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was delivered or given up.
    pub finished_at: Option<Timestamp>,
    /// JSON, sent as it is.
    #[serde(serialize_with = "as_json")]
    pub body: String,
}

/// Which messages are asked for. Everything that is said must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationFilter {
    /// Of this status.
    pub status: Option<NotificationStatus>,
    /// About this account.
    pub account: Option<AccountId>,
    /// How many at most; 1 to [`super::LONGEST_PAGE`], anything else is moved to the nearer end.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
}

/// What there is to send.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DueNotifications {
    /// Those whose time has come, oldest first for each target.
    pub rows: Vec<NotificationRow>,
    /// When the next one's time comes.
    pub next: Option<Timestamp>,
    /// How many are pending altogether.
    pub pending: u64,
    /// Those whose time has come, and that cannot be read.
    pub damaged: Vec<DamagedNotification>,
}

/// A message whose row has something that this version does not write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedNotification {
    /// Its name as it stands, which may be no text.
    pub id: Vec<u8>,
    /// What is wrong with it.
    pub words: String,
}

/// What a try led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempted {
    /// The receiver took it.
    Delivered,
    /// It is tried again.
    Again {
        /// When.
        at: Timestamp,
        /// What went wrong.
        error: String,
    },
    /// It is given up.
    Failed {
        /// What went wrong.
        error: String,
    },
    /// It is given up, and so is everything else for its target.
    TargetGone {
        /// What it said.
        error: String,
    },
}

impl Store {
    /// Everything that was told so far.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn notification_marks(&self) -> Result<Vec<Mark>, ReadError> {
        self.read(rows::marks).await
    }

    /// Puts messages in the queue and notes what they tell, all or nothing. Messages for a target that is gone are
    /// kept, and not sent.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn enqueue_notifications(
        &self,
        messages: Vec<NewNotification>,
        marks: Vec<Mark>,
    ) -> Result<(), WriteError> {
        let now = self.now();
        self.change(move |transaction| Ok(rows::enqueue(transaction, &messages, &marks, now)?))
            .await
    }

    /// What there is to send to `targets` at `now`, at most `most` for each.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn due_notifications(
        &self,
        targets: Vec<String>,
        most: usize,
        now: Timestamp,
    ) -> Result<DueNotifications, ReadError> {
        self.read(move |connection| rows::due(connection, &targets, most, now))
            .await
    }

    /// Notes what a try led to that was `due` then. Where somebody has asked for the message again since, a try that did
    /// not get it there changes nothing of that.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn attempted_notification(
        &self,
        id: NotificationId,
        due: Option<Timestamp>,
        attempted: Attempted,
    ) -> Result<(), WriteError> {
        let now = self.now();
        self.change(move |transaction| Ok(rows::attempted(transaction, id, due, &attempted, now)?))
            .await
    }

    /// Gives up messages that cannot be read; how many there were.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn set_notifications_aside(
        &self,
        damaged: Vec<DamagedNotification>,
    ) -> Result<usize, WriteError> {
        let now = self.now();
        self.change(move |transaction| Ok(rows::set_aside(transaction, &damaged, now)?))
            .await
    }

    /// Gives up every pending message whose target is not among these.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn keep_notification_targets(&self, targets: Vec<String>) -> Result<(), WriteError> {
        let now = self.now();
        self.change(move |transaction| Ok(rows::keep_targets(transaction, &targets, now)?))
            .await
    }

    /// Has a message sent again from the start of its schedule, and its target with it when that was gone. One that was
    /// delivered stays as it is. The row as it is then; `None` when there is none.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn retry_notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<NotificationRow>, WriteError> {
        let now = self.now();
        self.change(move |transaction| rows::retry(transaction, id, now))
            .await
    }

    /// A page of messages, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn notifications(
        &self,
        filter: NotificationFilter,
    ) -> Result<Page<NotificationRow>, ReadError> {
        self.read(move |connection| rows::page(connection, &filter))
            .await
    }
}

impl Reader {
    /// A page of messages, newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn notifications(
        &self,
        filter: &NotificationFilter,
    ) -> Result<Page<NotificationRow>, ReadError> {
        self.look(|connection| rows::page(connection, filter))
    }
}

impl NotificationStatus {
    /// Every status, in the order of a message's life.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Failed, Self::Disabled];

    /// The word in lists and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl Serialize for NotificationStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Default for NotificationFilter {
    /// The newest hundred of all messages.
    fn default() -> Self {
        Self {
            status: None,
            account: None,
            limit: 100,
            cursor: None,
        }
    }
}

impl NotificationId {
    /// A new name for a message made at `now`.
    ///
    /// # Panics
    /// The kernel has no random bytes to give.
    pub fn new(now: Timestamp) -> Self {
        Self(RequestId::new(now))
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "msg_{}", self.0)
    }
}

impl FromStr for NotificationId {
    type Err = InvalidRequestId;

    /// Reads a UUID with `msg_` before it.
    fn from_str(text: &str) -> Result<Self, InvalidRequestId> {
        let id = text.strip_prefix("msg_").ok_or(InvalidRequestId)?;
        id.parse().map(Self)
    }
}

impl Serialize for NotificationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A body as the JSON it is; as a text where somebody has edited it so that it is none.
fn as_json<S: Serializer>(body: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match serde_json::from_str::<serde_json::Value>(body) {
        Ok(value) => value.serialize(serializer),
        Err(_) => serializer.serialize_str(body),
    }
}

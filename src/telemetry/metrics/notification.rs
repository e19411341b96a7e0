//! What came of a try to send a message.

/// What came of a try to send a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationResult {
    /// Its receiver has it.
    Delivered,
    /// It will be tried again.
    Retried,
    /// It was given up.
    Failed,
    /// Its target wants nothing any more.
    Disabled,
}

impl NotificationResult {
    /// Every result, in the order of their numbers.
    pub(super) const ALL: [Self; 4] =
        [Self::Delivered, Self::Retried, Self::Failed, Self::Disabled];

    /// The word in the label.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retried => "retried",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
        }
    }
}

//! What the process tells whoever started it.

use std::process::ExitCode;

/// How a command ended; scripts branch on the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: it was done.
    Done,
    /// 1: it was not done, for a reason that the message names.
    Failed,
    /// 2: the command line was wrong.
    Usage,
    /// 69: an address or the store is not available (`EX_UNAVAILABLE` of sysexits.h).
    Unavailable,
    /// 78: the configuration is wrong (`EX_CONFIG` of sysexits.h).
    Configuration,
}

impl Exit {
    /// The number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unavailable => 69,
            Self::Configuration => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.number().into()
    }
}

/// Why a command was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The number the process ends with.
    pub exit: Exit,
    /// What happened and what to do next; without a full stop where the source has none. Empty where the result said
    /// it.
    pub message: String,
}

impl Failure {
    /// A failure with its words.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// It was not done.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// An address or the store is not available.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Exit::Unavailable, message)
    }
}

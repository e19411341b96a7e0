//! `faregate notifications …`.

use clap::{Subcommand, builder::PossibleValuesParser};

use crate::store::NotificationStatus;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum NotificationsCommand {
    /// List notifications, newest first
    #[command(after_help = "Examples:\n  \
        faregate notifications list\n  \
        faregate notifications list --status failed --json")]
    List {
        /// Only notifications with this status
        #[arg(long, value_name = "STATUS", value_parser = statuses())]
        status: Option<String>,
        /// Only notifications about this account
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send a notification again that failed or still waits
    #[command(
        after_help = "Example:\n  faregate notifications retry msg_019aa8f5-0b6e-7cc1-a6b0-6f1a1c2d3e4f\n\n\
                      A webhook that was disabled because it answered 410 Gone is used again."
    )]
    Retry {
        /// The notification
        #[arg(value_name = "ID")]
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send a test message to every recipient that is configured
    #[command(after_help = "Example:\n  faregate notifications test\n\n\
                            `faregate notifications list` shows what became of it.")]
    Test {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

fn statuses() -> PossibleValuesParser {
    PossibleValuesParser::new(NotificationStatus::ALL.map(NotificationStatus::as_str))
}

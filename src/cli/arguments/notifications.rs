//! `faregate notifications …`.

use clap::{Subcommand, builder::PossibleValuesParser};

use crate::store::NotificationStatus;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum NotificationsCommand {
    /// List messages, newest first
    #[command(after_help = "Examples:\n  \
        faregate notifications list\n  \
        faregate notifications list --status failed --json")]
    List {
        /// Only messages of this status
        #[arg(long, value_name = "STATUS", value_parser = statuses())]
        status: Option<String>,
        /// Only messages about this account
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send a message again that was given up or still waits
    #[command(
        after_help = "Example:\n  faregate notifications retry msg_019aa8f5-0b6e-7cc1-a6b0-6f1a1c2d3e4f\n\n\
                      A webhook that had answered 410 Gone is sent to again."
    )]
    Retry {
        /// The message
        #[arg(value_name = "ID")]
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send a test message to everybody who is told anything
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

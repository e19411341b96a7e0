//! `faregate webhooks …`.

use clap::{Subcommand, builder::PossibleValuesParser};

use crate::{domain::Vendor, store::EventStatus};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum WebhooksCommand {
    /// List payment events, newest first
    #[command(after_help = "Examples:\n  \
        faregate webhooks list --status parked\n  \
        faregate webhooks list --account acme --json\n\n\
        applied: what the event says is in force. ignored: it changes nothing. parked: it waits for another \
        event or for you; WHY says for what. failed: it could not be read or posted.")]
    List {
        /// Only events with this status
        #[arg(long, value_name = "STATUS", value_parser = PossibleValuesParser::new(
            EventStatus::ALL.map(EventStatus::as_str)))]
        status: Option<String>,
        /// Only events of this payment provider
        #[arg(long, value_name = "PROVIDER", value_parser = PossibleValuesParser::new(
            Vendor::ALL.map(Vendor::as_str)))]
        vendor: Option<String>,
        /// Only events about this account
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// How many, newest first
        #[arg(long, value_name = "NUMBER", default_value_t = 100,
            value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Process a payment event again that was parked or failed
    #[command(
        after_help = "Example:\n  faregate webhooks replay stripe:evt_1SqNJXHrIm3tRwvj\n\n\
        An event that was applied is not applied again. Exits with 0 when the event is applied, with 1 \
        when it still waits."
    )]
    Replay {
        /// The event, by the id that `webhooks list` or the payment provider shows
        #[arg(value_name = "EVENT")]
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

//! `faregate webhooks …`.

use clap::{Args, Subcommand, builder::PossibleValuesParser};

use super::read;
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
            value_parser = read::number::<u16>(1..=1000))]
        limit: u16,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Process a payment event again that was parked or failed, or whose price has got a plan since
    #[command(
        after_help = "Example:\n  faregate webhooks replay stripe:evt_1SqNJXHrIm3tRwvj\n\n\
        Credit is never added twice. A subscription is read by the configuration as it is now: a price that \
        has got a plan since counts. Exits with 0 when the event is applied, with 1 \
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
    /// List payment providers' customers, and whose they are
    #[command(after_help = "Examples:\n  \
        faregate webhooks customers --account acme\n\n\
        Customers that the configuration file names are not listed.")]
    Customers {
        /// Only customers of this account
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Only customers of this payment provider
        #[arg(long, value_name = "PROVIDER", value_parser = PossibleValuesParser::new(
            Vendor::ALL.map(Vendor::as_str)))]
        vendor: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say whose a payment provider's customer is, also when it was linked to another account
    #[command(
        after_help = "Example:\n  faregate webhooks link stripe cus_RkXb1 acme\n\n\
        The customer's subscriptions become the account's at once, and events that have waited for it are applied. \
        Credit stays where it was credited, and a refund of it is taken from there."
    )]
    Link {
        #[command(flatten)]
        customer: CustomerFlags,
        /// The account
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a payment provider's customer from its account; its next events wait until it is linked again
    #[command(
        after_help = "Example:\n  faregate webhooks unlink stripe cus_RkXb1\n\n\
        The customer's subscriptions are no longer the account's. Credit stays where it was credited."
    )]
    Unlink {
        #[command(flatten)]
        customer: CustomerFlags,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CustomerFlags {
    /// The payment provider
    #[arg(value_name = "PROVIDER", value_parser = PossibleValuesParser::new(
        Vendor::ALL.map(Vendor::as_str)))]
    pub(in crate::cli) vendor: String,
    /// The customer, by the payment provider's id
    #[arg(value_name = "CUSTOMER")]
    pub(in crate::cli) customer: String,
}

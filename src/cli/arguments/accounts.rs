//! `faregate accounts …`.

use clap::{Args, Subcommand, builder::PossibleValuesParser};

use super::{LimitFlags, read};
use crate::domain::{SubscriptionStatus, Timestamp};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AccountsCommand {
    /// Create an account
    #[command(after_help = "Examples:\n  \
        faregate accounts create acme --plan pro --email billing@acme.example\n  \
        faregate accounts create acme --plan pro --subscription active --quota requests=1000/month")]
    Create(CreateAccount),
    /// List accounts
    #[command(after_help = "Example:\n  faregate accounts list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show an account and its keys
    #[command(after_help = "Example:\n  faregate accounts show acme")]
    Show {
        /// The account
        #[arg(value_name = "ID")]
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Move an account to another plan; what it has used stays
    #[command(after_help = "Example:\n  faregate accounts set-plan acme pro")]
    SetPlan {
        /// The account
        #[arg(value_name = "ID")]
        id: String,
        /// The plan, which the configuration declares
        #[arg(value_name = "PLAN")]
        plan: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set an account's subscription; it replaces the one before as a whole
    #[command(after_help = "Examples:\n  \
        faregate accounts set-subscription acme --status active \\\n      \
            --current-period-start 2026-11-20 --current-period-end 2026-12-20\n  \
        faregate accounts set-subscription acme --status past_due\n  \
        faregate accounts set-subscription acme --none\n\n\
        past_due without --past-due-since counts the grace period from now.")]
    SetSubscription(SetSubscription),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CreateAccount {
    /// The account's name
    #[arg(value_name = "ID")]
    pub(in crate::cli) id: String,
    /// Its plan, which the configuration declares
    #[arg(long, value_name = "PLAN")]
    pub(in crate::cli) plan: String,
    /// The status of its subscription [default: none]
    #[arg(long, value_name = "STATUS", value_parser = statuses())]
    pub(in crate::cli) subscription: Option<String>,
    /// Where e-mail about the account is sent
    #[arg(long, value_name = "ADDRESS")]
    pub(in crate::cli) email: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) limits: LimitFlags,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SetSubscription {
    /// The account
    #[arg(value_name = "ID")]
    pub(in crate::cli) id: String,
    /// Its status
    #[arg(long, value_name = "STATUS", value_parser = statuses(), required_unless_present = "none")]
    pub(in crate::cli) status: Option<String>,
    /// Remove the subscription
    #[arg(long, conflicts_with_all = [
        "status", "current_period_start", "current_period_end", "past_due_since", "trial_end",
        "cancel_at", "cancel_at_period_end", "ends_at",
    ])]
    pub(in crate::cli) none: bool,
    /// When the billing period began
    #[arg(long, value_name = "TIME", value_parser = read::instant, requires = "current_period_end")]
    pub(in crate::cli) current_period_start: Option<Timestamp>,
    /// When the billing period ends
    #[arg(long, value_name = "TIME", value_parser = read::instant)]
    pub(in crate::cli) current_period_end: Option<Timestamp>,
    /// Since when a payment has been due
    #[arg(long, value_name = "TIME", value_parser = read::instant)]
    pub(in crate::cli) past_due_since: Option<Timestamp>,
    /// When the trial ends
    #[arg(long, value_name = "TIME", value_parser = read::instant)]
    pub(in crate::cli) trial_end: Option<Timestamp>,
    /// When it will be canceled
    #[arg(long, value_name = "TIME", value_parser = read::instant)]
    pub(in crate::cli) cancel_at: Option<Timestamp>,
    /// It ends with the billing period
    #[arg(long)]
    pub(in crate::cli) cancel_at_period_end: bool,
    /// When it ends, whatever else is said
    #[arg(long, value_name = "TIME", value_parser = read::instant)]
    pub(in crate::cli) ends_at: Option<Timestamp>,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

fn statuses() -> PossibleValuesParser {
    PossibleValuesParser::new(SubscriptionStatus::ALL.map(SubscriptionStatus::as_str))
}

//! What can be said on the command line, and its help.

mod accounts;
mod backup;
mod credit;
mod daemon;
mod explain;
mod keys;
mod ledger;
mod notifications;
mod prices;
mod prove;
pub(super) mod read;
mod usage;
mod webhooks;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(super) use accounts::{AccountsCommand, CreateAccount, SetSubscription};
pub(super) use backup::BackupFlags;
pub(super) use credit::{AddCredit, CreditCommand, EntryFlags, TransferCredit};
pub(super) use daemon::Simulate;
pub(super) use explain::ExplainFlags;
pub(super) use keys::{CreateKey, KeysCommand, LimitFlags};
pub(super) use ledger::{ExportFlags, LedgerCommand};
pub(super) use notifications::NotificationsCommand;
pub(super) use prices::PricesFlags;
pub(super) use prove::ProveFlags;
pub(super) use usage::UsageFlags;
pub(super) use webhooks::{CustomerFlags, WebhooksCommand};

/// An API gateway for AI APIs that knows who pays.
#[derive(Debug, Parser)]
#[command(
    name = "faregate",
    version,
    max_term_width = 100,
    after_help = "The configuration is --config, else $FAREGATE_CONFIG, else ./faregate.yaml, else \
                  /etc/faregate/faregate.yaml.\n\n\
                  Exit codes: 0 done, 1 failed, 2 wrong usage, 69 address or store unavailable, \
                  78 wrong configuration."
)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, short, global = true, value_name = "FILE", display_order = 900)]
    pub(super) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the gateway until SIGTERM or SIGINT
    #[command(
        after_help = "Example:\n  faregate serve --config config/quickstart.yaml\n\n\
                      The configuration is read again when its file changes, and on SIGHUP; one with a \
                      mistake is reported, and the old one stays in force. RUST_LOG sets the log levels, such as RUST_LOG=info,faregate=debug."
    )]
    Serve,
    /// Check the configuration and report everything that is wrong with it
    #[command(
        after_help = "Examples:\n  faregate check --config faregate.yaml\n  faregate check --json\n\n\
                      Exits with 0 when a daemon could start with it, with 78 when not.\n\n\
                      --json prints one object to standard output in both cases: {\"valid\": true or false, \
                      \"problems\": [...], \"warnings\": [...]}. Each problem and warning has file, line, column, \
                      path, message and hint; null or an empty path where there is none. Warnings are those of a \
                      valid file."
    )]
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON schema of the configuration
    #[command(after_help = "Example:\n  faregate schema > faregate.schema.json")]
    Schema,
    /// Create, list, revoke and rotate API keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Create, list and change accounts
    #[command(subcommand)]
    Accounts(AccountsCommand),
    /// Add, list and transfer prepaid credit
    #[command(subcommand)]
    Credit(CreditCommand),
    /// Verify and export calls and credit entries
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Copy the store; a daemon may be running
    Backup(BackupFlags),
    /// Show what models cost, and where each figure comes from
    Prices(PricesFlags),
    /// List and replay payment providers' events, and link their customers to accounts
    #[command(subcommand)]
    Webhooks(WebhooksCommand),
    /// Show usage and its cost
    Usage(UsageFlags),
    /// Explain one call: its checks, its hold, its price and what it was charged
    Explain(ExplainFlags),
    /// List, resend and test notifications
    #[command(subcommand)]
    Notifications(NotificationsCommand),
    /// Prove on this machine that limits hold and that nothing is lost
    Prove(ProveFlags),
    /// Ask a running daemon whether it is ready
    #[command(
        after_help = "Example, in a container:\n  HEALTHCHECK CMD [\"/faregate\", \"health\"]\n\n\
                            Exits with 0 when the daemon is ready, with 1 when it is not or does not \
                            answer\nwithin 3 seconds."
    )]
    Health,
    /// Serve a simulated provider, which speaks OpenAI's and Anthropic's formats and costs nothing
    Simulate(Simulate),
}

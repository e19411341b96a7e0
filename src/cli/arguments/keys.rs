//! `faregate keys …`.

use std::time::Duration;

use clap::{Args, Subcommand};
use ipnet::IpNet;
use serde_json::Value;

use super::read;
use crate::domain::{self, Timestamp};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KeysCommand {
    /// Create a key and print it, once
    #[command(after_help = "Examples:\n  \
        faregate keys create --account acme --id acme-ci\n  \
        faregate keys create --account acme --expires-at 2027-01-01 --model gpt-4o-mini \\\n      \
            --allowed-ip 10.0.0.0/8 --requests-per-minute 60 --quota tokens=100000/day\n  \
        KEY=$(faregate keys create --account acme)\n\n\
        The key goes to standard output, everything else to standard error. Only its digest is kept.")]
    Create(CreateKey),
    /// List keys
    #[command(after_help = "Example:\n  faregate keys list --account acme --json")]
    List {
        /// Only keys of this account
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key for good
    #[command(after_help = "Example:\n  faregate keys revoke acme-ci")]
    Revoke {
        /// The key
        #[arg(value_name = "ID")]
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a key a new secret; its id, counters and limits stay
    #[command(after_help = "Examples:\n  \
        faregate keys rotate acme-ci\n  \
        faregate keys rotate acme-ci --overlap 0     # the old secret has leaked")]
    Rotate {
        /// The key
        #[arg(value_name = "ID")]
        id: String,
        /// How long the old secret still works
        #[arg(long, default_value = "24h", value_name = "TIME", value_parser = read::overlap)]
        overlap: Duration,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CreateKey {
    /// The account that pays
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) account: String,
    /// The key's name [default: a generated one]
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) id: Option<String>,
    /// When it expires
    #[arg(long, value_name = "TIME", value_parser = read::instant)]
    pub(in crate::cli) expires_at: Option<Timestamp>,
    /// An address or network it may be used from; may be repeated
    #[arg(long = "allowed-ip", value_name = "CIDR", value_parser = network)]
    pub(in crate::cli) allowed_ips: Vec<IpNet>,
    #[command(flatten)]
    pub(in crate::cli) limits: LimitFlags,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// As in the file.
const MOST_TOKENS: u64 = i64::MAX as u64;

/// What an account or key may be limited to.
#[derive(Debug, Args, Default)]
pub(in crate::cli) struct LimitFlags {
    /// A model it may use; may be repeated [default: all of the plan's]
    #[arg(long = "model", value_name = "NAME")]
    pub(in crate::cli) models: Vec<String>,
    /// Requests per minute
    #[arg(long, value_name = "N", value_parser = read::number(1..=u32::MAX))]
    pub(in crate::cli) requests_per_minute: Option<u32>,
    /// Tokens per minute
    #[arg(long, value_name = "N", value_parser = read::number(1..=MOST_TOKENS))]
    pub(in crate::cli) tokens_per_minute: Option<u64>,
    /// Requests at the same time
    #[arg(long, value_name = "N", value_parser = read::number(1..=u32::MAX))]
    pub(in crate::cli) concurrent_requests: Option<u32>,
    /// Requests or tokens per window, such as tokens=100000/day; may be repeated
    #[arg(long = "quota", value_name = "UNIT=N/WINDOW", value_parser = read::quota)]
    pub(in crate::cli) quotas: Vec<Value>,
    /// US dollars per window, such as 25/month; may be repeated
    #[arg(long = "budget", value_name = "USD/WINDOW", value_parser = read::budget)]
    pub(in crate::cli) budgets: Vec<Value>,
}

fn network(text: &str) -> Result<IpNet, String> {
    domain::network(text)
        .ok_or_else(|| "write an address or a network such as 10.0.0.0/8".to_owned())
}

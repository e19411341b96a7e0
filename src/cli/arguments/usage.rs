//! `faregate usage`.

use clap::{Args, builder::PossibleValuesParser};

use super::read::{self, Moment};
use crate::store::GroupBy;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faregate usage\n  \
    faregate usage --account acme --by model --since 7d\n  \
    faregate usage --by outcome --since 2026-11-01 --until 2026-12-01 --csv")]
pub(in crate::cli) struct UsageFlags {
    /// Only this account
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) account: Option<String>,
    /// Only this key
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) key: Option<String>,
    /// Only this model
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) model: Option<String>,
    /// What to sum up by
    #[arg(long, value_name = "WHAT", default_value = "day",
        value_parser = PossibleValuesParser::new(GroupBy::ALL.map(GroupBy::as_str)))]
    pub(in crate::cli) by: String,
    /// From then on: an instant, a day, or how long ago, such as 7d
    #[arg(long, value_name = "TIME", value_parser = read::moment)]
    pub(in crate::cli) since: Option<Moment>,
    /// Before then
    #[arg(long, value_name = "TIME", value_parser = read::moment)]
    pub(in crate::cli) until: Option<Moment>,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    pub(in crate::cli) csv: bool,
}

//! `faregate prices`.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faregate prices\n  \
    faregate prices --model gpt-4o-mini --plan pay_as_you_go\n  \
    faregate prices --json\n\n\
    Reads the configuration and no store. Prices are in US dollars, per million tokens and per unit of \
    everything else. Versions that are no longer in force are left out.")]
pub(in crate::cli) struct PricesFlags {
    /// Only this model
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) model: Option<String>,
    /// What this plan pays, with its price_factor
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) plan: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

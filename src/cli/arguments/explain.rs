//! `faregate explain`.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    faregate explain 01932d3a-0000-7000-8000-000000000001\n\n\
    The id is the x-request-id of the answer. A request that was refused has no record: its line in\n\
    the access log has the status and the code, and the answer itself said why.")]
pub(in crate::cli) struct ExplainFlags {
    /// The x-request-id of the answer
    #[arg(value_name = "REQUEST_ID")]
    pub(in crate::cli) request_id: String,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

//! `faregate credit …`.

use clap::{Args, Subcommand, builder::PossibleValuesParser};

use super::read;
use crate::{
    admin::POSTABLE,
    domain::{NanoUsd, Timestamp},
    store::EntryKind,
};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CreditCommand {
    /// Add credit to an account, or take some away; it is in force for the next request
    #[command(after_help = "Examples:\n  \
        faregate credit add acme 25.00 --reason \"invoice 2026-117\" --id invoice-2026-117\n  \
        faregate credit add acme 5 --kind grant --expires 2027-01-01 --priority 10\n  \
        faregate credit add acme -3.50 --kind adjustment --reason \"counted twice\"\n\n\
        Entries are never changed. With an --id, the same command can be repeated without \
        adding twice.")]
    Add(AddCredit),
    /// Show the credit of an account: its balance, its lots and its latest entries
    #[command(after_help = "Example:\n  faregate credit list acme")]
    List {
        /// The account
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// How many entries, newest first
        #[arg(long, value_name = "NUMBER", default_value_t = 20,
            value_parser = read::number::<u16>(1..=1000))]
        limit: u16,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Move credit that no call holds from one account to another
    #[command(after_help = "Example:\n  faregate credit transfer acme globex 10.00")]
    Transfer(TransferCredit),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AddCredit {
    /// The account
    #[arg(value_name = "ACCOUNT")]
    pub(in crate::cli) account: String,
    /// US dollars, exactly; a negative amount takes credit that no call holds
    #[arg(value_name = "AMOUNT", allow_negative_numbers = true, value_parser = read::amount)]
    pub(in crate::cli) amount: NanoUsd,
    /// The kind of entry
    #[arg(long, value_name = "KIND", default_value = "top_up",
        value_parser = PossibleValuesParser::new(POSTABLE.map(EntryKind::as_str)))]
    pub(in crate::cli) kind: String,
    #[command(flatten)]
    pub(in crate::cli) words: EntryFlags,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TransferCredit {
    /// The account that gives
    #[arg(value_name = "FROM")]
    pub(in crate::cli) from: String,
    /// The account that gets
    #[arg(value_name = "TO")]
    pub(in crate::cli) to: String,
    /// US dollars, exactly
    #[arg(value_name = "AMOUNT", allow_negative_numbers = true, value_parser = read::amount)]
    pub(in crate::cli) amount: NanoUsd,
    #[command(flatten)]
    pub(in crate::cli) words: EntryFlags,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct EntryFlags {
    /// The reason, in words
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
    /// An id of your own; nothing is posted twice with the same one
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) id: Option<String>,
    /// When what is left of it expires [default: never]
    #[arg(long, value_name = "TIME", value_parser = read::instant)]
    pub(in crate::cli) expires: Option<Timestamp>,
    /// 0 to 100; credit with a lower number is spent first [default: 50]
    #[arg(long, value_name = "NUMBER", value_parser = read::number::<u8>(0..=100))]
    pub(in crate::cli) priority: Option<u8>,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

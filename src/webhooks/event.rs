//! What an event says, in one vocabulary for all vendors.

use super::{Endpoint, Fact, Settings, Verified, lemonsqueezy, paddle, standard, stripe};
use crate::domain::{Timestamp, Vendor};

/// An event of a vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentEvent {
    /// Its id, behind the vendor's word: `stripe:evt_…`. The same event has the same id however often it is sent.
    pub id: String,
    /// Whose.
    pub vendor: Vendor,
    /// The vendor's word for what happened.
    pub kind: String,
    /// When the vendor says that it happened.
    pub created: Timestamp,
    /// Whom it names.
    pub party: Party,
    /// What follows.
    pub news: News,
}

/// Whom an event names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// The vendor's id of the customer.
    pub customer: Option<String>,
    /// Our account, where whoever made the order has written it there.
    pub account: Option<String>,
    /// Whether whoever pays may have written the account there.
    pub claimed: bool,
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A fact about an object: its id, behind the vendor's word.
    Fact {
        /// Which object.
        object: String,
        /// What is the case.
        fact: Fact,
        /// What a person should know besides.
        remark: Option<String>,
    },
    /// The customer belongs to the account, and nothing else.
    Link,
    /// Nothing; why.
    Ignored(String),
    /// Nothing before a person has looked; why.
    Parked(String),
}

/// A signed body that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Illegible {
    /// It is not JSON, or has no id by which it could be kept.
    #[error("{0}")]
    Nameless(String),
    /// It has an id, and something else is not as the vendor describes it.
    #[error("{words}")]
    Odd {
        /// The id, behind the vendor's word.
        id: String,
        /// The vendor's word for what happened, where there is one.
        kind: String,
        /// What is not as it should be.
        words: String,
    },
}

/// Reads an event that its vendor has signed.
///
/// # Errors
/// The body is not what the vendor describes.
pub fn read(verified: &Verified<'_>, settings: &Settings) -> Result<PaymentEvent, Illegible> {
    let endpoint = settings.endpoint(verified.vendor());
    match verified.vendor() {
        Vendor::Stripe => stripe::read(verified, endpoint),
        Vendor::Paddle => paddle::read(verified, endpoint),
        Vendor::LemonSqueezy => lemonsqueezy::read(verified, endpoint),
        Vendor::Standard => standard::read(verified, endpoint),
    }
}

/// Why an event waits that is not of the mode that the file takes; `live` is what it says of itself.
pub(super) fn other_mode(
    vendor: Vendor,
    endpoint: Option<&Endpoint>,
    live: Option<bool>,
) -> Option<String> {
    let wanted = endpoint.and_then(|endpoint| endpoint.livemode)?;
    if live == Some(wanted) {
        return None;
    }
    let what = match live {
        Some(true) => "it is a live event",
        Some(false) => "it is a test event",
        None => "it does not say whether it is a live event",
    };
    let vendor = vendor.as_str();
    Some(format!(
        "{what}, and payment.webhooks.{vendor}.livemode is {wanted}"
    ))
}

/// An id behind the vendor's word.
pub(super) fn named(vendor: Vendor, id: &str) -> String {
    format!("{}:{id}", vendor.as_str())
}

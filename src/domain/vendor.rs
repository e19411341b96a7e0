//! Who collects the money of a subscription or a top-up.

/// A payment provider that tells of payments by webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vendor {
    /// Stripe.
    Stripe,
    /// Paddle Billing.
    Paddle,
    /// Lemon Squeezy.
    LemonSqueezy,
    /// Everybody else, by Standard Webhooks and our own vocabulary.
    Standard,
}

impl serde::Serialize for Vendor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Vendor {
    /// Every vendor, in the order of the documentation.
    pub const ALL: [Self; 4] = [
        Self::Stripe,
        Self::Paddle,
        Self::LemonSqueezy,
        Self::Standard,
    ];

    /// The most bytes that an id or a word in an event may have.
    pub const LONGEST_TEXT: usize = 255;

    /// Whether an event can name such a customer: texts of events are read without the space around them.
    pub fn may_name(customer: &str) -> bool {
        (1..=Self::LONGEST_TEXT).contains(&customer.len()) && customer.trim() == customer
    }

    /// The word in paths, the configuration and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Paddle => "paddle",
            Self::LemonSqueezy => "lemonsqueezy",
            Self::Standard => "standard",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|vendor| vendor.as_str() == word)
    }
}

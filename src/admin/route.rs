//! The paths of the API.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource<'p> {
    /// All accounts.
    Accounts,
    /// One account.
    Account(Cow<'p, str>),
    /// The subscription of an account.
    Subscription(Cow<'p, str>),
    /// The credit of an account.
    Credit(Cow<'p, str>),
    /// Moving credit between accounts.
    CreditTransfer,
    /// Entries of credit.
    Ledger,
    /// All keys.
    Keys,
    /// One key.
    Key(Cow<'p, str>),
    /// The rotation of a key.
    Rotation(Cow<'p, str>),
    /// All plans.
    Plans,
    /// Records of calls.
    Calls,
    /// One call.
    Call(Cow<'p, str>),
    /// Sums over calls.
    Usage,
    /// Messages to people.
    Notifications,
    /// A message to everybody, to see whether it arrives.
    Test,
    /// The sending of a message, again.
    Retry(Cow<'p, str>),
    /// Payment events.
    Webhooks,
    /// Looking at a payment event again.
    Replay(Cow<'p, str>),
    /// Payment providers' customers, and whose they are.
    Customers,
    /// One customer of a payment provider.
    Customer(Cow<'p, str>, Cow<'p, str>),
}

impl<'p> Resource<'p> {
    /// Reads a path below `/admin/v1/`. Ids are percent-decoded segment by segment, because they may hold a slash.
    pub(super) fn of(path: &'p str) -> Option<Self> {
        let mut segments = path.strip_prefix("/admin/v1/")?.split('/');
        let kind = segments.next()?;
        let decoded = |segment: &'p str| percent_decode_str(segment).decode_utf8().ok();
        let id = match segments.next() {
            Some(id) => Some(decoded(id)?),
            None => None,
        };
        let part = segments.next();
        if segments.next().is_some() {
            return None;
        }
        match (kind, id, part) {
            ("accounts", None, None) => Some(Self::Accounts),
            ("accounts", Some(id), None) => Some(Self::Account(id)),
            ("accounts", Some(id), Some("subscription")) => Some(Self::Subscription(id)),
            ("accounts", Some(id), Some("credit")) => Some(Self::Credit(id)),
            ("credit", Some(verb), None) if verb == "transfer" => Some(Self::CreditTransfer),
            ("ledger", None, None) => Some(Self::Ledger),
            ("keys", None, None) => Some(Self::Keys),
            ("keys", Some(id), None) => Some(Self::Key(id)),
            ("keys", Some(id), Some("rotate")) => Some(Self::Rotation(id)),
            ("plans", None, None) => Some(Self::Plans),
            ("calls", None, None) => Some(Self::Calls),
            ("calls", Some(id), None) => Some(Self::Call(id)),
            ("usage", None, None) => Some(Self::Usage),
            ("notifications", None, None) => Some(Self::Notifications),
            ("notifications", Some(id), None) if id == "test" => Some(Self::Test),
            ("notifications", Some(id), Some("retry")) => Some(Self::Retry(id)),
            ("webhooks", None, None) => Some(Self::Webhooks),
            ("webhooks", Some(id), Some("replay")) => Some(Self::Replay(id)),
            ("customers", None, None) => Some(Self::Customers),
            ("customers", Some(vendor), Some(id)) => Some(Self::Customer(vendor, decoded(id)?)),
            _ => None,
        }
    }

    /// The methods it has, as `Allow` lists them.
    pub(super) const fn methods(&self) -> &'static str {
        match self {
            Self::Accounts | Self::Keys | Self::Credit(_) => "GET, POST",
            Self::Account(_) => "GET, PATCH",
            Self::Subscription(_) | Self::Customer(..) => "PUT, DELETE",
            Self::Key(_) => "GET, PATCH, DELETE",
            Self::Rotation(_)
            | Self::CreditTransfer
            | Self::Retry(_)
            | Self::Test
            | Self::Replay(_) => "POST",
            Self::Plans
            | Self::Calls
            | Self::Call(_)
            | Self::Usage
            | Self::Ledger
            | Self::Notifications
            | Self::Webhooks
            | Self::Customers => "GET",
        }
    }
}

//! Every section and key of the file, once: what it is called, what it takes, what it means.
//!
//! Reading, unknown keys, hints, defaults and the JSON schema all come from here, so that they cannot differ.

mod billing;
mod notifications;
mod prices;
mod server;
mod upstream;
mod webhooks;

pub(crate) use billing::{ACCOUNT, PAYMENT, PLAN};
pub(crate) use notifications::NOTIFICATIONS;
pub(crate) use prices::{PRICE, PRICES_FILE};
pub(crate) use server::{ADMIN, LOG, SERVER, STORE, STREAMING};
pub(crate) use upstream::{MODEL, PROVIDER, ROUTE};

/// A mapping with known keys.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its name in the schema.
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) keys: &'static [Key],
}

/// A key of a section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// One sentence for the person who writes the file.
    pub(crate) doc: &'static str,
    /// What stands in for the key where it is left out, as it would be written.
    pub(crate) default: Option<&'static str>,
    pub(crate) need: Need,
    /// What to do about a value that is not taken, where the kind's own hint is too general.
    pub(crate) hint: Option<&'static str>,
    /// Why the key is refused today.
    pub(crate) deferred: Option<&'static str>,
}

/// Whether a section works without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// It does.
    Optional,
    /// It does not, and the reader says so.
    Required,
    /// It does not, and the code that knows what could be written there says so.
    Explained,
}

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A mapping with known keys.
    Section(&'static Section),
    /// A mapping from names that people choose to a section each.
    Named(&'static Section),
    /// Such a mapping, with one known key beside the names.
    NamedAnd {
        one: &'static Key,
        each: &'static Section,
    },
    /// A list.
    List(&'static Self),
    /// A list of mappings that may be nearly all of the file. Whoever compiles it reads one after the other.
    Unread(&'static Section),
    /// Any text.
    Text,
    /// A name of letters, digits and `-_.:@/+`.
    Name,
    /// The name of a model, which may be longer and have more signs.
    Model,
    /// A text that is never shown, or `{file: path}`.
    Secret,
    /// The same, and it may be empty.
    MaybeSecret,
    /// A mapping from texts that others chose to names.
    Pairs,
    /// A file, from the directory of the YAML file.
    Path,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Integer { least: u64, most: u64 },
    /// A number and a unit of time.
    Duration {
        /// Whether 0 is a duration here.
        zero: bool,
        /// The word for none at all.
        never: Option<&'static str>,
    },
    /// A number and a unit of bytes.
    Size { least: u64 },
    /// An exact price in dollars.
    Price {
        /// Whether it is for a million, as prices of tokens are.
        per_million: bool,
    },
    /// What prices are multiplied by.
    Factor,
    /// An exact amount of dollars.
    Money,
    /// An exact amount of dollars, or a part of something in percent. Whoever compiles it reads it.
    MoneyOrShare,
    /// An IP address and a port.
    Address,
    /// Scheme, host and path.
    Url,
    /// A URL that may have a query and `{account}`.
    UrlTemplate,
    /// A network, or one address.
    Network,
    /// An RFC 3339 instant.
    Instant,
    /// One of a few words.
    Choice(Choice),
}

/// A few words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    pub(crate) words: &'static [&'static str],
    /// Words that are refused today, and why.
    pub(crate) deferred: &'static [(&'static str, &'static str)],
}

/// A section that is there with its defaults even when it is left out.
pub(crate) const IMPLIED: &str = "{}";
/// A word of time without 0 and without an end.
pub(crate) const SPAN: Kind = Kind::Duration {
    zero: false,
    never: None,
};
/// A number of things, at least one.
pub(crate) const COUNT: Kind = Kind::Integer {
    least: 1,
    most: u32::MAX as u64,
};
/// A number of tokens, at least one. Counters are signed in the store.
pub(crate) const TOKENS: Kind = Kind::Integer {
    least: 1,
    most: i64::MAX as u64,
};

/// One of these words.
pub(crate) const fn one_of(words: &'static [&'static str]) -> Kind {
    Kind::Choice(Choice {
        words,
        deferred: &[],
    })
}

pub(crate) const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        doc,
        default: None,
        need: Need::Optional,
        hint: None,
        deferred: None,
    }
}

/// A key that is known and refused.
pub(crate) const fn deferred(name: &'static str, why: &'static str) -> Key {
    let mut key = key(name, Kind::Text, "");
    key.deferred = Some(why);
    key
}

impl Key {
    const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    const fn required(mut self) -> Self {
        self.need = Need::Required;
        self
    }

    const fn explained(mut self) -> Self {
        self.need = Need::Explained;
        self
    }

    const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
}

impl Section {
    /// The key with this name.
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Names that can be written today.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        let live = self.keys.iter().filter(|key| key.deferred.is_none());
        live.map(|key| key.name)
    }
}

pub(crate) static ROOT: Section = Section {
    name: "faregate",
    doc: "The configuration of Faregate. Every section is optional.",
    keys: &[
        key(
            "server",
            Kind::Section(&SERVER),
            "The public listener: where clients connect, and within which bounds.",
        )
        .or(IMPLIED),
        key(
            "admin",
            Kind::Section(&ADMIN),
            "The admin listener: admin API and metrics. Without this section there is none.",
        ),
        key(
            "store",
            Kind::Section(&STORE),
            "Where accounts, keys, counters and call records are kept.",
        )
        .or(IMPLIED),
        key(
            "providers",
            Kind::Named(&PROVIDER),
            "The APIs that calls are forwarded to, by a name of your choice.",
        ),
        key(
            "models",
            Kind::Named(&MODEL),
            "The models clients may name, and where each is served. A model not listed is refused; without this section every name passes.",
        ),
        key(
            "prices",
            Kind::NamedAnd {
                one: &PRICES_FILE,
                each: &PRICE,
            },
            "What models cost, in US dollars per million tokens, by their public name; and a file with further prices.",
        ),
        key(
            "routes",
            Kind::List(&Kind::Section(&ROUTE)),
            "Which path goes where; the longest prefix wins. Without this section the standard AI paths are served; an empty list serves none.",
        ),
        key(
            "plans",
            Kind::Named(&PLAN),
            "Named sets of models and limits, by a name of your choice.",
        ),
        key(
            "accounts",
            Kind::Unread(&ACCOUNT),
            "Who pays. Accounts can also be created through the command line and the admin API.",
        ),
        key(
            "payment",
            Kind::Section(&PAYMENT),
            "Where people pay, and how long overdue payments are tolerated.",
        )
        .or(IMPLIED),
        key(
            "notifications",
            Kind::Section(&NOTIFICATIONS),
            "Who is notified before a limit, a trial or a payment stops calls. Without this section nobody is.",
        ),
        key(
            "streaming",
            Kind::Section(&STREAMING),
            "How streamed answers behave.",
        )
        .or(IMPLIED),
        key("log", Kind::Section(&LOG), "The format of the log.").or(IMPLIED),
    ],
};

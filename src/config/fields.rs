//! A section as it was read: values of the right kind, each with its place.

use std::{iter::Enumerate, net::SocketAddr, path::PathBuf, time::Duration, vec};

use ipnet::IpNet;

use super::{
    problem::{Inside, Place},
    table::Section,
    tree::Node,
};
use crate::{
    domain::{NanoUsd, Secret, Timestamp},
    prices::{Factor, Pico},
    upstream::BaseUrl,
};

/// A value of the kind its key takes.
#[derive(Debug)]
pub(crate) enum Value {
    Section(Box<Fields>),
    Named(Vec<Named>),
    /// Names, and the one key beside them where it was written and right.
    NamedAnd(Option<Box<Entry>>, Vec<Named>),
    /// Texts and the names they stand for.
    Pairs(Vec<(String, Entry)>),
    List(Vec<Entry>),
    Unread(Unread),
    Text(String),
    Secret(Secret),
    Path(PathBuf),
    Flag(bool),
    /// Also a size in bytes.
    Integer(u64),
    /// `None` is the word for none at all.
    Duration(Option<Duration>),
    Address(SocketAddr),
    Url(Box<BaseUrl>),
    Network(IpNet),
    Instant(Timestamp),
    Money(NanoUsd),
    Price(Pico),
    Factor(Factor),
    /// One of the words of a choice.
    Word(&'static str),
}

/// The items of a list that nobody has looked at, each with its place.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(super) inside: Inside,
    pub(super) nodes: Enumerate<vec::IntoIter<Node>>,
}

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// A section under a name that somebody chose.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) fields: Fields,
}

/// The values of a section. A key that was left out has its default; one that was wrong has been reported and has
/// its default too, or is missing, so that the rest of the file can still be looked at.
#[derive(Debug)]
pub(crate) struct Fields {
    pub(crate) section: &'static Section,
    pub(crate) place: Place,
    pub(crate) entries: Vec<(&'static str, Entry)>,
    /// Names as written, good or bad, without those that were filled in by default.
    pub(crate) written: Vec<&'static str>,
}

/// What can be taken out of a [`Value`].
pub(crate) trait Take: Sized {
    fn take(value: &Value) -> Option<Self>;
}

impl Iterator for Unread {
    type Item = (Place, Node);

    fn next(&mut self) -> Option<Self::Item> {
        let (index, node) = self.nodes.next()?;
        Some((self.inside.item(index, node.at), node))
    }
}

impl Fields {
    /// Takes a list that is to be read item by item; `None` where the key was left out.
    pub(crate) fn take_unread(&mut self, name: &str) -> Option<Unread> {
        let at = self.entries.iter().position(|(key, _)| *key == name)?;
        match self.entries.swap_remove(at).1.value {
            Value::Unread(unread) => Some(unread),
            _ => None,
        }
    }

    /// The value of a key and its place.
    pub(crate) fn entry(&self, name: &str) -> Option<&Entry> {
        debug_assert!(
            self.section.key(name).is_some(),
            "{name} is not in {}",
            self.section.name
        );
        let found = self.entries.iter().find(|(key, _)| *key == name);
        found.map(|(_, entry)| entry)
    }

    /// The value of a key.
    pub(crate) fn get<T: Take>(&self, name: &str) -> Option<T> {
        T::take(&self.entry(name)?.value)
    }

    /// The value of a key and its place.
    pub(crate) fn located<T: Take>(&self, name: &str) -> Option<(T, &Place)> {
        let entry = self.entry(name)?;
        Some((T::take(&entry.value)?, &entry.place))
    }

    /// A number, in a type that the key's bounds fit into.
    pub(crate) fn number<T: TryFrom<u64>>(&self, name: &str) -> Option<T> {
        T::try_from(self.get::<u64>(name)?).ok()
    }

    /// A text, borrowed.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match &self.entry(name)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Where a key stands, or the section where it does not.
    pub(crate) fn place_of(&self, name: &str) -> &Place {
        self.entry(name).map_or(&self.place, |entry| &entry.place)
    }

    /// Whether a key was written.
    pub(crate) fn has(&self, name: &str) -> bool {
        debug_assert!(
            self.section.key(name).is_some(),
            "{name} is not in {}",
            self.section.name
        );
        self.written.contains(&name)
    }

    /// A section below.
    pub(crate) fn section(&self, name: &str) -> Option<&Self> {
        match &self.entry(name)?.value {
            Value::Section(fields) => Some(fields),
            _ => None,
        }
    }

    /// The sections below that have names; empty where the key was left out.
    pub(crate) fn named(&self, name: &str) -> &[Named] {
        match self.entry(name).map(|entry| &entry.value) {
            Some(Value::Named(named) | Value::NamedAnd(_, named)) => named,
            _ => &[],
        }
    }

    /// The one key beside the names of a key, and its place.
    pub(crate) fn beside<T: Take>(&self, name: &str) -> Option<(T, &Place)> {
        match &self.entry(name)?.value {
            Value::NamedAnd(Some(one), _) => Some((T::take(&one.value)?, &one.place)),
            _ => None,
        }
    }

    /// The texts of a mapping and the names they stand for, each with its place; empty where the key was left out.
    pub(crate) fn pairs(&self, name: &str) -> impl Iterator<Item = (&str, &str, &Place)> {
        let pairs = match self.entry(name).map(|entry| &entry.value) {
            Some(Value::Pairs(pairs)) => pairs.as_slice(),
            _ => &[],
        };
        pairs.iter().filter_map(|(text, entry)| match &entry.value {
            Value::Text(name) => Some((text.as_str(), name.as_str(), &entry.place)),
            _ => None,
        })
    }

    /// The items of a list; `None` where the key was left out.
    pub(crate) fn list(&self, name: &str) -> Option<&[Entry]> {
        match &self.entry(name)?.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The sections of a list; empty where the key was left out.
    pub(crate) fn sections(&self, name: &str) -> impl Iterator<Item = &Self> {
        let items = self.list(name).unwrap_or_default();
        items.iter().filter_map(|item| match &item.value {
            Value::Section(fields) => Some(&**fields),
            _ => None,
        })
    }

    /// The items of a list of single values; empty where the key was left out.
    pub(crate) fn items<T: Take>(&self, name: &str) -> Vec<T> {
        let items = self.list(name).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| T::take(&item.value))
            .collect()
    }
}

macro_rules! take {
    ($($variant:ident => $type:ty),* $(,)?) => {$(
        impl Take for $type {
            fn take(value: &Value) -> Option<Self> {
                match value {
                    Value::$variant(inner) => Some(inner.clone()),
                    _ => None,
                }
            }
        }
    )*};
}

take! {
    Text => String,
    Secret => Secret,
    Path => PathBuf,
    Flag => bool,
    Integer => u64,
    Duration => Option<Duration>,
    Address => SocketAddr,
    Network => IpNet,
    Instant => Timestamp,
    Word => &'static str,
}

impl Take for BaseUrl {
    fn take(value: &Value) -> Option<Self> {
        match value {
            Value::Url(url) => Some((**url).clone()),
            _ => None,
        }
    }
}

impl Take for Duration {
    fn take(value: &Value) -> Option<Self> {
        match value {
            Value::Duration(duration) => *duration,
            _ => None,
        }
    }
}

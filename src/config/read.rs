//! From the tree to values, along the table.

use std::path::Path;

use super::{
    fields::{Entry, Fields, Named, Unread, Value},
    nearest::suggestion,
    problem::{Inside, Place, Position, Report},
    scalar::{self, Wrong},
    secret::{self, Environment},
    table::{IMPLIED, Key, Kind, Need, ROOT, Section},
    tree::{self, Data, Node},
};

/// A value in a message is cut after this many characters.
const SHOWN: usize = 60;

/// Reads one file.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) environment: &'a dyn Environment,
    /// Where relative paths start.
    pub(crate) directory: &'a Path,
    pub(crate) report: &'a mut Report,
}

impl Reader<'_> {
    /// Reads the whole file; an empty one has every default.
    pub(crate) fn root(&mut self, node: Option<&mut Node>) -> Option<Fields> {
        let position = Position { line: 1, column: 1 };
        let place = Place::root(node.as_ref().map_or(position, |node| node.at));
        match node {
            Some(node) => self.section(&ROOT, node, place),
            None => Some(self.pairs(&ROOT, &mut [], place)),
        }
    }

    /// An item of a list of sections.
    pub(crate) fn item(
        &mut self,
        section: &'static Section,
        mut node: Node,
        place: Place,
    ) -> Option<Fields> {
        if node.is_null() {
            self.nothing(Kind::Section(section), &place);
            return None;
        }
        self.section(section, &mut node, place)
    }

    fn section(
        &mut self,
        section: &'static Section,
        node: &mut Node,
        place: Place,
    ) -> Option<Fields> {
        let Data::Mapping(pairs) = &mut node.data else {
            let first = section.names().next().unwrap_or_default();
            let problem = self.report.problem(&place, "must be a mapping of keys");
            problem.hint(format!("write its keys below it, such as `{first}: …`"));
            return None;
        };
        Some(self.pairs(section, pairs, place))
    }

    fn pairs(
        &mut self,
        section: &'static Section,
        pairs: &mut [(tree::Key, Node)],
        place: Place,
    ) -> Fields {
        let inside = place.inside();
        let mut fields = Fields {
            section,
            place,
            entries: Vec::new(),
            written: Vec::new(),
        };
        // In braces a comma ends a value, or parts a key from it: what comes next looks like a key without a value then, and
        // may be the end of a secret.
        let (mut line, mut cut_off, mut whole) = (0, false, None);
        for (written, node) in pairs {
            let goes_on = node.is_null() && line == written.at.line;
            line = node.at.line;
            let Some(key) = section.key(&written.name) else {
                let digits = written.name.bytes().all(|byte| byte.is_ascii_digit());
                let ended = whole.take_if(|(_, kind)| digits || !is_shown(*kind));
                if goes_on && let Some((place, kind)) = ended {
                    let hint = match kind {
                        Kind::Integer { .. } if digits => {
                            "write it without commas, such as 1000000"
                        }
                        Kind::Money | Kind::Price { .. } | Kind::Factor if digits => {
                            "write it without commas, such as 1000000 or 0.15"
                        }
                        _ => "write quotes around a value that has one, or remove what follows it",
                    };
                    self.report.problem(&place, "ends at a comma").hint(hint);
                } else if !(goes_on && cut_off) {
                    self.unknown(section, written, &inside);
                }
                (cut_off, whole) = (true, None);
                continue;
            };
            cut_off = node.is_null();
            whole = matches!(node.data, Data::Scalar { .. })
                .then(|| (inside.key(key.name, node.at), key.kind));
            let at_key = inside.key(key.name, written.at);
            if let Some(why) = key.deferred {
                self.report.problem(&at_key, why);
                continue;
            }
            if fields.written.contains(&key.name) {
                self.report
                    .problem(&at_key, "is written twice in the same section")
                    .hint("keep one of the two");
                continue;
            }
            fields.written.push(key.name);
            let place = inside.key(key.name, node.at);
            let value = if node.is_null() {
                self.nothing(key.kind, &at_key);
                None
            } else {
                self.value(key.kind, key.hint, node, &place)
            };
            if let Some(value) = value {
                fields.entries.push((key.name, Entry { place, value }));
            }
        }
        self.complete(&mut fields, &inside);
        // There may be a section for each of many keys.
        fields.entries.shrink_to_fit();
        fields.written.shrink_to_fit();
        fields
    }

    /// Reports a key that is not known. In braces `token:abc` is a key as a whole, and its end a secret: whatever follows
    /// the first sign that no key has is not shown.
    fn unknown(&mut self, section: &'static Section, written: &tree::Key, inside: &Inside) {
        let of_a_key = |sign: char| sign.is_alphanumeric() || matches!(sign, '_' | '-' | '.');
        let end = written.name.find(|sign| !of_a_key(sign));
        let name = &written.name[..end.unwrap_or(written.name.len())];
        let at_key = inside.name(name, written.at);
        // Such as the no-break spaces of a web page: a person sees nothing wrong.
        let first = written.name.chars().next();
        if let Some(first) = first.filter(|first| !first.is_ascii() && first.is_whitespace()) {
            let text = format!(
                "begins with a character that only looks like a space: U+{:04X}",
                u32::from(first)
            );
            let problem = self.report.problem(&Place::root(written.at), text);
            problem.hint("write spaces in its place, and look for more of them");
            return;
        }
        if end.is_some() && section.key(name).is_some() {
            self.report
                .problem(&at_key, "is not parted from its value")
                .hint(format!("write a colon and a space: `{name}: …`"));
            return;
        }
        self.report
            .problem(&at_key, "is not a known key")
            .maybe_hint(suggestion(name, section.names()));
    }

    /// Fills in defaults and reports what is missing.
    fn complete(&mut self, fields: &mut Fields, inside: &Inside) {
        for key in fields.section.keys {
            if fields.entries.iter().any(|(name, _)| *name == key.name) {
                continue;
            }
            let written = fields.written.contains(&key.name);
            if key.need == Need::Required && !written {
                let text = format!("has no `{}`", key.name);
                self.report.problem(&fields.place, text).hint(key.doc);
            }
            let place = inside.key(key.name, fields.place.position);
            if let Some(value) = self.default(key, &place) {
                fields.entries.push((key.name, Entry { place, value }));
            }
        }
    }

    fn default(&mut self, key: &Key, place: &Place) -> Option<Value> {
        match (key.default?, key.kind) {
            (IMPLIED, Kind::Section(section)) => {
                let fields = self.pairs(section, &mut [], place.clone());
                Some(Value::Section(Box::new(fields)))
            }
            (text, kind) => scalar::parse(kind, text, self.directory).ok(),
        }
    }

    /// A key with nothing behind it could mean its default or none of it, so it has to be said.
    fn nothing(&mut self, kind: Kind, place: &Place) {
        let problem = self.report.problem(place, "has no value");
        problem.hint(match kind {
            Kind::List(_) | Kind::Unread(_) => "remove the key, or write [] for an empty list",
            Kind::Named(_) | Kind::NamedAnd { .. } | Kind::Pairs => {
                "remove the key, or write {} for none"
            }
            _ => "remove the key, or write a value",
        });
    }

    fn value(
        &mut self,
        kind: Kind,
        hint: Option<&'static str>,
        node: &mut Node,
        place: &Place,
    ) -> Option<Value> {
        if let Kind::Section(section) = kind {
            let fields = self.section(section, node, place.clone())?;
            return Some(Value::Section(Box::new(fields)));
        }
        match (kind, &mut node.data) {
            (Kind::Named(section), Data::Mapping(pairs)) => {
                Some(Value::Named(self.named(section, pairs, place)))
            }
            (Kind::NamedAnd { one, each }, Data::Mapping(pairs)) => {
                let (beside, pairs): (Vec<_>, Vec<_>) = pairs
                    .iter_mut()
                    .partition(|(key, _)| *key.name == *one.name);
                let beside = self.beside(one, beside, place).map(Box::new);
                let named = self.named(each, pairs, place);
                Some(Value::NamedAnd(beside, named))
            }
            (Kind::Named(_) | Kind::NamedAnd { .. }, _) => {
                let problem = self.report.problem(place, "must be a mapping of names");
                problem.hint("write each below it as `name: {…}`");
                None
            }
            (Kind::Pairs, Data::Mapping(pairs)) => {
                let mut named = Vec::with_capacity(pairs.len());
                let inside = place.inside();
                for (key, node) in pairs {
                    let place = inside.name(&key.name, key.at);
                    if node.is_null() {
                        self.nothing(Kind::Name, &place);
                    } else if let Some(value) = self.value(Kind::Name, hint, node, &place) {
                        named.push((key.name.to_string(), Entry { place, value }));
                    }
                }
                Some(Value::Pairs(named))
            }
            (Kind::Pairs, _) => {
                let problem = self.report.problem(place, "must be a mapping");
                problem.hint("write each below it as `theirs: ours`");
                None
            }
            (Kind::List(item), Data::Sequence(nodes)) => {
                let mut items = Vec::with_capacity(nodes.len());
                let is_empty = nodes.is_empty();
                for (place, mut node) in unread(nodes, place) {
                    if node.is_null() {
                        self.nothing(*item, &place);
                    } else if let Some(value) = self.value(*item, hint, &mut node, &place) {
                        items.push(Entry { place, value });
                    }
                }
                // One whose items are all wrong is no empty one, which may mean something.
                (is_empty || !items.is_empty()).then_some(Value::List(items))
            }
            (Kind::Unread(_), Data::Sequence(nodes)) => Some(Value::Unread(unread(nodes, place))),
            (Kind::List(_) | Kind::Unread(_), _) => {
                let problem = self.report.problem(place, "must be a list");
                problem.hint("write each item below it after `- `, or all within [ ]");
                None
            }
            (Kind::Secret | Kind::MaybeSecret, Data::Mapping(pairs)) => {
                self.secret_file(pairs, place)
            }
            (kind, Data::Scalar { text, .. }) => self.scalar(kind, hint, text, place),
            (_, Data::Sequence(_) | Data::Mapping(_)) => {
                let problem = self.report.problem(place, "must be a single value");
                problem.maybe_hint(hint.map(str::to_owned));
                None
            }
        }
    }

    /// The one key beside names, as often as it was written.
    fn beside(
        &mut self,
        key: &'static Key,
        written: Vec<&mut (tree::Key, Node)>,
        place: &Place,
    ) -> Option<Entry> {
        let mut written = written.into_iter();
        let (at, node) = written.next()?;
        let inside = place.inside();
        for (at, _) in written {
            let problem = self
                .report
                .problem(&inside.key(key.name, at.at), "is written twice");
            problem.hint("keep one of the two");
        }
        if node.is_null() {
            self.nothing(key.kind, &inside.key(key.name, at.at));
            return None;
        }
        let place = inside.key(key.name, node.at);
        let value = self.value(key.kind, key.hint, node, &place)?;
        Some(Entry { place, value })
    }

    fn named<'a>(
        &mut self,
        section: &'static Section,
        pairs: impl IntoIterator<Item = &'a mut (tree::Key, Node)>,
        place: &Place,
    ) -> Vec<Named> {
        let mut named: Vec<Named> = Vec::new();
        let inside = place.inside();
        for (key, node) in pairs {
            let place = inside.name(&key.name, key.at);
            if named.iter().any(|known| *known.name == *key.name) {
                let problem = self.report.problem(&place, "is written twice");
                problem.hint("keep one of the two, or give the other a name of its own");
                continue;
            }
            // A name alone is a section with nothing in it.
            let fields = if node.is_null() {
                Some(self.pairs(section, &mut [], place))
            } else {
                self.section(section, node, place)
            };
            if let Some(fields) = fields {
                let name = key.name.to_string();
                named.push(Named { name, fields });
            }
        }
        named
    }

    fn scalar(
        &mut self,
        kind: Kind,
        hint: Option<&'static str>,
        text: &str,
        place: &Place,
    ) -> Option<Value> {
        let filled = match secret::fill(text, self.environment) {
            Ok(filled) => filled,
            Err(unfilled) => {
                let problem = self.report.problem(place, unfilled.text);
                problem.hint(unfilled.hint);
                return None;
            }
        };
        match scalar::parse(kind, &filled.text, self.directory) {
            Ok(value) => {
                if let Value::Path(path) = &value {
                    self.report.reads(path.clone());
                }
                Some(value)
            }
            Err(Wrong { text, hint: own }) => {
                let subject = if filled.from_environment {
                    "the value from the environment ".to_owned()
                } else {
                    shown(kind, &filled.text)
                };
                let problem = self.report.problem(place, format!("{subject}{text}"));
                problem.maybe_hint(hint.map(str::to_owned).or(own));
                None
            }
        }
    }

    /// `{file: path}`. Other keys are not named: somebody may have put braces around the secret itself.
    fn secret_file(&mut self, pairs: &[(tree::Key, Node)], place: &Place) -> Option<Value> {
        let [(key, Node { at, data })] = pairs else {
            self.no_secret(place);
            return None;
        };
        let Data::Scalar { text, .. } = data else {
            self.no_secret(place);
            return None;
        };
        if &*key.name != "file" {
            self.no_secret(place);
            return None;
        }
        let place = place.inside().key("file", *at);
        let Value::Path(path) = self.scalar(Kind::Path, None, text, &place)? else {
            return None;
        };
        match secret::from_file(&path) {
            Ok(secret) => Some(Value::Secret(secret)),
            Err(text) => {
                let problem = self.report.problem(&place, text);
                problem.hint(
                    "write the path of a text file that the user of the daemon may read; a relative one starts at this \
                     file's folder",
                );
                None
            }
        }
    }

    fn no_secret(&mut self, place: &Place) {
        let problem = self.report.problem(place, "is neither a text nor a file");
        problem.hint("write \"${NAME}\" with quotes for an environment variable, or {file: path}");
    }
}

/// The items of a list. What was read of it leaves its memory to what comes of the rest.
fn unread(nodes: &mut Vec<Node>, place: &Place) -> Unread {
    Unread {
        inside: place.inside(),
        nodes: std::mem::take(nodes).into_iter().enumerate(),
    }
}

/// The value at the start of a message, where nothing in it can be a secret.
fn shown(kind: Kind, text: &str) -> String {
    if is_shown(kind) && !text.is_empty() && text.chars().count() <= SHOWN {
        return format!("{text:?} ");
    }
    String::new()
}

/// Whether nothing in a value of this kind can be a secret.
const fn is_shown(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Integer { .. }
            | Kind::Duration { .. }
            | Kind::Size { .. }
            | Kind::Flag
            | Kind::Network
            | Kind::Address
            | Kind::Instant
            | Kind::Money
            | Kind::Price { .. }
            | Kind::Factor
            | Kind::Choice(_)
    )
}

//! YAML text as a tree that remembers where everything stands, duplicate keys included.
//!
//! Built from the parser's events rather than by its loader, which stops at the first duplicate key and recurses
//! as deep as the text says.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::problem::Position;

/// A list or mapping within a list or mapping, and so on; a file that means something needs eight.
const DEEPEST: usize = 32;
/// Nodes that aliases may copy in all, so that a few lines cannot grow into gigabytes.
const MOST_COPIES: usize = 50_000;

/// What the parser met, and where whoever made the mistake should look: it is often a line or more above.
const LOOK: [(&str, &str); 17] = [
    ("mapping values are not allowed", NO_COLON),
    ("simple key expect", NO_COLON),
    ("could not find expected ':'", NO_COLON),
    ("did not find expected key", COLUMNS),
    ("expected '-' indicator", COLUMNS),
    ("invalid indentation in quoted scalar", NO_END),
    ("unexpected end of stream", NO_END),
    ("expected ',' or", STILL_OPEN),
    ("illegal placement of ':'", STILL_OPEN),
    (
        "misplaced bracket",
        "a } or ] is closed that was not opened; remove it, or write quotes around a text that has one",
    ),
    ("unexpected character", QUOTES),
    (
        "unknown anchor",
        "name an anchor (`&name`) that stands above, or write quotes around a text that begins with *",
    ),
    (
        "unknown escape",
        "write the text in single quotes, where a \\ is nothing but itself",
    ),
    (
        "trailing content after",
        "write the whole value within one pair of quotes",
    ),
    (
        "block sequence entries are not allowed",
        "begin the first `- ` of a list on the next line",
    ),
    ("document start", LINES),
    ("unprintable character", LINES),
];
const NO_COLON: &str = "look at the line above too: a key has a colon and a space behind it, begins in the column of the \
                        others, and a text with a colon needs quotes";
const COLUMNS: &str = "begin all keys of a section, and all items of a list, in the same column";
const NO_END: &str = "the quote that begins here has no end; write it, or write none at all";
const STILL_OPEN: &str =
    "a { or [ that was opened before is still open, or a comma is missing, or a text needs quotes";
const QUOTES: &str = "write quotes around a text that begins with @ % or `";
const LINES: &str = "write each setting as `name: value` on a line of its own, in plain text";

/// A value and where it begins.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) data: Data,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    /// `plain` is false for a text in quotes or a block text.
    Scalar {
        text: Box<str>,
        plain: bool,
    },
    Sequence(Vec<Node>),
    /// In the order of the file; a key may come twice.
    Mapping(Vec<(Key, Node)>),
}

/// A key of a mapping and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) at: Position,
    /// One for all keys of that name.
    pub(crate) name: Rc<str>,
}

/// Why a text is no tree.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) at: Position,
    pub(crate) text: String,
    pub(crate) hint: Option<String>,
}

/// A list or mapping whose end has not come.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Key>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    copied: usize,
    names: HashSet<Rc<str>>,
    root: Option<Node>,
}

/// Reads the one document of a text; `None` is an empty one.
pub(crate) fn parse(text: &str) -> Result<Option<Node>, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| syntax(text, &error))?;
        let at = Position::of(span.start.line(), span.start.col());
        builder.take(event, at)?;
    }
    Ok(builder.root.filter(|root| !root.is_null()))
}

impl Node {
    /// Whether nothing stands here: an empty value, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar { text, plain: true }
            if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Nodes in it, itself included.
    fn size(&self) -> usize {
        match &self.data {
            Data::Scalar { .. } => 1,
            Data::Sequence(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Data::Mapping(pairs) => 1 + pairs.iter().map(|(_, value)| value.size()).sum::<usize>(),
        }
    }

    /// Levels in it, itself included.
    fn height(&self) -> usize {
        let below = match &self.data {
            Data::Scalar { .. } => None,
            Data::Sequence(items) => items.iter().map(Self::height).max(),
            Data::Mapping(pairs) => pairs.iter().map(|(_, value)| value.height()).max(),
        };
        1 + below.unwrap_or(0)
    }
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), Fault> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => Err(fault(
                at,
                "a second document begins here; a configuration is one document",
                "remove the line `---` and what follows, or put it into a file of its own",
            )),
            Event::DocumentStart(_) => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                untagged(tag.as_deref(), at)?;
                let plain = style == ScalarStyle::Plain;
                // The scanner leaves room at the end of each.
                let text = text.into_owned().into_boxed_str();
                let data = Data::Scalar { text, plain };
                self.add(Node { at, data }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                untagged(tag.as_deref(), at)?;
                self.begin(Data::Sequence(Vec::new()), anchor, at)
            }
            Event::MappingStart(anchor, tag) => {
                untagged(tag.as_deref(), at)?;
                self.begin(Data::Mapping(Vec::new()), anchor, at)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.add(merged(open.node)?, open.anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => self.copy(anchor, at),
        }
    }

    fn begin(&mut self, data: Data, anchor: usize, at: Position) -> Result<(), Fault> {
        if self.open.len() >= DEEPEST {
            return Err(too_deep(at));
        }
        let node = Node { at, data };
        let key = None;
        self.open.push(Open { node, anchor, key });
        Ok(())
    }

    fn copy(&mut self, anchor: usize, at: Position) -> Result<(), Fault> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(fault(
                at,
                "this alias is inside the value that it repeats",
                "write the value out",
            ));
        };
        self.copied += node.size();
        if self.copied > MOST_COPIES {
            return Err(fault(
                at,
                "aliases repeat too much here",
                "write fewer of them",
            ));
        }
        if self.open.len() + node.height() > DEEPEST {
            return Err(too_deep(at));
        }
        let copy = node.clone();
        self.add(copy, 0)
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.data {
            Data::Sequence(items) => items.push(node),
            Data::Mapping(pairs) => match (open.key.take(), node.data) {
                (Some(key), data) => pairs.push((key, Node { at: node.at, data })),
                (None, Data::Scalar { text, .. }) => {
                    let known = self.names.get(&*text).cloned();
                    let name = known.unwrap_or_else(|| {
                        let name = Rc::from(text);
                        self.names.insert(Rc::clone(&name));
                        name
                    });
                    open.key = Some(Key { at: node.at, name });
                }
                (None, _) => {
                    return Err(fault(
                        node.at,
                        "there is a list or mapping where a key is expected",
                        "a value such as ${NAME} needs quotes inside { } and [ ]",
                    ));
                }
            },
            Data::Scalar { .. } => {}
        }
        Ok(())
    }
}

/// Takes in what `<<: *other` names; a key of the mapping itself goes first.
fn merged(mut node: Node) -> Result<Node, Fault> {
    let pairs = match &mut node.data {
        Data::Mapping(pairs) => pairs,
        Data::Sequence(items) => {
            items.shrink_to_fit();
            return Ok(node);
        }
        Data::Scalar { .. } => return Ok(node),
    };
    let (merges, mut own): (Vec<_>, Vec<_>) = pairs.drain(..).partition(|(key, value)| {
        let mappings = |items: &[Node]| items.iter().all(|item| mapping(item).is_some());
        &*key.name == "<<"
            && match &value.data {
                Data::Mapping(_) => true,
                Data::Sequence(items) => mappings(items),
                Data::Scalar { .. } => false,
            }
    });
    if let Some((key, _)) = own.iter().find(|(key, _)| &*key.name == "<<") {
        return Err(fault(
            key.at,
            "`<<` takes a mapping, or a list of them",
            "name one that has an anchor: `<<: *defaults`",
        ));
    }
    for (_, value) in merges {
        let sources = match value.data {
            Data::Sequence(items) => items,
            data => vec![Node { at: value.at, data }],
        };
        for (key, value) in sources.iter().filter_map(mapping).flatten() {
            if !own.iter().any(|(own, _)| own.name == key.name) {
                own.push((key.clone(), value.clone()));
            }
        }
    }
    own.shrink_to_fit();
    *pairs = own;
    Ok(node)
}

fn mapping(node: &Node) -> Option<&Vec<(Key, Node)>> {
    match &node.data {
        Data::Mapping(pairs) => Some(pairs),
        Data::Scalar { .. } | Data::Sequence(_) => None,
    }
}

fn untagged(tag: Option<&Tag>, at: Position) -> Result<(), Fault> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() => Err(fault(
            at,
            "YAML tags (`!word`) have no meaning here",
            "remove the tag; ${NAME} inserts an environment variable",
        )),
        _ => Ok(()),
    }
}

fn too_deep(at: Position) -> Fault {
    fault(
        at,
        "lists and mappings are nested too deeply here",
        "no key of this file needs that many levels",
    )
}

fn fault(at: Position, text: &str, hint: &str) -> Fault {
    Fault {
        at,
        text: text.to_owned(),
        hint: Some(hint.to_owned()),
    }
}

/// The parser's own words. They describe the syntax and quote nothing of the text but single characters.
fn syntax(text: &str, error: &ScanError) -> Fault {
    let marker = error.marker();
    let line = text.lines().nth(marker.line().saturating_sub(1));
    let hint = match line {
        Some(line) if line.contains("${") => {
            Some("a value such as ${NAME} needs quotes inside { } and [ ]")
        }
        Some(line) if line.trim_start_matches(' ').starts_with('\t') => {
            Some("indent with spaces, not with tabs")
        }
        Some(line) if line.contains(":\t") => Some("write a space after the colon, not a tab"),
        _ => {
            let met = |(words, _): &&(&str, &str)| error.info().contains(words);
            LOOK.iter().find(met).map(|(_, hint)| *hint)
        }
    };
    Fault {
        at: Position::of(marker.line(), marker.col()),
        text: format!("is not YAML: {}", error.info()),
        hint: hint.map(str::to_owned),
    }
}

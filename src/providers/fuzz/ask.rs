//! What a call asks for: the same as a second reader sees, or refused.

use bytes::Bytes;

use super::{
    addressed, edit,
    second::{self, Member},
};
use crate::{
    domain::ModelName,
    providers::{
        Ask, AskError, Endpoint,
        json::{DEPTH, Fault, MEMBERS, Reader},
    },
};

/// Members that must be there once, in their own case.
const EXACT: [&str; 11] = [
    "model",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "stream",
    "stream_options",
    "n",
    "best_of",
    "messages",
    "input",
    "tools",
];

/// A member of the stream options.
const INCLUDE: &str = "include_usage";

/// A body: the first byte is the endpoint.
pub(crate) fn ask(data: &[u8]) {
    let Some((endpoint, body)) = addressed(data) else {
        return;
    };
    grammar(body);
    let body = Bytes::copy_from_slice(body);
    let read = Ask::read(endpoint, &body);
    if let Err(AskError::NotJson { at, .. } | AskError::TooDeep { at }) = &read {
        assert!(*at <= body.len(), "a fault behind the end");
    }
    let text = std::str::from_utf8(&body).is_ok();
    let members = second::members(&body).filter(|_| text);
    match &read {
        Ok(ask) => {
            let members = members.expect("an object in UTF-8 is all that is read");
            agrees(ask, endpoint, &members);
            assert_eq!(ask.input_bytes, body.len() as u64);
            edit::edits(ask, endpoint, &body, &members);
        }
        Err(AskError::NotJson { .. }) => {
            assert!(!text || !second::is_document(&body), "refused as no JSON");
        }
        Err(AskError::NotAnObject) => {
            assert!(second::is_document(&body) && members.is_none());
        }
        Err(AskError::TooDeep { .. }) => assert!(second::depth(&body) > DEPTH),
        Err(AskError::TooMany { at, .. }) => {
            assert!(*at > MEMBERS as usize, "too many in {at} bytes")
        }
        // What comes behind the first fault is not read, so it may be anything.
        Err(other) => {
            if let Some(members) = members {
                deserved(other, &members);
            }
        }
    }
}

/// The grammar alone, on the whole document.
fn grammar(body: &[u8]) {
    let mut reader = Reader::new(body);
    let read = reader.skip().and_then(|value| {
        reader.end()?;
        Ok(value)
    });
    match read {
        Ok(value) => {
            assert!(second::is_document(body), "more than JSON is read");
            assert!(second::depth(body) <= DEPTH);
            let written = body.get(value.span.start..value.span.end);
            assert_eq!(written, Some(body.trim_ascii()));
            // The words of both readers are the same.
            let both = value.text().zip(std::str::from_utf8(body).ok());
            if let Some((ours, whole)) = both {
                let theirs = second::text(whole.trim());
                assert_eq!(ours.decode().as_deref(), theirs.as_deref());
                if let Some(theirs) = theirs {
                    assert_eq!(ours.len(), theirs.len() as u64);
                    assert!(ours.is(&theirs));
                }
            }
        }
        Err(Fault::Syntax { at, .. }) => {
            assert!(at <= body.len());
            assert!(!second::is_document(body), "less than JSON is read");
        }
        Err(Fault::TooDeep { .. }) => assert!(second::depth(body) > DEPTH),
        Err(Fault::TooMany { at }) => assert!(at > MEMBERS as usize, "too many in {at} bytes"),
    }
}

/// Whether what was read is what stands there.
fn agrees(ask: &Ask, endpoint: Endpoint, members: &[Member<'_>]) {
    assert_eq!(ambiguous(members, &EXACT), None);
    let of = |name: &str| value(members, name);
    let model = of("model").and_then(second::text);
    assert_eq!(
        ask.model.as_ref().map(|model| model.as_str()),
        model.as_deref()
    );
    assert_eq!(model.is_some(), of("model").is_some());
    let streams = !matches!(endpoint, Endpoint::Embeddings | Endpoint::CountTokens);
    assert_eq!(ask.stream, streams && of("stream") == Some("true"));
    let counts = |names: &[&str]| {
        let counts = names.iter().filter_map(|name| second::count(of(name)?));
        counts
            .max()
            .map(|most| u64::try_from(most).unwrap_or(u64::MAX))
    };
    assert_eq!(ask.output_limit, counts(limits(endpoint)));
    let several: &[&str] = match endpoint {
        Endpoint::ChatCompletions => &["n"],
        Endpoint::Completions => &["n", "best_of"],
        _ => &[],
    };
    // Whichever of several copies a provider reads, in whatever case, is held for.
    let prompts = members
        .iter()
        .filter(|(name, _)| endpoint == Endpoint::Completions && folds(name, "prompt"))
        .filter_map(|(_, prompts)| second::items(prompts))
        .map(|prompts| {
            let listed = |prompt: &&&str| prompt.starts_with(['"', '[']);
            prompts.iter().filter(listed).count()
        });
    let prompts = prompts.max().unwrap_or_default().max(1);
    let each = counts(several).unwrap_or(1);
    assert_eq!(ask.answers, each.saturating_mul(prompts as u64));
    assert!(ask.answers > 0);
    let options = of("stream_options").and_then(|options| second::members(options.as_bytes()));
    let include = options.as_deref().and_then(|options| {
        assert_eq!(ambiguous(options, &[INCLUDE]), None);
        value(options, INCLUDE)
    });
    let include = include.filter(|include| *include != "null");
    assert_eq!(ask.include_usage, include.map(|include| include == "true"));
    if let Some(user) = &ask.end_user {
        let said = |(_, value): &Member<'_>| {
            second::text(value).is_some_and(|text| text.starts_with(user))
        };
        let mut inner = members
            .iter()
            .filter_map(|(_, value)| second::members(value.as_bytes()))
            .flatten();
        let named = members.iter().any(said) || inner.any(|member| said(&member));
        assert!(named && user.len() <= 256 && !user.is_empty());
    }
}

/// Whether there is what an error says.
fn deserved(error: &AskError, members: &[Member<'_>]) {
    // Of several copies the first is read first.
    let options = || {
        let named = |(name, _): &&Member<'_>| name.as_deref() == Some("stream_options");
        let (_, options) = members.iter().find(named)?;
        second::members(options.as_bytes())
    };
    match error {
        AskError::Ambiguous { member } if member.ends_with(INCLUDE) => {
            let options = options().expect("the options are an object");
            assert_eq!(ambiguous(&options, &[INCLUDE]), Some(INCLUDE));
        }
        AskError::Ambiguous { member } => {
            assert_eq!(ambiguous(members, &[*member]), Some(*member));
        }
        AskError::WrongType { member, .. } if member.ends_with(INCLUDE) => {
            let options = options().expect("the options are an object");
            let mut copies = options.iter().filter(|(name, _)| folds(name, INCLUDE));
            assert!(copies.any(|(_, include)| !matches!(*include, "true" | "false" | "null")));
        }
        AskError::WrongType { member, .. } => {
            let mut copies = members.iter().filter(|(name, _)| folds(name, member));
            assert!(copies.any(|(_, value)| !right(member, value)), "{member}");
        }
        AskError::ModelName(_) => {
            let copies = members.iter().filter(|(name, _)| folds(name, "model"));
            let mut names = copies.filter_map(|(_, value)| second::text(value));
            assert!(names.any(|name| ModelName::parse(&name).is_err()));
        }
        other => assert!(*other == AskError::ModelMissing, "{other}"),
    }
}

/// The members that bound an answer of an endpoint.
pub(super) const fn limits(endpoint: Endpoint) -> &'static [&'static str] {
    match endpoint {
        Endpoint::ChatCompletions => &["max_tokens", "max_completion_tokens"],
        Endpoint::Completions | Endpoint::Messages => &["max_tokens"],
        Endpoint::Responses => &["max_output_tokens"],
        _ => &[],
    }
}

/// The value of a member, the last copy as in Python and in Node.
pub(super) fn value<'a>(members: &[Member<'a>], name: &str) -> Option<&'a str> {
    let mut copies = members.iter().rev();
    let found = copies.find(|(own, _)| own.as_deref() == Some(name));
    found.map(|(_, value)| *value)
}

/// The first of these names that is there twice, or in another case.
fn ambiguous<'n>(members: &[Member<'_>], names: &[&'n str]) -> Option<&'n str> {
    let twice = |name: &&&str| {
        let copies: Vec<_> = members.iter().filter(|(own, _)| folds(own, name)).collect();
        copies.len() > 1 || copies.iter().any(|(own, _)| own.as_deref() != Some(name))
    };
    names.iter().find(twice).copied()
}

/// Whether a reader that ignores case takes one for the other.
fn folds(own: &Option<String>, name: &str) -> bool {
    let fold = |letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => char::to_ascii_lowercase(&other),
    };
    let own = own
        .as_ref()
        .map(|own| own.chars().map(fold).collect::<String>());
    own.as_deref() == Some(name)
}

fn right(member: &str, value: &str) -> bool {
    match member {
        "model" => second::text(value).is_some(),
        "stream" | "background" => matches!(value, "true" | "false" | "null"),
        "stream_options" => value == "null" || value.starts_with('{'),
        "n" | "best_of" => value == "null" || second::count(value).is_some_and(|count| count > 0),
        _ => value == "null" || second::count(value).is_some(),
    }
}

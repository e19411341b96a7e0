//! Text that reads like an answer.

use super::chance::Chance;

/// Words of an answer at most, however many were asked for; a stream of this length is long enough for any test.
const MOST_WORDS: u64 = 20_000;

/// Words of the question that the first sentence repeats.
const QUOTED_WORDS: usize = 8;

const SUBJECTS: &[&str] = &[
    "The first step",
    "A careful reader",
    "Most of the work",
    "The simplest plan",
    "Each part",
    "A good example",
    "The usual answer",
    "The second option",
    "Every measurement",
    "The short version",
];
const VERBS: &[&str] = &[
    "depends on",
    "begins with",
    "is explained by",
    "rarely changes",
    "follows from",
    "leaves room for",
    "is limited by",
    "improves",
    "stands beside",
    "agrees with",
];
const OBJECTS: &[&str] = &[
    "the question itself",
    "what was known before",
    "a clear goal",
    "the time at hand",
    "small and steady changes",
    "the details that matter",
    "an honest estimate",
    "the cost of a mistake",
    "a second look",
    "the people who use it",
];
const ENDS: &[&str] = &[
    "",
    ", as a rule",
    ", and that is enough",
    " in most cases",
    ", though not always",
    " when it is written down",
];

/// An answer to `question`, in exactly as many words as it asks for, or in 20 to 70.
pub(super) fn answer(question: &str, chance: &mut Chance) -> String {
    let mut text = String::from("This is a simulated answer");
    if let Some(words) = words_asked(question) {
        text.push('.');
        let words = usize::try_from(words.clamp(1, MOST_WORDS)).unwrap_or(1);
        let have = go_on(&mut text, words, chance);
        cut(&mut text, have.saturating_sub(words));
        return text;
    }
    let quoted: Vec<&str> = question.split_whitespace().take(QUOTED_WORDS).collect();
    if !quoted.is_empty() {
        text.push_str(" to \u{201c}");
        text.push_str(&quoted.join(" "));
        text.push('\u{201d}');
    }
    text.push('.');
    let words = usize::try_from(20 + chance.below(41)).unwrap_or(20);
    go_on(&mut text, words, chance);
    text
}

/// Thoughts of at least `words` words.
pub(super) fn thoughts(words: u64, chance: &mut Chance) -> String {
    let mut text = String::from("Let me look at what is asked.");
    let words = usize::try_from(words.min(MOST_WORDS)).unwrap_or(0);
    go_on(&mut text, words, chance);
    text
}

/// Adds sentences to `text` until it has `words` words, and says how many it has then.
fn go_on(text: &mut String, words: usize, chance: &mut Chance) -> usize {
    let mut have = text.split_whitespace().count();
    while have < words {
        let sentence = format!(
            " {} {} {}{}.",
            chance.pick(SUBJECTS),
            chance.pick(VERBS),
            chance.pick(OBJECTS),
            chance.pick(ENDS)
        );
        have += sentence.split_whitespace().count();
        text.push_str(&sentence);
    }
    have
}

/// Takes `words` words off the end and puts the full stop back.
fn cut(text: &mut String, words: usize) {
    if words == 0 {
        return;
    }
    for _ in 0..words {
        let end = text.rfind(char::is_whitespace).unwrap_or(0);
        text.truncate(end);
    }
    text.truncate(text.trim_end_matches([',', '.']).len());
    text.push('.');
}

/// The number before the word `words`, as in `in 300 words` or `a 300-word essay`.
fn words_asked(question: &str) -> Option<u64> {
    let mut before = None;
    for word in question.split(|c: char| c.is_whitespace() || c == '-') {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let counted = bare.eq_ignore_ascii_case("words") || bare.eq_ignore_ascii_case("word");
        if counted && before.is_some() {
            return before;
        }
        before = bare.parse().ok();
    }
    None
}

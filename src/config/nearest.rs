//! The known word that somebody who wrote another one most likely meant.

/// Known words that are told where none is near.
const SHOWN: usize = 25;

/// The nearest of `words`, when it is near: about a third of the letters may differ.
pub(crate) fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word far longer than any of ours means none of them, and comparing it would cost its length squared.
    if word.len() > 128 {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    words
        .into_iter()
        .map(|known| (distance(&lower, &known.to_ascii_lowercase()), known))
        .filter(|(distance, known)| *distance <= (word.len().max(known.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Letters to insert, delete, replace or swap with their neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// `did you mean x?`, or the known words where none is near.
pub(crate) fn suggestion<'a>(
    word: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Option<String> {
    if let Some(meant) = nearest(word, known.clone()) {
        return Some(format!("did you mean {meant}?"));
    }
    let more = match known.clone().skip(SHOWN).count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let mut words: Vec<&str> = known.take(SHOWN).collect();
    words.sort_unstable();
    (!words.is_empty()).then(|| format!("known here: {}{more}", words.join(", ")))
}

use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};

use super::{cl100k, o200k};

/// Texts of many kinds: each cuts in another place.
const TEXTS: [&str; 6] = [
    "The gate opens when the fare is paid, and stays shut until then.",
    "fn main() {\n\tprintln!(\"{}\", 1_000_000);\r\n}\n\n  \n",
    r#"{"model":"gpt-4o","messages":[{"role":"user","content":"it's 12345, we'LL see"}]}"#,
    "Üñïcödé, 東京タワー, Москва, مرحبا, 👩‍👩‍👧‍👦",
    "    trailing   ",
    "<|endoftext|> is a text like any other",
];

fn same(ours: &CoreBPE, theirs: &CoreBPE) {
    for text in TEXTS {
        assert_eq!(
            ours.encode_ordinary(text),
            theirs.encode_ordinary(text),
            "{text}"
        );
    }
    // Every token of the whole vocabulary, the last one included, and none beyond it.
    for rank in (0..200_100)
        .step_by(7)
        .chain(100_200..100_300)
        .chain(199_900..200_100)
    {
        let token = theirs.decode_bytes(&[rank]);
        let special = theirs
            .special_tokens()
            .iter()
            .any(|special| token.as_deref().ok() == Some(special.as_bytes()));
        let token = token.ok().filter(|_| !special);
        assert_eq!(ours.decode_bytes(&[rank]).ok(), token, "{rank}");
    }
}

#[test]
fn what_was_packed_is_the_vocabulary() {
    same(cl100k(), cl100k_base_singleton());
    same(o200k(), o200k_base_singleton());
}

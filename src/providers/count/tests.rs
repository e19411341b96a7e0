use super::{LARGEST, Pieces, RUN, count_input, estimate_tokens};
use crate::providers::ProviderKind;

#[test]
fn four_bytes_are_a_token() {
    assert_eq!(estimate_tokens(0), 0);
    assert_eq!(estimate_tokens(1), 1);
    assert_eq!(estimate_tokens(8), 2);
    assert_eq!(estimate_tokens(u64::MAX), 1 << 62);
}

#[test]
fn a_count_is_above_the_prompt_and_below_the_bytes_of_prose() {
    let prose = "The gate opens when the fare is paid, and stays shut until then. ".repeat(40);
    let body =
        format!(r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"{prose}"}}]}}"#);
    let count = |kind, model| count_input(kind, model, body.as_bytes()).expect("a small body");
    let openai = count(ProviderKind::OpenAi, "gpt-4o");
    // Fifteen tokens a sentence.
    assert!((600..750).contains(&openai), "{openai}");
    let anthropic = count(ProviderKind::Anthropic, "claude-haiku-4-5");
    assert_eq!(anthropic, openai + openai.div_ceil(5));
    assert_eq!(count(ProviderKind::OpenAi, "llama-3"), anthropic);
    let older = count(ProviderKind::OpenAi, "gpt-4-turbo");
    assert!((600..750).contains(&older), "{older}");
}

#[test]
fn each_message_adds_its_own() {
    let count = |body: &str| count_input(ProviderKind::OpenAi, "gpt-4o", body.as_bytes());
    let one = count(r#"{"role":"user"}"#).expect("a small body");
    let other = count(r#"{"rule":"user"}"#).expect("a small body");
    assert!(one >= other + 3);
}

#[test]
fn what_is_too_large_or_no_text_is_not_counted() {
    let count = |body: &[u8]| count_input(ProviderKind::OpenAi, "gpt-4o", body);
    assert_eq!(count(&vec![b'a'; LARGEST + 1]), None);
    assert_eq!(count(b"\xff"), None);
    // The longest runs are counted, in pieces.
    for run in ["a", " ", "=", "\n", "é", "字"] {
        let text = run.repeat(LARGEST / run.len());
        assert!(count(text.as_bytes()).is_some_and(|tokens| tokens > 100));
    }
}

#[test]
fn pieces_have_no_long_runs_and_lose_nothing() {
    let text = format!(
        "{} {}{}",
        "a1".repeat(RUN),
        "é".repeat(RUN * 2),
        "=".repeat(RUN + 1)
    );
    let pieces: Vec<&str> = Pieces::of(&text).collect();
    assert_eq!(pieces.concat(), text);
    assert_eq!(pieces.len(), 4);
    assert_eq!(Pieces::of("").count(), 0);
}

use super::{model, models};
use crate::providers::{Dialect, ProviderKind};

const TWO: [(&str, ProviderKind); 2] = [
    ("gpt-4o-mini", ProviderKind::OpenAi),
    ("claude \"haiku\"", ProviderKind::Anthropic),
];

fn text(body: &bytes::Bytes) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    serde_json::to_string_pretty(&value).expect("JSON")
}

#[test]
fn a_list_has_its_dialects_shape() {
    insta::assert_snapshot!("openai", text(&models(Dialect::OpenAi, TWO.into_iter())));
    insta::assert_snapshot!(
        "anthropic",
        text(&models(Dialect::Anthropic, TWO.into_iter()))
    );
    insta::assert_snapshot!(
        "anthropic_empty",
        text(&models(Dialect::Anthropic, std::iter::empty()))
    );
}

#[test]
fn a_single_model_has_its_dialects_shape() {
    let openai = model(Dialect::OpenAi, "gpt-4o-mini", ProviderKind::OpenAi);
    insta::assert_snapshot!("openai_model", text(&openai));
    let anthropic = model(Dialect::Anthropic, "claude-haiku", ProviderKind::Anthropic);
    insta::assert_snapshot!("anthropic_model", text(&anthropic));
}

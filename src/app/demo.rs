//! The lines that a newcomer pastes: one call that succeeds, one stream, one that has to be paid, one that is too fast.

use std::fmt::Write;

use crate::config::Config;

/// The commands for the demo keys of a configuration, or nothing where it has none. Each `curl` line stands alone and
/// unprefixed, so that it can be copied as it is.
pub fn commands(config: &Config, base: &str) -> String {
    let key = |account: &str| {
        config
            .demo_keys
            .iter()
            .find(|demo| demo.account.as_str() == account)
    };
    let model = config
        .gateway
        .models
        .as_ref()
        .and_then(|models| models.first());
    let (Some(demo), Some(hasty), Some(unpaid), Some(model)) =
        (key("demo"), key("hasty"), key("unpaid"), model)
    else {
        return String::new();
    };
    let model = &model.name;
    let curl = |flags: &str, key: &str, stream: &str| {
        format!(
            "curl {flags} {base}/v1/chat/completions -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \
             -d '{{\"model\":\"{model}\",{stream}\"messages\":[{{\"role\":\"user\",\"content\":\"Say hello to Faregate\"}}]}}'"
        )
    };
    let mut text = String::new();
    let steps = [
        ("200: an account that may call", curl("-sSi", &demo.key, "")),
        (
            "200: a live stream",
            curl("-sSiN", &hasty.key, "\"stream\":true,"),
        ),
        (
            "402: an account whose subscription ended",
            curl("-sSi", &unpaid.key, ""),
        ),
        (
            "429: the account of the stream again, which has used its tokens per minute",
            curl("-sSi", &hasty.key, ""),
        ),
    ];
    let _ = writeln!(
        text,
        "Faregate listens on {base}. Paste these lines into another terminal, one after the other:"
    );
    for (says, command) in steps {
        let _ = write!(text, "\n# {says}\n{command}\n");
    }
    text
}

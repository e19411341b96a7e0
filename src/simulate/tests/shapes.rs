//! Every answer's shape, word for word: a change of any of them is a change of what clients parse.

use serde_json::Value;

use super::{Got, get, post};

const TOOL: &str = r#"{"name":"get_weather","description":"Weather of a city","SCHEMA":{"type":"object","properties":{"city":{"type":"string"},"unit":{"enum":["c","f"]}},"required":["city","unit"]}}"#;

fn chat_tool() -> String {
    let function = TOOL.replace("SCHEMA", "parameters");
    format!(r#"[{{"type":"function","function":{function}}}]"#)
}

fn responses_tool() -> String {
    let function = TOOL.replace("SCHEMA", "parameters");
    format!(r#"[{{"type":"function",{}]"#, &function[1..])
}

fn anthropic_tool() -> String {
    format!("[{}]", TOOL.replace("SCHEMA", "input_schema"))
}

/// The answer the way a reader sees it: status, type, and JSON spread out.
fn shown(got: &Got) -> String {
    let content_type = got
        .head
        .lines()
        .find_map(|line| line.strip_prefix("content-type: "))
        .unwrap();
    let body = match serde_json::from_str::<Value>(&got.body) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap(),
        Err(_) => got.body.clone(),
    };
    format!("{} {content_type}\n\n{body}", got.status)
}

async fn check_post(name: &str, path: &str, body: &str) {
    let got = post(path, body).await;
    insta::assert_snapshot!(name, shown(&got));
}

async fn check_get(name: &str, path: &str, fields: &str) {
    let got = get(path, fields).await;
    insta::assert_snapshot!(name, shown(&got));
}

#[tokio::test]
async fn chat() {
    let ask = r#"{"model":"m","messages":[{"role":"user","content":"Say hi in 7 words"}]"#;
    check_post("chat", "/v1/chat/completions", &format!("{ask}}}")).await;
    check_post(
        "chat_stream",
        "/v1/chat/completions",
        &format!(r#"{ask},"stream":true}}"#),
    )
    .await;
    check_post(
        "chat_stream_with_usage",
        "/v1/chat/completions",
        &format!(
            r#"{ask},"stream":true,"stream_options":{{"include_usage":true}},"max_tokens":3}}"#
        ),
    )
    .await;
}

#[tokio::test]
async fn chat_tools() {
    let ask = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"How is the weather?"}}],"tools":{}"#,
        chat_tool()
    );
    check_post("chat_tool", "/v1/chat/completions", &format!("{ask}}}")).await;
    check_post(
        "chat_tool_stream",
        "/v1/chat/completions",
        &format!(r#"{ask},"stream":true}}"#),
    )
    .await;
}

#[tokio::test]
async fn completions() {
    let ask = r#"{"model":"m","prompt":"Go on for 5 words","max_tokens":9"#;
    check_post("completion", "/v1/completions", &format!("{ask}}}")).await;
    check_post(
        "completion_stream",
        "/v1/completions",
        &format!(r#"{ask},"stream":true,"stream_options":{{"include_usage":true}}}}"#),
    )
    .await;
}

#[tokio::test]
async fn responses() {
    let ask =
        r#"{"model":"m","input":"Say hi in 3 words","reasoning":{"effort":"low","summary":"auto"}"#;
    check_post("response", "/v1/responses", &format!("{ask}}}")).await;
    check_post(
        "response_stream",
        "/v1/responses",
        r#"{"model":"m","input":"Say hi in 3 words","stream":true}"#,
    )
    .await;
    check_post(
        "response_incomplete",
        "/v1/responses",
        r#"{"model":"m","input":"Say hi in 3 words","max_output_tokens":2,"stream":true}"#,
    )
    .await;
}

#[tokio::test]
async fn response_tools() {
    let ask = format!(
        r#"{{"model":"m","input":"weather","tools":{},"tool_choice":"required","stream":true}}"#,
        responses_tool()
    );
    check_post("response_tool_stream", "/v1/responses", &ask).await;
}

#[tokio::test]
async fn messages() {
    let ask = r#"{"model":"m","max_tokens":200,"messages":[{"role":"user","content":"Say hi in 4 words"}],"system":[{"type":"text","text":"Be brief","cache_control":{"type":"ephemeral"}}]"#;
    check_post("message", "/v1/messages", &format!("{ask}}}")).await;
    check_post(
        "message_stream",
        "/v1/messages",
        &format!(r#"{ask},"stream":true}}"#),
    )
    .await;
    check_post(
        "message_thinking",
        "/v1/messages",
        &format!(r#"{ask},"thinking":{{"type":"enabled","budget_tokens":1024}}}}"#),
    )
    .await;
    check_post(
        "count_tokens",
        "/v1/messages/count_tokens",
        &format!("{ask}}}"),
    )
    .await;
}

#[tokio::test]
async fn message_tools() {
    let ask = format!(
        r#"{{"model":"m","max_tokens":200,"messages":[{{"role":"user","content":"weather"}}],"tools":{},"stream":true}}"#,
        anthropic_tool()
    );
    check_post("message_tool_stream", "/v1/messages", &ask).await;
    let whole = ask.replace(r#","stream":true"#, "");
    check_post("message_tool", "/v1/messages", &whole).await;
}

#[tokio::test]
async fn embeddings() {
    let ask = r#"{"model":"m","input":["one text","another"],"dimensions":3"#;
    check_post("embeddings", "/v1/embeddings", &format!("{ask}}}")).await;
    check_post(
        "embeddings_base64",
        "/v1/embeddings",
        &format!(r#"{ask},"encoding_format":"base64"}}"#),
    )
    .await;
}

#[tokio::test]
async fn models() {
    check_get("models_openai", "/v1/models", "").await;
    check_get(
        "models_anthropic",
        "/v1/models",
        "anthropic-version: 2023-06-01\r\n",
    )
    .await;
    check_get("model_openai", "/v1/models/gpt-4o-mini", "").await;
}

#[tokio::test]
async fn errors() {
    check_post("error_openai_no_model", "/v1/chat/completions", "{}").await;
    check_post("error_openai_bad_json", "/v1/chat/completions", "{").await;
    check_post("error_openai_unknown_path", "/v1/nothing", "{}").await;
    check_post(
        "error_openai_wrong_value",
        "/v1/chat/completions",
        r#"{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":0}"#,
    )
    .await;
    check_post("error_anthropic_no_model", "/v1/messages", "{}").await;
    check_post(
        "error_anthropic_no_limit",
        "/v1/messages",
        r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#,
    )
    .await;
    check_post("error_anthropic_bad_json", "/v1/messages", "[]").await;
    check_post("error_anthropic_unknown_path", "/v1/messages/batches", "{}").await;
    check_get("error_wrong_method", "/v1/chat/completions", "").await;
}

//! `GET /v1/models`: a few names to choose from. Any other name is served as well.

use serde_json::{Value, json};

use super::{reply::Reply, route::CREATED};
use crate::providers::Dialect;

const NAMES: [&str; 3] = ["simulated-large", "simulated-small", "simulated-embedding"];

/// The list, in the caller's dialect.
pub(super) fn list(dialect: Dialect) -> Reply {
    let data: Vec<Value> = NAMES.iter().map(|name| model(name, dialect)).collect();
    let list = match dialect {
        Dialect::Anthropic => json!({
            "data": data,
            "has_more": false,
            "first_id": NAMES.first(),
            "last_id": NAMES.last(),
        }),
        Dialect::OpenAi | Dialect::Gemini => json!({"object": "list", "data": data}),
    };
    Reply::json(&list, 0)
}

/// One model; every name is one.
pub(super) fn one(id: &str, dialect: Dialect) -> Reply {
    Reply::json(&model(id, dialect), 0)
}

fn model(id: &str, dialect: Dialect) -> Value {
    match dialect {
        Dialect::Anthropic => json!({
            "type": "model",
            "id": id,
            "display_name": id,
            "created_at": "2026-01-01T00:00:00Z",
        }),
        Dialect::OpenAi | Dialect::Gemini => json!({
            "id": id,
            "object": "model",
            "created": CREATED,
            "owned_by": "simulated",
        }),
    }
}

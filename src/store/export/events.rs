//! Rows as CloudEvents 1.0 (cncf.io), one in each line, in the shape that OpenMeter's `POST /api/v1/events` takes: `type`
//! selects the meter, `subject` is the customer, and events are told apart by `source` and `id`.

use std::io::{self, Write};

use serde_json::json;

use super::Item;
use crate::domain::NanoUsd;

const SOURCE: &str = "faregate";

/// An event in a line. Amounts are decimal texts, because a number would be read through floating point.
pub(super) fn event(item: &Item, out: &mut dyn Write) -> io::Result<()> {
    let event = match item {
        Item::Call(call) => json!({
            "specversion": "1.0",
            "type": "llm.tokens",
            "id": call.id,
            "source": SOURCE,
            "subject": call.account,
            "time": call.at,
            "datacontenttype": "application/json",
            "data": {
                "key": call.key,
                "plan": call.plan,
                "model": call.model,
                "provider": call.provider,
                "endpoint": call.endpoint,
                "outcome": call.outcome,
                "input_tokens": call.tokens.input,
                "cached_input_tokens": call.tokens.cached_input,
                "cache_write_tokens": call.tokens.cache_write,
                "output_tokens": call.tokens.output,
                "reasoning_tokens": call.tokens.reasoning,
                "estimated": call.estimated,
                "cost_usd": call.cost_nano_usd.map(NanoUsd::from_nanos),
            },
        }),
        Item::Entry(entry) => json!({
            "specversion": "1.0",
            "type": format!("credit.{}", entry.kind.as_str()),
            "id": entry.id,
            "source": SOURCE,
            "subject": entry.account,
            "time": entry.at,
            "datacontenttype": "application/json",
            "data": {
                "amount_usd": entry.amount,
                "author": entry.author,
                "reason": entry.reason,
                "expires_at": entry.expires_at,
                "priority": entry.priority,
                "related": entry.related,
            },
        }),
    };
    serde_json::to_writer(&mut *out, &event)?;
    out.write_all(b"\n")
}

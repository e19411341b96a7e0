//! Plausible values for a JSON schema: arguments of a tool, structured answers.

use serde_json::{Map, Value, json};

use super::chance::Chance;

/// How deep a schema is followed; a recursive one ends here.
const DEPTH: usize = 12;

/// Items and numbers are kept this small, whatever a schema's lower bound asks for.
const MOST_ITEMS: u64 = 16;

/// A value that fits `schema`, as far as the schema is made of types, enumerations, bounds and references to itself.
/// What it says beyond that (patterns, conditions) is not looked at.
pub(super) fn example(schema: &Value, chance: &mut Chance) -> Value {
    fill(schema, schema, "", DEPTH, chance)
}

fn fill(root: &Value, schema: &Value, name: &str, depth: usize, chance: &mut Chance) -> Value {
    let Some(depth) = depth.checked_sub(1) else {
        return Value::Null;
    };
    if let Some(fixed) = schema.get("const").or_else(|| schema.get("default")) {
        return fixed.clone();
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        let index = usize::try_from(chance.below(choices.len() as u64)).unwrap_or(0);
        return choices.get(index).cloned().unwrap_or(Value::Null);
    }
    if let Some(target) = referenced(root, schema) {
        return fill(root, target, name, depth, chance);
    }
    for list in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema
            .get(list)
            .and_then(Value::as_array)
            .and_then(|l| l.first())
        {
            return fill(root, first, name, depth, chance);
        }
    }
    match kind(schema) {
        "object" => Value::Object(object(root, schema, depth, chance)),
        "array" => {
            let items = bound(schema, "minItems").unwrap_or(1).min(MOST_ITEMS);
            let item = schema.get("items").unwrap_or(&Value::Null);
            (0..items)
                .map(|_| fill(root, item, name, depth, chance))
                .collect()
        }
        "integer" => json!(integer(schema, chance)),
        "number" => json!(number(schema, chance)),
        "boolean" => json!(chance.below(2) == 0),
        "null" => Value::Null,
        _ => json!(string(schema, name, chance)),
    }
}

/// The required members, or all of them where none is required.
fn object(root: &Value, schema: &Value, depth: usize, chance: &mut Chance) -> Map<String, Value> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Map::new();
    };
    let required = schema.get("required").and_then(Value::as_array);
    properties
        .iter()
        .filter(|(name, _)| {
            required.is_none_or(|list| list.is_empty() || list.iter().any(|r| r == name.as_str()))
        })
        .map(|(name, property)| (name.clone(), fill(root, property, name, depth, chance)))
        .collect()
}

/// Where `$ref` points, inside the same schema.
fn referenced<'a>(root: &'a Value, schema: &Value) -> Option<&'a Value> {
    let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
    root.pointer(pointer)
}

/// The type; of several, the first that is not `null`; without one, what the schema looks like.
fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

fn bound(schema: &Value, name: &str) -> Option<u64> {
    schema.get(name).and_then(Value::as_u64)
}

fn integer(schema: &Value, chance: &mut Chance) -> i64 {
    let least = schema.get("minimum").and_then(Value::as_i64);
    let most = schema.get("maximum").and_then(Value::as_i64);
    let (least, most) = match (least, most) {
        (Some(least), Some(most)) => (least, most),
        (Some(least), None) => (least, least.saturating_add(9)),
        (None, Some(most)) => (most.saturating_sub(9), most),
        (None, None) => (1, 10),
    };
    let span = most.abs_diff(least).saturating_add(1).min(1000);
    let step = i64::try_from(chance.below(span)).unwrap_or(0);
    least.saturating_add(step).min(most)
}

fn number(schema: &Value, chance: &mut Chance) -> f64 {
    let least = schema.get("minimum").and_then(Value::as_f64);
    let most = schema.get("maximum").and_then(Value::as_f64);
    match (least, most) {
        (Some(least), Some(most)) => f64::midpoint(least, most),
        (Some(edge), None) | (None, Some(edge)) => edge,
        (None, None) => {
            // Halves are exact in binary and short in text.
            let halves = u32::try_from(chance.below(40)).unwrap_or(0);
            f64::from(halves) / 2.0
        }
    }
}

/// A string that suits the schema's format, or the member's name, and is as long as it has to be.
fn string(schema: &Value, name: &str, chance: &mut Chance) -> String {
    let format = schema
        .get("format")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let text = match format {
        "date" => "2026-01-15",
        "date-time" => "2026-01-15T09:30:00Z",
        "time" => "09:30:00Z",
        "duration" => "PT15M",
        "email" => "ada@example.com",
        "uri" | "url" => "https://example.com/",
        "hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uuid" => "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
        _ => named(name, chance),
    };
    let mut text = text.to_owned();
    let least = bound(schema, "minLength").unwrap_or(0).min(1000);
    while (text.chars().count() as u64) < least {
        text.push('x');
    }
    if let Some(most) = bound(schema, "maxLength").and_then(|most| usize::try_from(most).ok()) {
        text = text.chars().take(most).collect();
    }
    text
}

fn named(name: &str, chance: &mut Chance) -> &'static str {
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["city", "location", "place", "town"]) {
        chance.pick(&["Lisbon", "Oslo", "Nairobi", "Kyoto", "Montreal"])
    } else if has(&["country"]) {
        chance.pick(&["Portugal", "Norway", "Kenya", "Japan", "Canada"])
    } else if has(&["date", "day"]) {
        "2026-01-15"
    } else if has(&["mail"]) {
        "ada@example.com"
    } else if has(&["url", "link"]) {
        "https://example.com/"
    } else if has(&["name", "author", "person", "user"]) {
        chance.pick(&["Ada", "Grace", "Alan", "Katherine"])
    } else if has(&["query", "question", "search", "topic"]) {
        chance.pick(&["opening hours", "current prices", "nearest station"])
    } else {
        chance.pick(&["alpha", "bravo", "delta", "sierra"])
    }
}

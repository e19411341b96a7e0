//! The JSON Schema that editors complete and check with.

use serde_json::{Map, Value, json};

use super::table::{Choice, Key, Kind, Need, ROOT, Section};

/// Any text with a variable in it, whatever the key takes.
const VARIABLE: &str = "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}";

/// What is read as a text, quoted or not. Bounds of a text say nothing of the others.
const SCALARS: [&str; 3] = ["string", "number", "boolean"];

/// The schema of the file (JSON Schema 2020-12), indented, with a line break at its end. Generated from the same table
/// that the file is read with.
pub fn schema() -> String {
    let mut definitions = Map::new();
    let mut schema = object(&ROOT, &mut definitions);
    definitions.insert(
        "variable".to_owned(),
        json!({"type": "string", "pattern": VARIABLE}),
    );
    schema.insert(
        "$schema".to_owned(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    schema.insert("title".to_owned(), "faregate.yaml".into());
    schema.insert("$defs".to_owned(), definitions.into());
    format!("{:#}\n", Value::Object(schema))
}

fn object(section: &'static Section, definitions: &mut Map<String, Value>) -> Map<String, Value> {
    let properties: Map<String, Value> = section
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), property(key, definitions)))
        .collect();
    let required: Vec<&str> = section
        .keys
        .iter()
        .filter(|key| key.need != Need::Optional)
        .map(|key| key.name)
        .collect();
    let mut object = Map::new();
    object.insert("type".to_owned(), "object".into());
    object.insert("description".to_owned(), section.doc.into());
    object.insert("additionalProperties".to_owned(), false.into());
    object.insert("properties".to_owned(), properties.into());
    if !required.is_empty() {
        object.insert("required".to_owned(), required.into());
    }
    object
}

fn property(key: &'static Key, definitions: &mut Map<String, Value>) -> Value {
    if let Some(why) = key.deferred {
        return json!({"not": {}, "description": format!("`{}` {why}.", key.name)});
    }
    let mut schema = kind(key.kind, definitions);
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), key.doc.into());
        if let Some(default) = key.default {
            schema.insert("default".to_owned(), written(key.kind, default));
        }
    }
    schema
}

/// A default as a JSON value of the kind.
fn written(kind: Kind, default: &str) -> Value {
    let structured = matches!(
        kind,
        Kind::Section(_) | Kind::Flag | Kind::Integer { .. } | Kind::Money
    );
    let parsed = structured.then(|| serde_json::from_str(default).ok());
    parsed.flatten().unwrap_or_else(|| default.into())
}

fn kind(kind: Kind, definitions: &mut Map<String, Value>) -> Value {
    match kind {
        Kind::Section(section) => reference(section, definitions),
        Kind::Named(section) => {
            let mut each = reference(section, definitions);
            // A name alone is a section with nothing in it.
            if section.keys.iter().all(|key| key.need == Need::Optional) {
                each = json!({"anyOf": [each, {"type": "null"}]});
            }
            json!({"type": "object", "additionalProperties": each})
        }
        Kind::NamedAnd { one, each } => {
            let one = (one.name.to_owned(), property(one, definitions));
            let properties: Map<String, Value> = [one].into_iter().collect();
            let each = reference(each, definitions);
            json!({"type": "object", "properties": properties, "additionalProperties": each})
        }
        Kind::Pairs => {
            let name = self::kind(Kind::Name, definitions);
            json!({"type": "object", "additionalProperties": name})
        }
        Kind::List(item) => {
            let item = self::kind(*item, definitions);
            json!({"type": "array", "items": item})
        }
        Kind::Unread(section) => {
            let item = self::kind(Kind::Section(section), definitions);
            json!({"type": "array", "items": item})
        }
        Kind::UrlTemplate => json!({"type": "string", "minLength": 1}),
        Kind::Text | Kind::Path => json!({"type": SCALARS, "minLength": 1}),
        Kind::Name => {
            or_variable(json!({"type": SCALARS, "pattern": "^[A-Za-z0-9_.:@/+-]{1,64}$"}))
        }
        Kind::Model => {
            or_variable(json!({"type": SCALARS, "pattern": "^[A-Za-z0-9_.:@/+#~=,-]{1,128}$"}))
        }
        Kind::Secret | Kind::MaybeSecret => json!({"anyOf": [
            {"type": SCALARS, "minLength": u8::from(matches!(kind, Kind::Secret))},
            {"type": "object", "additionalProperties": false, "required": ["file"],
             "properties": {"file": {"type": "string", "description": "A file with the secret; a line break at its end is cut."}}},
        ]}),
        Kind::Flag => or_variable(json!({"type": "boolean"})),
        Kind::Integer { least, most } => {
            let mut integer = json!({"type": "integer", "minimum": least});
            // Editors compute in doubles; a bound beyond their integers would only be wrong.
            if most < 1 << 53 {
                integer["maximum"] = most.into();
            }
            or_variable(integer)
        }
        Kind::Duration { zero, never } => {
            let number = if zero { "[0-9]+" } else { "0*[1-9][0-9]*" };
            let duration = pattern(&format!("^{number}(ms|s|m|h|d)$"));
            let Value::Object(mut duration) = duration else {
                return duration;
            };
            if let Some(Value::Array(any)) = duration.get_mut("anyOf") {
                any.extend(never.map(|never| json!({"const": never})));
                any.extend(zero.then(|| json!({"const": 0})));
            }
            duration.into()
        }
        Kind::Size { .. } => pattern("^[0-9]+(B|KB|MB|GB|KiB|MiB|GiB)$"),
        Kind::Price { .. } | Kind::Factor | Kind::Money => decimal(),
        Kind::MoneyOrShare => {
            let mut either = decimal();
            if let Some(Value::Array(any)) = either.get_mut("anyOf") {
                any.push(json!({"type": "string", "pattern": "^[1-9][0-9]?%$"}));
            }
            either
        }
        Kind::Address => pattern("^.+:[0-9]{1,5}$"),
        Kind::Url => pattern("^[Hh][Tt][Tt][Pp][Ss]?://[^?#@]+$"),
        Kind::Network => pattern("^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"),
        Kind::Instant => pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$"),
        Kind::Choice(Choice { words, .. }) => {
            let both = words.iter().flat_map(|word| {
                // A word of digits is a number when it stands without quotes.
                let number = word.parse::<u64>().ok().map(Value::from);
                [Some(Value::from(*word)), number]
            });
            let words: Vec<Value> = both.flatten().collect();
            or_variable(json!({"enum": words}))
        }
    }
}

fn reference(section: &'static Section, definitions: &mut Map<String, Value>) -> Value {
    if !definitions.contains_key(section.name) {
        let object = object(section, definitions);
        definitions.insert(section.name.to_owned(), object.into());
    }
    json!({"$ref": format!("#/$defs/{}", section.name)})
}

/// An exact decimal: a number, or a text of one.
fn decimal() -> Value {
    let number = json!({"type": "number", "minimum": 0});
    let mut either = pattern("^[0-9]+([.][0-9]{1,12})?$");
    if let Some(Value::Array(any)) = either.get_mut("anyOf") {
        any.insert(0, number);
    }
    either
}

fn pattern(pattern: &str) -> Value {
    or_variable(json!({"type": "string", "pattern": pattern}))
}

fn or_variable(schema: Value) -> Value {
    json!({"anyOf": [schema, {"$ref": "#/$defs/variable"}]})
}

//! The JSON Schema of the policy (draft 2020-12), for editors, made from the table of keys.

use serde_json::{Map, Value, json};

use crate::language::{Key, Kind, keys_of};

const DURATION: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$";
const DAYS: &str = "^[1-9][0-9]{1,4}d$";
const ROLE_NAME: &str = "^[a-z]([a-z0-9-]*[a-z0-9])?$";

/// The schema of one policy file.
#[must_use]
pub fn schema() -> Value {
    let mut whole = table("", "stint's policy: /etc/stint/policy.toml and policy.d/*.toml");
    if let Some(top) = whole.as_object_mut() {
        top.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        top.insert("title".to_owned(), json!("stint policy"));
    }
    whole
}

fn table(path: &str, doc: &str) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in keys_of(path) {
        properties.insert(key.name().to_owned(), value(key));
        if key.required {
            required.push(key.name());
        }
    }
    json!({
        "type": "object",
        "description": doc,
        "additionalProperties": false,
        "properties": properties,
        "required": required,
    })
}

fn roles(key: &Key) -> Value {
    json!({
        "type": "object",
        "description": key.doc,
        "additionalProperties": false,
        "patternProperties": { ROLE_NAME: table("roles.NAME", "A named privilege.") },
    })
}

fn value(key: &Key) -> Value {
    let duration = || json!({ "type": "string", "minLength": 2, "pattern": DURATION });
    let mut value = match key.kind {
        Kind::Table if key.path == "roles" => return roles(key),
        Kind::Table => return table(key.path, &doc(key)),
        Kind::Tables => json!({ "type": "array", "items": table(key.path, key.doc) }),
        Kind::Text => json!({ "type": "string" }),
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
        Kind::Number { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Duration => duration(),
        Kind::Days => json!({ "type": "string", "pattern": DAYS }),
        Kind::Durations => json!({ "type": "array", "items": duration() }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string", "minLength": 1 } }),
        Kind::Time => json!({ "type": "string", "format": "date-time" }),
    };
    if let Some(object) = value.as_object_mut() {
        object.insert("description".to_owned(), json!(doc(key)));
    }
    value
}

fn doc(key: &Key) -> String {
    let default =
        if key.default.is_empty() { String::new() } else { format!(" Default: {}.", key.default) };
    format!("{}{default}", key.doc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_every_key_and_no_other() {
        let schema = schema();
        assert_eq!(schema["additionalProperties"], json!(false));
        for key in crate::language::keys() {
            let pointer: String = key.path.split('.').fold(String::new(), |at, part| match part {
                "NAME" => format!("{at}/patternProperties/{ROLE_NAME}"),
                part if at.ends_with("/sudo") || at.ends_with("/grants") => {
                    format!("{at}/items/properties/{part}")
                }
                part => format!("{at}/properties/{part}"),
            });
            let found = schema.pointer(&pointer).unwrap_or_else(|| panic!("{pointer}"));
            assert!(found["description"].is_string(), "{pointer}");
        }
    }
}

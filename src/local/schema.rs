//! Compares JSON with a schema the way a strict API server does: unknown, missing and mistyped fields, by path.
//!
//! Bounds and rules are not looked at: they are `model::valid`'s and end in a condition. What is refused here cannot
//! even be read. What the schema lets through and the types do not (a number too big, an address that is none) is told in
//! the same way: where it stands, what stands there, what is wanted.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;
use serde_path_to_error::Segment;

/// Judges `value` by `schema`; `path` is where `value` stands in its document.
///
/// # Errors
/// The first field that is unknown, missing or of another type, in a sentence.
pub fn check(value: &Value, schema: &JSONSchemaProps, path: &str) -> Result<(), String> {
    if schema.x_kubernetes_preserve_unknown_fields == Some(true) {
        return Ok(());
    }
    let wanted = schema.type_.as_deref().unwrap_or("object");
    if !fits(value, wanted) {
        // YAML reads 5, true and also yes, no, y and n as something else than text.
        let quote =
            if wanted == "string" && !value.is_array() && !value.is_object() { ": put it in quotes" } else { "" };
        return Err(format!("{path} must be {} {wanted}, not {}{quote}", article(wanted), word(value)));
    }
    if let Some(allowed) = &schema.enum_
        && !allowed.iter().any(|a| a.0 == *value)
    {
        let words: Vec<_> = allowed.iter().map(|a| plain(&a.0)).collect();
        return Err(format!("{path} must be one of {}, not {}", words.join(", "), plain(value)));
    }
    match value {
        Value::Object(map) => fields(map, schema, path),
        Value::Array(items) => {
            let Some(schema) = items_of(schema) else { return Ok(()) };
            items.iter().enumerate().try_for_each(|(n, item)| check(item, schema, &format!("{path}[{n}]")))
        }
        _ => Ok(()),
    }
}

fn fields(map: &serde_json::Map<String, Value>, schema: &JSONSchemaProps, path: &str) -> Result<(), String> {
    let known = schema.properties.as_ref();
    for (name, value) in map {
        let at = format!("{path}.{name}");
        match (known.and_then(|k| k.get(name)), &schema.additional_properties) {
            // A null is a field that is not there, as the API server prunes it.
            (Some(_), _) if value.is_null() => {}
            (Some(schema), _) => check(value, schema, &at)?,
            (None, Some(JSONSchemaPropsOrBool::Schema(schema))) => check(value, schema, &at)?,
            (None, Some(JSONSchemaPropsOrBool::Bool(true))) => {}
            (None, _) => return Err(unknown(&at, name, known.into_iter().flat_map(|k| k.keys()))),
        }
    }
    let missing = schema.required.iter().flatten().find(|name| map.get(*name).is_none_or(Value::is_null));
    missing.map_or(Ok(()), |name| Err(format!("{path}.{name} is missing")))
}

fn unknown<'a>(at: &str, name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let (mut near, mut all) = (None, Vec::new());
    for k in known {
        let (a, b) = (k.to_lowercase(), name.to_lowercase());
        if a.trim_end_matches('s') == b.trim_end_matches('s') || (b.len() > 1 && a.starts_with(&b)) {
            near = Some(k);
        }
        all.push(k.as_str());
    }
    match near {
        Some(near) => format!("{at} is an unknown field; {near} is meant?"),
        None => format!("{at} is an unknown field; known here: {}", all.join(", ")),
    }
}

/// The sentence for a value that its type does not take, by what the schema says of its place.
#[must_use]
pub fn misfit(
    error: &serde_path_to_error::Error<serde_json::Error>,
    mut value: &Value,
    schema: &JSONSchemaProps,
) -> String {
    let mut schema = Some(schema);
    for segment in error.path() {
        let (inner, below) = match segment {
            Segment::Map { key } => (value.get(key), schema.and_then(|s| below(s, key))),
            Segment::Seq { index } => (value.get(*index), schema.and_then(items_of)),
            Segment::Enum { .. } | Segment::Unknown => (None, None),
        };
        let Some(inner) = inner else { break };
        (value, schema) = (inner, below);
    }
    let range = schema.and_then(|s| Some(format!("must be a number from {} to {}", s.minimum?, s.maximum?)));
    if value.is_string() && schema.is_some_and(|s| s.pattern.is_some()) {
        // A type of ours, which names the value itself.
        return format!("{}: {}", error.path(), error.inner());
    }
    let rules = schema.and_then(|s| s.x_kubernetes_validations.as_ref());
    let rule = rules.and_then(|rules| rules.first()?.message.clone());
    let wanted = range.filter(|_| value.is_number()).or_else(|| rule.filter(|_| value.is_string()));
    let wanted = wanted.unwrap_or_else(|| format!("does not fit: {}", error.inner()));
    format!("{}: {} {wanted}", error.path(), brief(value))
}

fn below<'a>(schema: &'a JSONSchemaProps, name: &str) -> Option<&'a JSONSchemaProps> {
    let other = match &schema.additional_properties {
        Some(JSONSchemaPropsOrBool::Schema(schema)) => Some(&**schema),
        _ => None,
    };
    schema.properties.as_ref().and_then(|known| known.get(name)).or(other)
}

fn items_of(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(schema)) => Some(schema),
        _ => None,
    }
}

/// A value as JSON, which is on one line, and its beginning if it is long.
fn brief(value: &Value) -> String {
    const LONGEST: usize = 80;
    let mut text = value.to_string();
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

fn fits(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'i', 'o']) { "an" } else { "a" }
}

fn word(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".into(),
        Value::Array(_) => "an array".into(),
        Value::String(_) => format!("the string {}", brief(value)),
        other => other.to_string(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().filter(|text| text.len() < 80 && !text.contains('\n')).map_or_else(|| brief(value), str::to_owned)
}

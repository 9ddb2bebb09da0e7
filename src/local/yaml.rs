//! From the text of a file to objects, as strictly as `kubectl apply --validate=strict` reads it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSONSchemaProps};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::api;
use crate::model::Kind;
use crate::model::object::Object;

/// What one document of a file holds.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// Hash of the text: a document whose text stays is not read again.
    pub hash: u64,
    /// Objects of ours.
    pub objects: Vec<Object>,
    /// What is wrong, or skipped, in sentences without the file's name.
    pub errors: Vec<String>,
    /// Objects that are somebody else's, as `kind name (apiVersion)`.
    pub foreign: Vec<String>,
}

/// The longest document that is read, bytes.
const LONGEST: usize = 64 << 20;

/// Reads all documents of a file. A document that stands in `before` with the same text is taken from there.
#[must_use]
pub fn read(text: &str, before: &[Document]) -> Vec<Document> {
    let good = before.iter().filter(|d| d.errors.is_empty());
    let known: BTreeMap<u64, &Document> = good.map(|d| (d.hash, d)).collect();
    let mut documents = Vec::new();
    for (number, (line, text)) in split(text).into_iter().enumerate() {
        let mut hasher = DefaultHasher::new();
        text.trim_start_matches("---").trim_start_matches(['\r', '\n']).hash(&mut hasher);
        let hash = hasher.finish();
        documents.push(known.get(&hash).map_or_else(
            || {
                let mut document = Document { hash, ..Document::default() };
                read_document(text, number + 1, line, &mut document);
                document
            },
            |&d| d.clone(),
        ));
    }
    documents
}

/// Cuts a file at its document markers (YAML 1.2, 9.1: `---` at the start of a line is never content) and says on which
/// line each piece starts, counted from 0.
fn split(text: &str) -> Vec<(usize, &str)> {
    let (mut pieces, mut start, mut at, mut first) = (Vec::new(), 0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let marker = line.strip_prefix("---").is_some_and(|rest| rest.trim_start() != rest || rest.is_empty());
        // Comments and directives before a marker belong to the document behind it.
        let is_head = |line: &str| line.trim().is_empty() || line.starts_with(['#', '%']);
        if marker && !text[start..at].lines().all(is_head) {
            pieces.push((first, &text[start..at]));
            (start, first) = (at, number);
        }
        at += line.len();
    }
    pieces.push((first, &text[start..]));
    pieces
}

fn read_document(text: &str, number: usize, line: usize, into: &mut Document) {
    if text.len() > LONGEST {
        into.errors.push(format!("document {number} is longer than {} MiB; cut it into several", LONGEST >> 20));
        return;
    }
    let limits = serde_saphyr::budget! { max_nodes: 8_000_000, max_events: 32_000_000 };
    let options = serde_saphyr::options! { budget: limits, with_snippet: false };
    match serde_saphyr::from_str_with_options::<Value>(text, options) {
        Ok(value) => read_value(value, &format!("document {number}"), into),
        Err(error) => {
            let text = error.without_snippet().to_string();
            let text = text.split(" at line ").next().unwrap_or_default().replace('\n', " ");
            let at = error.location().map_or(String::new(), |l| format!(", line {}", line as u64 + l.line()));
            into.errors.push(format!("document {number}{at} is not YAML: {text}"));
        }
    }
}

fn read_value(mut value: Value, at: &str, into: &mut Document) {
    if value.is_null() {
        return;
    }
    let text = |name| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if !value.is_object() || version.is_empty() || kind.is_empty() {
        into.errors.push(format!("{at} is no Kubernetes object: apiVersion or kind is missing, or no string"));
        return;
    }
    if kind == "List" && version == "v1" {
        let items = value.get_mut("items").map(Value::take);
        let Some(Value::Array(items)) = items else {
            into.errors.push(format!("{at}: a List needs items"));
            return;
        };
        for (n, item) in items.into_iter().enumerate() {
            read_value(item, &format!("{at}, items[{n}]"), into);
        }
        return;
    }
    let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("without name").to_owned();
    if version.split_once('/').is_none_or(|(group, _)| group != api::GROUP) {
        into.foreign.push(format!("{kind} {name} ({version})"));
        return;
    }
    match object(&version, &kind, value) {
        Ok(object) => into.objects.push(object),
        Err(why) => into.errors.push(format!("{at}, {kind} {name}: {why}")),
    }
}

/// The schema of each kind's root object.
static SCHEMAS: LazyLock<BTreeMap<String, JSONSchemaProps>> = LazyLock::new(|| {
    let schema = |crd: CustomResourceDefinition| {
        let version = crd.spec.versions.into_iter().next()?;
        Some((crd.spec.names.kind, version.schema?.open_api_v3_schema?))
    };
    api::all().into_iter().filter_map(schema).collect()
});

fn object(version: &str, kind: &str, mut value: Value) -> Result<Object, String> {
    if version != api::API_VERSION {
        return Err(format!("apiVersion {version} is not served; write {}", api::API_VERSION));
    }
    let known = Kind::named(kind);
    let (Some(kind), Some(schema)) = (known, SCHEMAS.get(kind)) else {
        let kinds: Vec<_> = Kind::ALL.into_iter().filter(|k| k.declared()).map(|k| k.to_string()).collect();
        return Err(format!("there is no such kind; the kinds are {}", kinds.join(", ")));
    };
    if !kind.declared() {
        return Err(format!("a cluster's {kind} is written by Tenet itself: remove it from the folder"));
    }
    let root = value.as_object_mut().ok_or("not an object")?;
    let meta = metadata(root.remove("metadata").unwrap_or_default(), kind)?;
    root.remove("apiVersion");
    root.remove("kind");
    // As with the status subresource: what a file says of the status is not heard.
    root.remove("status");
    super::schema::check(&value, schema, "")
        .map_err(|why| why.strip_prefix('.').map_or_else(|| why.clone(), str::to_owned))?;
    let root = value.as_object_mut().ok_or("not an object")?;
    root.insert("metadata".into(), serde_json::to_value(&meta).map_err(|e| e.to_string())?);
    Object::read(kind, &value).map_err(|error| super::schema::misfit(&error, &value, schema))
}

/// What a user may say in `metadata`, checked; what the API server would fill in is dropped.
fn metadata(value: Value, kind: Kind) -> Result<ObjectMeta, String> {
    const SERVERS: [&str; 9] = [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
        "ownerReferences",
    ];
    let map = match value {
        Value::Object(map) => map,
        Value::Null => return Err("metadata is missing".into()),
        _ => return Err("metadata must be an object: write name: below it".into()),
    };
    let users = ["name", "namespace", "labels", "annotations", "finalizers"];
    if let Some(name) = map.keys().find(|k| !users.contains(&k.as_str()) && !SERVERS.contains(&k.as_str())) {
        return Err(format!("metadata.{name} is an unknown field; known here: {}", users.join(", ")));
    }
    let kept = map.into_iter().filter(|(k, _)| users.contains(&k.as_str())).collect();
    let kept = Value::Object(kept);
    let mut meta: ObjectMeta = serde_path_to_error::deserialize(&kept)
        .map_err(|error| format!("metadata.{}", super::schema::misfit(&error, &kept, &JSONSchemaProps::default())))?;
    let name = meta.name.as_deref().unwrap_or_default();
    if name.len() > 253 || !name.split('.').all(|label| is_label(label, 253)) {
        return Err(format!("metadata.name `{name}` must be 1 to 253 lower case letters, digits, - and . (RFC 1123)"));
    }
    meta.namespace = kind.namespaced().then(|| meta.namespace.unwrap_or_else(|| "default".into()));
    match &meta.namespace {
        Some(ns) if !is_label(ns, 63) => {
            Err(format!("metadata.namespace `{ns}` must be 1 to 63 lower case letters, digits and - (RFC 1123)"))
        }
        _ => Ok(meta),
    }
}

fn is_label(text: &str, longest: usize) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=longest).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests;

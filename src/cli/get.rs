//! `tenet get`: kubectl's tables and words, from the state directory.

use std::error::Error;
use std::io::{self, Write as _};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::Ended;
use super::args::{Format, Get};
use super::table::Table;
use crate::api;
use crate::local::store::Store;
use crate::local::{held, removals};
use crate::model::object::Object;
use crate::model::{Kind, Snapshot};

/// The category of all kinds, as `kubectl get tenet` has it.
const CATEGORY: &str = "tenet";

/// `tenet get`
pub fn run(args: &Get) -> Ended {
    let store =
        Store::read(&args.state.state).map_err(|e| format!("state directory {}: {e}", args.state.state.display()))?;
    let mut err = io::stderr().lock();
    let held = held::read(&args.state.state);
    for line in removals::sentences(held.iter().map(|(folder, count)| (folder.as_str(), *count))) {
        writeln!(err, "warning: {line}")?;
    }
    let text = answer(args, store.snapshot(), Timestamp::now())?;
    match text {
        Some(text) => io::stdout().write_all(text.as_bytes())?,
        None if args.all_namespaces => writeln!(err, "No resources found")?,
        None => writeln!(err, "No resources found in {} namespace.", args.namespace)?,
    }
    Ok(0)
}

/// What is printed; none: there is nothing to show.
fn answer(args: &Get, snapshot: &Snapshot, now: Timestamp) -> Result<Option<String>, Box<dyn Error>> {
    let crds = match &args.kind {
        Some(word) if word != CATEGORY => vec![kind(word)?],
        _ => api::all(),
    };
    let mut tables = Vec::new();
    let mut all = Vec::new();
    for crd in &crds {
        let objects = select(args, snapshot, crd)?;
        if let Some(name) = &args.name
            && objects.is_empty()
        {
            let plural = &crd.spec.names.plural;
            return Err(format!("{plural}.{} \"{name}\" not found", api::GROUP).into());
        }
        if objects.is_empty() {
            continue;
        }
        let prefix = if crds.len() > 1 { format!("{}.{}/", singular(crd), api::GROUP) } else { String::new() };
        let columns = crd.spec.versions.first().and_then(|v| v.additional_printer_columns.as_deref());
        let table = Table {
            columns: columns.unwrap_or_default(),
            wide: args.output == Some(Format::Wide),
            namespaces: args.all_namespaces && crd.spec.scope == "Namespaced",
            prefix: &prefix,
        };
        tables.push(table.text(&objects, now));
        all.extend(objects);
    }
    let value = match (&args.name, all.len()) {
        (Some(_), 1) => all.pop().unwrap_or_default(),
        _ => json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": all}),
    };
    Ok(match args.output {
        Some(Format::Json) => Some(serde_json::to_string_pretty(&value)? + "\n"),
        Some(Format::Yaml) => Some(serde_saphyr::to_string(&value)?),
        _ => (!tables.is_empty()).then(|| tables.join("\n")),
    })
}

/// The objects of one kind that are asked for, as JSON.
fn select(args: &Get, snapshot: &Snapshot, crd: &CustomResourceDefinition) -> Result<Vec<Value>, serde_json::Error> {
    let Some(kind) = Kind::named(&crd.spec.names.kind) else {
        return Ok(Vec::new());
    };
    let wanted = |object: &Object| {
        let key = object.id().key;
        let here = args.all_namespaces || !kind.namespaced() || *key.namespace == *args.namespace;
        here && args.name.as_deref().is_none_or(|name| *key.name == *name)
    };
    Object::all(snapshot, kind).iter().filter(|o| wanted(o)).map(Object::json).collect()
}

/// The kind that a word means: kind, singular, plural or short name, with or without the group, in any case.
fn kind(word: &str) -> Result<CustomResourceDefinition, String> {
    let asked = word.to_lowercase();
    let bare = asked.strip_suffix(&format!(".{}", api::GROUP)).unwrap_or(&asked);
    let means = |crd: &CustomResourceDefinition| {
        let names = &crd.spec.names;
        bare == names.plural
            || bare == singular(crd)
            || bare == names.kind.to_lowercase()
            || names.short_names.iter().flatten().any(|s| s == bare)
    };
    let unknown = || {
        let kinds: Vec<_> = api::all().into_iter().map(|c| c.spec.names.plural).collect();
        format!("there is no kind \"{word}\"; the kinds are {}", kinds.join(", "))
    };
    api::all().into_iter().find(means).ok_or_else(unknown)
}

fn singular(crd: &CustomResourceDefinition) -> String {
    crd.spec.names.singular.clone().unwrap_or_else(|| crd.spec.names.kind.to_lowercase())
}

#[cfg(test)]
mod tests;

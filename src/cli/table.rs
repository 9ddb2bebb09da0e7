//! Tables as kubectl prints them: columns as the CRD declares them, three spaces apart.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::{age, json_path};

/// A table of one kind.
#[derive(Debug)]
pub struct Table<'a> {
    /// The CRD's columns.
    pub columns: &'a [CustomResourceColumnDefinition],
    /// Whether columns of lower priority are shown too.
    pub wide: bool,
    /// Whether the namespace is shown.
    pub namespaces: bool,
    /// What stands before each name: `network.tenet.network/` when several kinds are shown.
    pub prefix: &'a str,
}

impl Table<'_> {
    /// The table of some objects.
    #[must_use]
    pub fn text(&self, objects: &[Value], now: Timestamp) -> String {
        let columns: Vec<_> = self.columns.iter().filter(|c| self.wide || c.priority.unwrap_or(0) == 0).collect();
        let mut head = Vec::new();
        if self.namespaces {
            head.push("NAMESPACE".to_owned());
        }
        head.push("NAME".to_owned());
        head.extend(columns.iter().map(|c| c.name.to_uppercase()));
        if self.columns.is_empty() {
            head.push("AGE".to_owned());
        }
        let mut rows = vec![head];
        for object in objects {
            let meta = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
            let mut row = Vec::new();
            if self.namespaces {
                row.push(meta("namespace"));
            }
            row.push(format!("{}{}", self.prefix, meta("name")));
            row.extend(columns.iter().map(|c| cell(object, &c.json_path, &c.type_, now)));
            if self.columns.is_empty() {
                row.push(cell(object, ".metadata.creationTimestamp", "date", now));
            }
            rows.push(row);
        }
        lines(&rows)
    }
}

fn cell(object: &Value, path: &str, type_: &str, now: Timestamp) -> String {
    let found = json_path::find(object, path);
    match (found.first(), type_) {
        // The API server shows the first of several, and a missing one as nothing.
        (None | Some(Value::Null), _) => String::new(),
        (Some(Value::String(text)), "date") => match text.parse::<Timestamp>() {
            Ok(then) => age::words(now.as_second() - then.as_second()),
            Err(_) => "<invalid>".into(),
        },
        (Some(Value::String(text)), _) => text.clone(),
        (Some(other), _) => other.to_string(),
    }
}

fn lines(rows: &[Vec<String>]) -> String {
    let width = |n: usize| rows.iter().filter_map(|r| r.get(n)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..rows.first().map_or(0, Vec::len)).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let line = cells.join("   ");
        text += line.trim_end();
        text.push('\n');
    }
    text
}

//! The table of good and bad objects: one file per kind, read by every test of the rules.

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// One kind's cases.
#[derive(Deserialize)]
pub struct Table {
    pub kind: String,
    base: Map<String, Value>,
    good: Vec<Map<String, Value>>,
    bad: Vec<Bad>,
    edits: Vec<Edit>,
}

#[derive(Deserialize)]
struct Bad {
    says: String,
    #[serde(default)]
    schema: bool,
    spec: Map<String, Value>,
}

#[derive(Deserialize)]
struct Edit {
    says: Option<String>,
    #[serde(default)]
    from: Map<String, Value>,
    spec: Map<String, Value>,
}

/// One object that is written, and what comes of it.
pub struct Case {
    /// The object that is there before; none: this one is created.
    pub old: Option<Value>,
    pub new: Value,
    /// Words of the refusal; none: it is taken.
    pub says: Option<String>,
    /// Whether a bound, a type or an enumeration refuses it, not a rule.
    pub schema: bool,
}

impl Table {
    /// All cases of the kind; every object has a name of its own.
    pub fn cases(&self) -> Vec<Case> {
        let good = self.good.iter().map(|spec| (None, spec, None, false));
        let bad = self.bad.iter().map(|bad| (None, &bad.spec, Some(bad.says.clone()), bad.schema));
        let edits = self.edits.iter().map(|edit| (Some(&edit.from), &edit.spec, edit.says.clone(), false));
        let rows = good.chain(bad).chain(edits).enumerate();
        rows.map(|(n, (old, new, says, schema))| {
            let name = format!("{}-{n}", self.kind.to_lowercase());
            Case { old: old.map(|spec| self.object(&name, spec)), new: self.object(&name, new), says, schema }
        })
        .collect()
    }

    fn object(&self, name: &str, fields: &Map<String, Value>) -> Value {
        let mut spec = self.base.clone();
        spec.extend(fields.clone());
        let mut metadata = json!({ "name": name });
        if !["PhysicalNetwork", "Agent", "Allocation"].contains(&self.kind.as_str()) {
            metadata["namespace"] = "default".into();
        }
        json!({ "apiVersion": "tenet.network/v1alpha1", "kind": self.kind, "metadata": metadata, "spec": spec })
    }
}

/// The tables of all kinds.
pub fn tables() -> Vec<Table> {
    let files = [
        include_str!("network.yaml"),
        include_str!("subnet.yaml"),
        include_str!("port.yaml"),
        include_str!("router.yaml"),
        include_str!("floatingip.yaml"),
        include_str!("securitygroup.yaml"),
        include_str!("physicalnetwork.yaml"),
        include_str!("referencegrant.yaml"),
        include_str!("agent.yaml"),
        include_str!("allocation.yaml"),
    ];
    files.iter().map(|text| serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"))).collect()
}

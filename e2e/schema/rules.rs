//! Each rule on a good and a bad object: in CEL, evaluated here, and in Rust.

use std::collections::{BTreeMap, BTreeSet};

use kube::core::cel::Validator;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tenet::api::{
    Agent, Allocation, FloatingIP, Network, PhysicalNetwork, Port, ReferenceGrant, Router, SecurityGroup, Subnet,
};
use tenet::model::valid::Valid;

use crate::objects::{Case, tables};
use crate::{schemas, walk};

/// What CEL says of a case.
fn cel(schema: &Value, case: &Case) -> Vec<String> {
    let verdict = Validator::new().validate(schema, &case.new, case.old.as_ref());
    verdict.err().map(|e| e.into_vec().into_iter().map(|e| e.message).collect()).unwrap_or_default()
}

#[test]
fn cel_takes_the_good_objects_and_refuses_the_bad_ones() {
    let schemas: BTreeMap<_, _> = schemas().into_iter().collect();
    for table in tables() {
        for case in table.cases() {
            let said = cel(&schemas[&table.kind], &case);
            match &case.says {
                None => assert!(said.is_empty(), "refused: {}\n{said:#?}", case.new),
                Some(_) if case.schema => {}
                Some(says) => {
                    assert!(said.iter().any(|s| s.contains(says)), "`{says}` is not said of {}\n{said:#?}", case.new);
                }
            }
        }
    }
}

/// One fault, one sentence: a rule that fails to evaluate, or a second rule that speaks too, would hide what is wrong.
#[test]
fn a_bad_object_breaks_only_the_rule_that_it_is_about() {
    let schemas: BTreeMap<_, _> = schemas().into_iter().collect();
    for table in tables() {
        for case in table.cases().iter().filter(|case| case.says.is_some() && !case.schema) {
            let said: BTreeSet<String> = cel(&schemas[&table.kind], case).into_iter().collect();
            assert_eq!(said.len(), 1, "{}\n{said:#?}", case.new);
        }
    }
}

#[test]
fn every_cel_rule_has_a_bad_object() {
    let mut cases = BTreeMap::new();
    for table in tables() {
        cases.insert(table.kind.clone(), table.cases());
    }
    let mut unseen = BTreeSet::new();
    for (kind, schema) in schemas() {
        let seen: BTreeSet<String> = cases[&kind].iter().flat_map(|case| cel(&schema, case)).collect();
        // Statuses are written by Tenet itself; their rules are those of the same values in specs.
        walk(&kind, &schema["properties"]["spec"], &mut |path, field| {
            for rule in field["x-kubernetes-validations"].as_array().into_iter().flatten() {
                let message = rule["message"].as_str().unwrap_or_else(|| panic!("{path} has a rule without a message"));
                if !seen.contains(message) {
                    unseen.insert(format!("{kind}: {message}"));
                }
            }
        });
    }
    assert!(unseen.is_empty(), "rules without a bad object in e2e/objects: {unseen:#?}");
}

/// Whether the Rust side takes a case: it parses, is valid by itself, and the edit is allowed.
fn judge<T: DeserializeOwned + Valid>(case: &Case) -> Result<(), String> {
    let read = |value: &Value| serde_json::from_value::<T>(value.clone()).map_err(|e| format!("does not parse: {e}"));
    let new = read(&case.new)?;
    let verdict = new.valid().and_then(|()| match &case.old {
        Some(old) => new.edit(&read(old).unwrap()),
        None => Ok(()),
    });
    verdict.map_err(|remark| remark.message)
}

#[test]
fn rust_takes_the_good_objects_and_refuses_the_bad_ones() {
    for table in tables() {
        let judge = match table.kind.as_str() {
            "Network" => judge::<Network>,
            "Subnet" => judge::<Subnet>,
            "Port" => judge::<Port>,
            "Router" => judge::<Router>,
            "FloatingIP" => judge::<FloatingIP>,
            "SecurityGroup" => judge::<SecurityGroup>,
            "PhysicalNetwork" => judge::<PhysicalNetwork>,
            "ReferenceGrant" => judge::<ReferenceGrant>,
            "Agent" => judge::<Agent>,
            "Allocation" => judge::<Allocation>,
            kind => panic!("no such kind: {kind}"),
        };
        for case in table.cases() {
            match (&case.says, judge(&case)) {
                (None, Ok(())) => {}
                (None, Err(said)) => panic!("refused: {}\n{said}", case.new),
                (Some(says), Ok(())) => panic!("taken, though `{says}`: {}", case.new),
                // What cannot be read never becomes an object; the parser's words are its own.
                (Some(_), Err(said)) if said.starts_with("does not parse") => {}
                (Some(says), Err(said)) => assert!(said.contains(says), "`{says}` is not what is said: {said}"),
            }
        }
    }
}

//! Everything in a CRD is described and bounded, and of a shape that Kubernetes takes.

use tenet::api::{Condition, ConditionType, Reason, UNJUDGED};

use crate::{schemas, walk};

#[test]
fn every_field_has_a_description() {
    for (kind, schema) in schemas() {
        walk(&kind, &schema, &mut |path, field| {
            let described = field["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(described || path.ends_with("[]") || path.ends_with("{}"), "{path} has no description");
        });
    }
}

/// The API server refuses rules that might cost too much, and reckons with the longest value that the schema allows.
#[test]
fn every_string_number_and_list_is_bounded() {
    for (kind, schema) in schemas() {
        walk(&kind, &schema, &mut |path, field| {
            let bounded = match field["type"].as_str() {
                Some("string") => {
                    field["maxLength"].is_u64() || field["enum"].is_array() || field["format"] == "date-time"
                }
                Some("integer") => field["minimum"].is_number(),
                Some("array") => field["maxItems"].is_u64(),
                Some("object") => field["properties"].is_object() || field["maxProperties"].is_u64(),
                Some("boolean") => true,
                _ => false,
            };
            // A type may be all that a schema has; only the metadata's is Kubernetes' own.
            assert!(bounded || path.ends_with(".metadata"), "{path} is not bounded: {field}");
        });
    }
}

#[test]
fn a_field_written_as_null_is_absent() {
    for (kind, schema) in schemas() {
        walk(&kind, &schema, &mut |path, field| assert!(field["nullable"].is_null(), "{path} is nullable"));
    }
}

/// Who waits by kstatus takes what has no condition for done.
#[test]
fn what_nobody_has_judged_says_so_by_itself_in_words_of_the_api() {
    for (kind, schema) in schemas() {
        let (status, others) = (&schema["properties"]["status"], ["Agent", "ReferenceGrant", "Allocation"]);
        walk(&kind, &schema, &mut |path, field| {
            let here = path == format!("{kind}.status") && !others.contains(&&*kind);
            assert_eq!(!field["default"].is_null(), here, "{path}");
        });
        if let Some(conditions) = status["default"]["conditions"].as_array() {
            let [condition] = &conditions[..] else { panic!("{kind}: {conditions:?}") };
            let condition: Condition = serde_json::from_value(condition.clone()).unwrap();
            assert_eq!(ConditionType::Ready.find(std::slice::from_ref(&condition)), Some(&condition));
            assert!(Reason::ALL.iter().any(|reason| reason.to_string() == condition.reason), "{kind}");
            assert_eq!((&*condition.status, &*condition.message), ("Unknown", UNJUDGED), "{kind}");
        }
    }
}

#[test]
fn every_kind_is_listed_and_watched_as_the_readme_says() {
    for crd in tenet::api::all() {
        let (names, version) = (&crd.spec.names, &crd.spec.versions[0]);
        // Allocations are locks, one for every address: who asks for everything does not mean them.
        let category = (names.kind != "Allocation").then(|| vec!["tenet".to_owned()]);
        assert_eq!(names.categories, category, "{}", names.kind);
        assert_eq!(names.short_names.as_ref().map(Vec::len), Some(1), "{}", names.kind);
        let columns = version.additional_printer_columns.as_ref().unwrap();
        assert!(columns.iter().any(|c| c.name == "Age"), "{}", names.kind);
        let status = version.subresources.as_ref().is_some_and(|s| s.status.is_some());
        assert_eq!(status, !["ReferenceGrant", "Allocation"].contains(&names.kind.as_str()), "{}", names.kind);
        assert_eq!(status, columns.iter().any(|c| c.name == "Ready"), "{}", names.kind);
    }
}

//! Names: of objects, namespaces, hosts, devices and labels.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Verdict, require, size};
use crate::api::{Reason, Reference};

/// What the API server asks of every object's name and namespace.
pub(super) fn object(metadata: &ObjectMeta) -> Verdict {
    subdomain("metadata.name", metadata.name.as_deref().unwrap_or_default(), "an object's name")?;
    metadata.namespace.as_deref().map_or(Ok(()), |namespace| namespace_name("metadata.namespace", namespace))
}

/// A reference names what can exist.
pub(super) fn reference(field: &str, reference: &Reference) -> Verdict {
    object_name(field, &reference.name)?;
    reference.namespace.as_deref().map_or(Ok(()), |namespace| namespace_name(field, namespace))
}

/// Name of an object of ours.
pub(super) fn object_name(field: &str, name: &str) -> Verdict {
    subdomain(field, name, "an object's name")
}

/// A DNS domain without a trailing dot.
pub(super) fn domain(field: &str, name: &str) -> Verdict {
    subdomain(field, name, "a domain such as blue.example")
}

fn subdomain(field: &str, name: &str, what: &str) -> Verdict {
    let fits = (1..=253).contains(&name.len()) && name.split('.').all(is_label);
    require(fits, Reason::Invalid, || {
        format!("{field} `{name}` must be {what}: lower case letters, digits, '-' and '.', 1 to 253 (RFC 1123)")
    })
}

/// Name of a namespace.
pub(super) fn namespace_name(field: &str, name: &str) -> Verdict {
    require(is_namespace(name), Reason::Invalid, || {
        format!("{field} `{name}` must be a namespace's name: lower case letters, digits and '-', 1 to 63 (RFC 1123)")
    })
}

/// Whether a namespace can have the name.
pub(super) fn is_namespace(name: &str) -> bool {
    name.len() <= 63 && is_label(name)
}

/// A label as Kubernetes takes it. Its length is bounded by the name around it.
fn is_label(label: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    edged(label, inner) && !label.is_empty()
}

/// All characters are of a set, and the first and last are letters or digits.
fn edged(text: &str, set: impl Fn(u8) -> bool) -> bool {
    let edge = |b: Option<u8>| b.is_none_or(|b| b.is_ascii_alphanumeric());
    text.bytes().all(set) && edge(text.bytes().next()) && edge(text.bytes().last())
}

/// One label of either case (RFC 1123, 2.1): what DHCP option 12 carries.
pub(super) fn hostname(field: &str, name: &str) -> Verdict {
    size(field, name.len(), 1, 63)?;
    require(edged(name, |b| b.is_ascii_alphanumeric() || b == b'-'), Reason::Invalid, || {
        format!("{field} `{name}` must be a host name such as web-0: letters, digits and '-', without a dot (RFC 1123)")
    })
}

/// A name that the kernel takes (`dev_valid_name`): IFNAMSIZ less one, no blank, slash or colon, no `.` or `..`.
pub(super) fn device(field: &str, name: &str) -> Verdict {
    size(field, name.len(), 1, 15)?;
    let fits = name.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b':') && name != "." && name != "..";
    require(fits, Reason::Invalid, || format!("{field} `{name}` must be a device's name: no blanks, '/' or ':'"))
}

/// A label of a node: an optional domain and `/`, a name of 1 to 63; a value of up to 63, empty or edged likewise.
pub(super) fn label(field: &str, key: &str, value: &str) -> Verdict {
    let word =
        |text: &str| text.len() <= 63 && edged(text, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let (prefix, name) = key.rsplit_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let named = !name.is_empty() && word(name);
    require(named && prefix.is_none_or(|p| p.len() <= 253 && p.split('.').all(is_label)), Reason::Invalid, || {
        format!(
            "{field} `{key}` is no label's key: letters, digits, '-', '_' and '.', after an optional domain and '/'"
        )
    })?;
    require(word(value), Reason::Invalid, || {
        format!("{field} `{key}: {value}` must be a label's value: letters, digits, '-', '_' and '.', up to 63")
    })
}

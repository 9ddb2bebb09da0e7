//! What one object can say about itself: the same rules as the CEL of its schema, for where no API server checks them.
//!
//! One file per kind. Where there is an API server this is the second line of defence (a CRD of another version may have
//! let something through), in local mode the only one. `e2e/objects` has a good and a bad object for every rule, and the
//! tests hold both lines against it.

mod address;
mod agent;
mod allocation;
mod dhcp_option;
mod floating_ip;
mod name;
mod network;
mod physical_network;
mod port;
mod reference_grant;
mod router;
mod security_group;
mod subnet;

use std::fmt::Display;

use crate::api::{Reason, Reference};
use crate::model::report::Remark;

/// An object that can be judged by itself.
pub trait Valid {
    /// Judges the object by itself.
    ///
    /// # Errors
    /// The first rule that it breaks, with what to do.
    fn valid(&self) -> Result<(), Remark>;

    /// Judges an edit: immutable fields stay.
    ///
    /// # Errors
    /// The field that may not change, with what to do.
    fn edit(&self, _old: &Self) -> Result<(), Remark> {
        Ok(())
    }
}

/// What a rule says.
type Verdict = Result<(), Remark>;

/// A rule: refuses with a reason and a sentence unless it holds.
fn require(holds: bool, reason: Reason, message: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Remark { reason, message: message() }) }
}

/// A list or string has from `min` to `max` elements.
fn size(field: &str, size: usize, min: usize, max: usize) -> Verdict {
    require((min..=max).contains(&size), Reason::Invalid, || {
        format!("{field} has {size} elements or characters: write {min} to {max}")
    })
}

/// A number is from `min` to `max`.
fn within<T: PartialOrd + Display + Copy>(field: &str, value: T, min: T, max: T) -> Verdict {
    require(min <= value && value <= max, Reason::Invalid, || {
        format!("{field} is {value}: write a number from {min} to {max}")
    })
}

/// The first of two elements of a list that are the same, if any. Lists are short (200 at most): pairs are compared.
fn double<T>(list: &[T], same: impl Fn(&T, &T) -> bool) -> Option<&T> {
    list.iter().enumerate().find(|(i, a)| list[..*i].iter().any(|b| same(a, b))).map(|(_, a)| a)
}

/// A field of an object stays as it was.
fn immutable<T: PartialEq>(kind: &str, field: &str, new: &T, old: &T) -> Verdict {
    require(new == old, Reason::Invalid, || format!("{field} is immutable: delete the {kind} and create it anew"))
}

/// Whether two references of one object name the same. `here` is the object's namespace.
fn same(a: &Reference, b: &Reference, here: Option<&str>) -> bool {
    a.name == b.name && a.namespace.as_deref().or(here) == b.namespace.as_deref().or(here)
}

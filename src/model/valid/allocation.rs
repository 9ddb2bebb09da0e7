//! An Allocation by itself.

use super::{Valid, Verdict, immutable, name, size};
use crate::api::Allocation;

impl Valid for Allocation {
    fn valid(&self) -> Verdict {
        name::object(&self.metadata)?;
        size("value", self.spec.value.len(), 1, 39)
    }

    fn edit(&self, old: &Self) -> Verdict {
        immutable("Allocation", "spec", &self.spec, &old.spec)
    }
}

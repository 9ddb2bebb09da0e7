//! A `ReferenceGrant` by itself.

use super::{Valid, Verdict, name, require, size};
use crate::api::{Reason, ReferenceGrant};

impl Valid for ReferenceGrant {
    fn valid(&self) -> Verdict {
        name::object(&self.metadata)?;
        size("from", self.spec.from.len(), 1, 64)?;
        for from in &self.spec.from {
            let namespace = &from.namespace;
            require(namespace == "*" || name::is_namespace(namespace), Reason::Invalid, || {
                format!("from.namespace `{namespace}` must be a namespace's name or *")
            })?;
        }
        size("to", self.spec.to.len(), 1, 64)?;
        self.spec.to.iter().filter_map(|to| to.name.as_deref()).try_for_each(|name| name::object_name("to.name", name))
    }
}

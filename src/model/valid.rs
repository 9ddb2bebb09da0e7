//! What one object can say about itself: the same rules as the CEL of its schema, for where no API server checks them.

use crate::api::{FloatingIP, Network, PhysicalNetwork, Port, ReferenceGrant, Router, Subnet};
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

macro_rules! stub { ($($kind:ty),+) => { $(impl Valid for $kind { fn valid(&self) -> Result<(), Remark> { Ok(()) } })+ } }
stub!(Network, Subnet, Port, Router, FloatingIP, PhysicalNetwork, ReferenceGrant);

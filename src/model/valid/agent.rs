//! An Agent by itself: its spec is two switches.

use super::{Valid, Verdict, name};
use crate::api::Agent;

impl Valid for Agent {
    fn valid(&self) -> Verdict {
        name::object(&self.metadata)
    }
}

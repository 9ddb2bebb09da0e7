//! Who is being accepted is accepted: else whoever comes before the server's answer and clashes with it would be taken, too, and
//! both would be Ready for a moment.

use std::collections::HashMap;

use serde::Deserialize as _;

use crate::api::{Condition, ConditionType};
use crate::cluster::write::{Status, Target, Write};
use crate::model::object::Object;
use crate::model::{Id, Snapshot};

/// Objects that are accepted by writes that are on their way, as they were before.
#[derive(Debug, Default)]
pub struct Assumed(HashMap<Id, Object>);

impl Assumed {
    /// A write is sent.
    pub fn sent(&mut self, write: &Write, snapshot: &mut Snapshot) {
        let Write::Status(Status { id, status, .. }) = write else { return };
        let accepts = status["conditions"].as_array().and_then(|all| {
            all.iter().find(|c| c["type"] == ConditionType::Accepted.as_str() && c["status"] == "True")
        });
        let Some(condition) = accepts.and_then(|c| Condition::deserialize(c).ok()) else { return };
        let Some(mut object) = Object::find(snapshot, id) else { return };
        if clashes_with_none(&object) || ConditionType::Accepted.holds(object.conditions()) {
            return;
        }
        let was = object.clone();
        if let Some(conditions) = object.conditions_mut() {
            conditions.retain(|c| c.type_ != condition.type_);
            conditions.push(condition);
            object.put_as(id.key.clone(), snapshot);
            self.0.insert(id.clone(), was);
        }
    }

    /// A write has ended; `well`: the server's answer was taken in. Whether something is different now.
    pub fn ended(&mut self, target: &Target, well: bool, snapshot: &mut Snapshot) -> bool {
        let Target::Object(id) = target else { return false };
        let Some(was) = self.0.remove(id).filter(|_| !well) else { return false };
        let version = |object: &Object| (object.meta().uid.clone(), object.meta().resource_version.clone());
        // What was heard of it meanwhile is the truth.
        let assumed = Object::find(snapshot, id).is_some_and(|now| version(&now) == version(&was));
        if assumed {
            was.put_as(id.key.clone(), snapshot);
        }
        assumed
    }
}

/// Addresses are locked, so most ports, of which there are many, keep nobody out.
fn clashes_with_none(object: &Object) -> bool {
    matches!(object, Object::Port(port) if port.spec.mac_address.is_none())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::controller::decide::{Controller, Lost};
    use crate::model::cold::Cold;
    use crate::model::fixtures::{add, at, id, world};

    /// What is decided of an object: whether it is accepted, and the write.
    fn decided(snapshot: &Snapshot, object: &str) -> (bool, Write) {
        let writes = Controller::default().decide(snapshot, &Lost::default(), &Cold::default(), at(100));
        let about = writes.into_iter().find(|write| match write {
            Write::Status(status) => status.id == id(object),
            _ => false,
        });
        let write = about.unwrap();
        let Write::Status(status) = &write else { panic!() };
        let accepted = status.status["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Accepted");
        (accepted.unwrap()["status"] == "True", write)
    }

    #[test]
    fn of_two_that_clash_the_one_that_is_being_accepted_stays() {
        const RED: &str = "Network red\nSubnet two {networkRef: {name: red}, cidr: 10.1.0.0/16}";
        let mut snapshot = world(RED);
        let (accepted, write) = decided(&snapshot, "Subnet two");
        assert!(accepted);
        let mut assumed = Assumed::default();
        assumed.sent(&write, &mut snapshot);
        // Of the same second, by Kubernetes' clock.
        add(&mut snapshot, 1, "Subnet one {networkRef: {name: red}, cidr: 10.1.0.0/24}");
        assert!(!decided(&snapshot, "Subnet one").0, "the other one is on its way to be Ready");
        // The write failed: all is as if it had never been sent.
        assert!(assumed.ended(&write.target(), false, &mut snapshot));
        assert!(decided(&snapshot, "Subnet one").0 && !decided(&snapshot, "Subnet two").0);
        assert!(!assumed.ended(&write.target(), false, &mut snapshot));
    }
}

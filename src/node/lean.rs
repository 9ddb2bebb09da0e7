//! What a node keeps of objects: most of them are other tenants', so what it never looks at is let go on arrival.
//!
//! Also what changes there is no news then: a subnet's counts change with each of its ports, wherever they are.

use std::sync::Arc;

use crate::api::{ConditionType, Conditions};
use crate::cluster::mirror::{News, Thing};
use crate::model::object::Object;

/// The same news, of networks, subnets, groups and other nodes' agents without what a node does not look at. `me`: its name.
pub fn lean(news: News, me: &str) -> News {
    match news {
        News::Listed(thing) => News::Listed(bare(thing, me)),
        News::Put(thing) => News::Put(bare(thing, me)),
        other => other,
    }
}

fn bare(mut thing: Thing, me: &str) -> Thing {
    match &mut thing {
        Thing::Object(Object::Network(network)) => {
            if let Some(status) = &mut Arc::make_mut(network).status {
                decided(&mut status.conditions);
            }
        }
        Thing::Object(Object::Subnet(subnet)) => {
            if let Some(status) = &mut Arc::make_mut(subnet).status {
                (status.total, status.allocated, status.free) = (None, None, None);
                decided(&mut status.conditions);
            }
        }
        Thing::Object(Object::SecurityGroup(group)) => {
            let group = Arc::make_mut(group);
            group.status = None;
            group.spec.rules.iter_mut().for_each(|rule| rule.description = None);
        }
        Thing::Object(Object::Agent(agent)) if agent.metadata.name.as_deref() != Some(me) => {
            if let Some(status) = &mut Arc::make_mut(agent).status {
                (status.ports, status.kernel, status.version) = (None, None, None);
                status.failures = Vec::new();
            }
        }
        _ => {}
    }
    thing
}

/// Of two that clash the one that was accepted stays: so much of what was said of an object matters to others.
fn decided(conditions: &mut Conditions) {
    conditions.retain(|condition| condition.type_ == ConditionType::Accepted.as_str());
    for condition in conditions.iter_mut() {
        condition.message = String::new();
    }
    conditions.shrink_to_fit();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::{SecurityGroup, Subnet};

    fn subnet(allocated: i64, ready: &str) -> News {
        let object = json!({
            "apiVersion": "tenet.network/v1alpha1", "kind": "Subnet", "metadata": { "name": "web", "namespace": "default" },
            "spec": { "networkRef": { "name": "blue" }, "cidr": "10.0.0.0/24" },
            "status": { "gatewayIP": "10.0.0.1", "total": 253, "allocated": allocated, "free": 253 - allocated, "conditions": [
                { "type": "Accepted", "status": "True", "reason": "Accepted", "message": "Fine.", "lastTransitionTime": "2026-01-01T00:00:00Z" },
                { "type": "Ready", "status": ready, "reason": "Ready", "message": "Fine.", "lastTransitionTime": "2026-01-01T00:00:00Z" },
            ]},
        });
        let subnet: Subnet = serde_json::from_value(object).unwrap();
        News::Put(Thing::Object(Object::Subnet(Arc::new(subnet))))
    }

    fn group(ports: i64, description: &str) -> News {
        let object = json!({
            "apiVersion": "tenet.network/v1alpha1", "kind": "SecurityGroup", "metadata": { "name": "web", "namespace": "default" },
            "spec": { "rules": [{ "direction": "Ingress", "protocol": "TCP", "port": 80, "description": description }] },
            "status": { "ports": ports },
        });
        let group: SecurityGroup = serde_json::from_value(object).unwrap();
        News::Put(Thing::Object(Object::SecurityGroup(Arc::new(group))))
    }

    #[test]
    fn of_a_group_the_rules_stay_without_what_people_say_of_them() {
        let (one, other) = (lean(group(1, "why"), "node-1"), lean(group(2, "why not"), "node-1"));
        let [News::Put(Thing::Object(one)), News::Put(Thing::Object(other))] = [one, other] else { unreachable!() };
        assert!(one.same_status(&other) && one.same_spec(&other));
        let Object::SecurityGroup(group) = one else { unreachable!() };
        assert_eq!(group.spec.rules[0].port, Some(80));
    }

    #[test]
    fn counts_are_no_news_and_what_was_accepted_stays_so() {
        let (one, other) = (lean(subnet(1, "True"), "node-1"), lean(subnet(2, "False"), "node-1"));
        let [News::Put(Thing::Object(one)), News::Put(Thing::Object(other))] = [one, other] else { unreachable!() };
        assert!(one.same_status(&other));
        assert!(one.condition(ConditionType::Accepted).is_some_and(|condition| condition.status == "True"));
        let Object::Subnet(subnet) = one else { unreachable!() };
        assert!(subnet.status.as_ref().unwrap().gateway_ip.is_some());
    }
}

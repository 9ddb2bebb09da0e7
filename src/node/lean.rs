//! What a node keeps of objects: most of them are other tenants', so what it never looks at is let go on arrival.
//!
//! Also what changes there is no news then: a subnet's counts change with each of its ports, wherever they are.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::{ConditionType, Conditions, Port};
use crate::cluster::mirror::{News, Thing};
use crate::model::object::Object;

/// The same news without what a node does not look at. `me`: its name.
pub fn lean(news: News, me: &str) -> News {
    match news {
        News::Listed(thing) => News::Listed(bare(thing, me)),
        News::Put(thing) => News::Put(bare(thing, me)),
        other => other,
    }
}

/// The same thing without what a node does not look at.
pub fn bare(mut thing: Thing, me: &str) -> Thing {
    let Thing::Object(object) = &mut thing else { return thing };
    match object {
        Object::Network(network) => {
            let network = Arc::make_mut(network);
            noteless(&mut network.metadata);
            if let Some(status) = &mut network.status {
                // Only on a wire can two networks clash.
                let clashes = network.spec.provider.is_some();
                if clashes { decided(&mut status.conditions) } else { status.conditions = Vec::new() }
            }
        }
        Object::Subnet(subnet) => {
            let subnet = Arc::make_mut(subnet);
            noteless(&mut subnet.metadata);
            if let Some(status) = &mut subnet.status {
                (status.total, status.allocated, status.free) = (None, None, None);
                decided(&mut status.conditions);
            }
        }
        Object::Router(router) => {
            let router = Arc::make_mut(router);
            noteless(&mut router.metadata);
            // Lists are read with room for four.
            router.spec.interfaces.shrink_to_fit();
            if let Some(status) = &mut router.status {
                status.interfaces.shrink_to_fit();
                status.external_addresses.shrink_to_fit();
                if status.gateway_node.as_deref() != Some(me) {
                    decided(&mut status.conditions);
                }
            }
        }
        Object::FloatingIP(floating) => {
            let floating = Arc::make_mut(floating);
            noteless(&mut floating.metadata);
            if let Some(status) = &mut floating.status
                && status.node_name.as_deref() != Some(me)
            {
                decided(&mut status.conditions);
            }
        }
        Object::SecurityGroup(group) => {
            let group = Arc::make_mut(group);
            noteless(&mut group.metadata);
            group.status = None;
            group.spec.rules.iter_mut().for_each(|rule| rule.description = None);
        }
        Object::Agent(agent) if agent.metadata.name.as_deref() != Some(me) => {
            if let Some(status) = &mut Arc::make_mut(agent).status {
                (status.ports, status.kernel, status.version) = (None, None, None);
                status.failures = Vec::new();
            }
        }
        Object::Port(port) if !is_about(port, me) => {
            if let Some(status) = &mut Arc::make_mut(port).status {
                decided(&mut status.conditions);
            }
        }
        _ => {}
    }
    thing
}

/// Whether a node has, or may come to have, a part in a port: one that is plugged elsewhere comes here only when its spec names
/// this node, or once it is unplugged there.
fn is_about(port: &Port, me: &str) -> bool {
    let Port { spec, status, .. } = port;
    let bindings = status.iter().flat_map(|status| [&status.binding, &status.migration]).flatten();
    let mut nodes = bindings.map(|binding| &*binding.node_name).chain(spec.node_name.as_deref());
    status.as_ref().is_none_or(|status| status.binding.is_none())
        || nodes.any(|node| node == me)
        || spec.migration_node_name.as_deref() == Some(me)
}

/// Of metadata what people and other programs note there is left out.
fn noteless(meta: &mut ObjectMeta) {
    (meta.labels, meta.annotations, meta.finalizers, meta.owner_references) = (None, None, None, None);
}

/// Of two that clash the one that was accepted stays: so much of what was said of an object matters to those who do not go on
/// saying it.
fn decided(conditions: &mut Conditions) {
    conditions.retain(|condition| condition.type_ == ConditionType::Accepted.as_str() && condition.status == "True");
    for condition in conditions.iter_mut() {
        (condition.reason, condition.message) = (String::new(), String::new());
        condition.observed_generation = None;
    }
    conditions.shrink_to_fit();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::{Router, SecurityGroup, Subnet};

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

    fn router(gateway: &str) -> Object {
        let said = |type_: &str| {
            json!({ "type": type_, "status": "True", "reason": "Fine", "message": "Fine.",
                "lastTransitionTime": "2026-01-01T00:00:00Z" })
        };
        let object = json!({
            "apiVersion": "tenet.network/v1alpha1", "kind": "Router",
            "metadata": { "name": "main", "namespace": "default", "labels": { "a": "b" } }, "spec": {},
            "status": { "gatewayNode": gateway, "conditions": [said("Accepted"), said("ResolvedRefs"), said("Ready")] },
        });
        let router: Router = serde_json::from_value(object).unwrap();
        let News::Put(Thing::Object(router)) =
            lean(News::Put(Thing::Object(Object::Router(Arc::new(router)))), "node-1")
        else {
            unreachable!()
        };
        router
    }

    #[test]
    fn of_a_router_what_is_said_stays_where_it_is_said() {
        assert_eq!(router("node-1").conditions().len(), 3);
        let other = router("node-2");
        assert!(other.condition(ConditionType::Accepted).is_some() && other.conditions().len() == 1);
        assert!(other.meta().labels.is_none());
    }

    fn port(spec: &Value, status: &Value) -> Object {
        let mut object = json!({
            "apiVersion": "tenet.network/v1alpha1", "kind": "Port", "metadata": { "name": "web", "namespace": "default" },
            "spec": { "networkRef": { "name": "blue" } },
            "status": { "conditions": [
                { "type": "Accepted", "status": "True", "reason": "Fine", "message": "Fine.", "observedGeneration": 1,
                    "lastTransitionTime": "2026-01-01T00:00:00Z" },
                { "type": "Ready", "status": "True", "reason": "Fine", "message": "Fine.", "lastTransitionTime": "2026-01-01T00:00:00Z" },
            ]},
        });
        for (part, more) in [("spec", spec), ("status", status)] {
            object[part].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        }
        let port: Port = serde_json::from_value(object).unwrap();
        let Thing::Object(port) = bare(Thing::Object(Object::Port(Arc::new(port))), "node-1") else { unreachable!() };
        port
    }

    #[test]
    fn of_a_port_that_is_plugged_elsewhere_stays_that_it_was_accepted() {
        let at = |node: &str| json!({ "nodeName": node, "device": "eth0" });
        let elsewhere = json!({ "binding": at("node-2") });
        let other = port(&json!({}), &elsewhere);
        let [accepted] = other.conditions() else { unreachable!("{other:?}") };
        assert!(accepted.message.is_empty() && accepted.observed_generation.is_none());
        for (spec, status) in [
            (json!({}), json!({})),
            (json!({}), json!({ "binding": at("node-1") })),
            (json!({}), json!({ "binding": at("node-2"), "migration": at("node-1") })),
            (json!({ "migrationNodeName": "node-1" }), elsewhere.clone()),
            (json!({ "nodeName": "node-1" }), elsewhere),
        ] {
            assert_eq!(port(&spec, &status).conditions().len(), 2, "{spec} {status}");
        }
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

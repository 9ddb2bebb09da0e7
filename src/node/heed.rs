//! How soon news matter here. Most objects are other tenants' on other nodes: what changes there is looked at too, because a
//! view is made of everything, but in its own time, and many changes at once.

use crate::api::{FloatingIP, Port, Reference};
use crate::cluster::mirror::{Name, News, Thing};
use crate::dataplane::attachment::Attachments;
use crate::model::object::Object;
use crate::model::{Id, Key, Kind, NodeView, Snapshot, Uid};

/// How soon something is to be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heed {
    /// Nothing is different.
    #[default]
    Never,
    /// What this node holds is most likely as it was.
    Later,
    /// It is about what this node holds, or may be.
    Now,
}

/// What a node looks at news with.
#[derive(Clone, Copy, Debug)]
pub struct Eyes<'a> {
    /// Its name.
    pub me: &'a str,
    /// What it holds.
    pub view: &'a NodeView,
    /// Ports that are plugged here.
    pub ports: &'a Attachments,
    /// All that it knows.
    pub snapshot: &'a Snapshot,
}

impl Eyes<'_> {
    /// Whether news may be about what the node holds.
    pub fn concerned(&self, news: &News) -> bool {
        match news {
            News::Listed(Thing::Object(object)) | News::Put(Thing::Object(object)) => self.has(object),
            News::Gone(Name::Object(id)) => self.holds(id),
            _ => true,
        }
    }

    fn has(&self, object: &Object) -> bool {
        let id = object.id();
        let near = |reference: &Reference| id.key.referred(reference);
        let network = |reference: &Reference| self.view.networks.contains_key(&near(reference));
        let is_me = |node: &Option<String>| node.as_deref() == Some(self.me);
        self.holds(&id)
            || match object {
                Object::Network(_) => false,
                Object::Subnet(subnet) => network(&subnet.spec.network_ref),
                Object::Port(port) => network(&port.spec.network_ref) || self.may_be_member(port),
                Object::Router(router) => {
                    let here = |subnet: &Key| {
                        let network = self.snapshot.subnets.get(subnet).map(|s| subnet.referred(&s.spec.network_ref));
                        network.is_none_or(|network| self.view.networks.contains_key(&network))
                    };
                    let status = router.status.as_ref();
                    let nodes = status.map(|s| [&s.gateway_node, &s.next_gateway_node, &s.former_gateway_node]);
                    nodes.into_iter().flatten().any(is_me)
                        || router.spec.interfaces.iter().any(|i| here(&near(&i.subnet_ref)))
                }
                Object::FloatingIP(floating) => self.translates(&id.key, floating),
                // Of groups of other namespaces only grants let ports here know.
                Object::SecurityGroup(_) => self.ports.keys().any(|port| port.namespace == id.key.namespace),
                Object::PhysicalNetwork(_) | Object::ReferenceGrant(_) | Object::Agent(_) => true,
            }
    }

    fn holds(&self, id: &Id) -> bool {
        match id.kind {
            Kind::Network => self.view.networks.contains_key(&id.key),
            Kind::Router => self.view.routers.contains_key(&id.key),
            Kind::Port => self.ports.contains_key(&id.key),
            Kind::Subnet => {
                let subnet = self.snapshot.subnets.get(&id.key);
                let network = subnet.map(|subnet| id.key.referred(&subnet.spec.network_ref));
                network.is_some_and(|network| self.view.networks.contains_key(&network))
            }
            Kind::SecurityGroup => self.view.security_groups.values().any(|group| group.key == id.key),
            Kind::FloatingIP => {
                let floating = self.snapshot.floating_ips.get(&id.key);
                floating.is_some_and(|floating| self.translates(&id.key, floating))
            }
            _ => true,
        }
    }

    /// Whether rules here may name a group that a port elsewhere is in.
    fn may_be_member(&self, port: &Port) -> bool {
        let network = port.status.as_ref().and_then(|status| status.network_uid.as_deref());
        network.is_some_and(|network| self.view.member_networks.contains(&Uid::parse(network)))
    }

    fn translates(&self, key: &Key, floating: &FloatingIP) -> bool {
        floating.status.as_ref().is_some_and(|status| {
            let router = status.router_ref.as_ref().map(|router| key.referred(router));
            status.node_name.as_deref() == Some(self.me)
                || router.is_some_and(|router| self.view.routers.contains_key(&router))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::dataplane::attachment::{Attachment, Target};
    use crate::model::fixtures::{add, key, plug, settle, view, world};

    use super::*;

    #[test]
    fn what_is_elsewhere_is_looked_at_later() {
        let mut snapshot = world(
            "Network blue
             Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
             Port a {networkRef: {name: blue}}
             Network red
             Subnet far {networkRef: {name: red}, cidr: 10.0.1.0/24}
             Port b {networkRef: {name: red}}",
        );
        plug(&mut snapshot, "a");
        settle(&mut snapshot);
        let guest = Target::Netns { path: String::new(), inode: 0, device: "eth0".into() };
        let ports = Attachments::from([(key("a"), Attachment { port: Uid(0), target: guest, pod: None })]);
        let view = view(&snapshot);
        add(&mut snapshot, 20, "Router near {interfaces: [{subnetRef: {name: web}}]}");
        add(&mut snapshot, 21, "Router distant {interfaces: [{subnetRef: {name: far}}]}");
        add(&mut snapshot, 23, "SecurityGroup mine");
        add(&mut snapshot, 24, "SecurityGroup team/theirs");
        add(&mut snapshot, 22, "Router unknown {interfaces: [{subnetRef: {name: nowhere}}]}");
        let eyes = Eyes { me: "node-1", view: &view, ports: &ports, snapshot: &snapshot };
        let concerned = |kind, name: &str| {
            let object = Object::find(&snapshot, &Id::new(kind, key(name))).unwrap();
            eyes.concerned(&News::Put(Thing::Object(object)))
        };
        for (kind, near, far) in [
            (Kind::Network, "blue", "red"),
            (Kind::Subnet, "web", "far"),
            (Kind::Port, "a", "b"),
            (Kind::Router, "near", "distant"),
            (Kind::SecurityGroup, "mine", "team/theirs"),
        ] {
            assert!(concerned(kind, near) && !concerned(kind, far), "{kind}");
        }
        assert!(concerned(Kind::Router, "unknown"), "its subnet may be of a network here");
        assert!(
            eyes.concerned(&News::Whole)
                && eyes.concerned(&News::Gone(Name::Object(Id::new(Kind::Subnet, key("web")))))
        );
        assert!(!eyes.concerned(&News::Gone(Name::Object(Id::new(Kind::Subnet, key("far"))))));
    }
}

//! How a router moves from a living gateway node to another, step by step, so that two nodes never answer for its addresses:
//!
//! | recorded | who does what |
//! |---|---|
//! | `gatewayNode: a` | a translates |
//! | `gatewayNode: a, nextGatewayNode: b` | b prepares: all but the addresses, and the connections of a; then `preparedNode: b` |
//! | `gatewayNode: b, formerGatewayNode: a` | a lets go of the addresses; b takes them once a has; then b takes its word back |
//! | `gatewayNode: b` | b translates |
//!
//! Each step is what is recorded and nothing else: a controller that starts anew goes on in the middle. No step waits for a
//! time. From a node that is dead a router goes at once: there is nobody who lets go.

use std::sync::Arc;

use crate::model::topology::RouterNode;

/// What is recorded of a router's nodes.
pub struct Recorded {
    pub gateway: Option<Arc<str>>,
    pub next: Option<Arc<str>>,
    pub former: Option<Arc<str>>,
    prepared: Option<Arc<str>>,
}

/// What is to be recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    pub gateway: Option<Arc<str>>,
    pub next: Option<Arc<str>>,
    pub former: Option<Arc<str>>,
}

impl Recorded {
    pub fn of(router: &RouterNode) -> Self {
        let Some(status) = &router.object.status else {
            return Self { gateway: None, next: None, former: None, prepared: None };
        };
        let name = |name: &Option<String>| name.as_deref().map(Arc::from);
        Self {
            gateway: name(&status.gateway_node),
            next: name(&status.next_gateway_node),
            former: name(&status.former_gateway_node),
            prepared: name(&status.prepared_node),
        }
    }

    /// The node that is being taken over from: until the gateway node has taken its word back.
    pub fn pending(&self) -> Option<Arc<str>> {
        self.former.clone().filter(|_| self.prepared.is_some() && self.prepared == self.gateway)
    }

    /// The next step towards a gateway node. `lives`: the node that is it now is alive.
    pub fn towards(&self, node: &Arc<str>, lives: bool) -> Roles {
        let to = Some(node.clone());
        if self.gateway.is_none() || !lives {
            return Roles { gateway: to, ..Roles::default() };
        }
        let stay = Roles { gateway: self.gateway.clone(), next: None, former: self.pending() };
        // One move at a time.
        if self.gateway == to || stay.former.is_some() {
            return stay;
        }
        match (self.next == to, self.prepared == to) {
            (true, true) => Roles { gateway: to, next: None, former: self.gateway.clone() },
            // The word is of another time: it will take it back.
            (false, true) => stay,
            (_, false) => Roles { next: to, ..stay },
        }
    }
}

impl Roles {
    pub fn record(self, router: &mut RouterNode) {
        (router.gateway_node, router.next_node, router.former_node) = (self.gateway, self.next, self.former);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<Arc<str>> {
        (text != "-").then(|| text.into())
    }

    /// Gateway, next, former, prepared; a dash: none.
    fn recorded(text: &str) -> Recorded {
        let mut names = text.split(' ').map(name);
        let mut next = || names.next().unwrap();
        Recorded { gateway: next(), next: next(), former: next(), prepared: next() }
    }

    fn towards(from: &str, node: &str, lives: bool) -> String {
        let Roles { gateway, next, former } = recorded(from).towards(&node.into(), lives);
        [gateway, next, former].map(|name| name.as_deref().unwrap_or("-").to_owned()).join(" ")
    }

    #[test]
    fn a_living_gateway_node_hands_over_step_by_step() {
        for (from, node, to) in [
            ("- - - -", "a", "a - -"),
            ("a - - -", "a", "a - -"),
            ("a - - -", "b", "a b -"),
            ("a b - -", "b", "a b -"),
            ("a b - b", "b", "b - a"),
            ("b - a b", "b", "b - a"),
            ("b - a -", "b", "b - -"),
        ] {
            assert_eq!(towards(from, node, true), to, "from {from} to {node}");
        }
    }

    #[test]
    fn what_is_undone_or_decided_otherwise_midway_goes_back_or_on_from_there() {
        for (from, node, to, why) in [
            ("a b - -", "a", "a - -", "it drains no more"),
            ("a b - b", "a", "a - -", "it drains no more"),
            ("a - - b", "b", "a - -", "an old word is not taken for a new one"),
            ("a c - c", "b", "a b -", "another is next"),
            ("a b - c", "b", "a b -", "the word of another"),
            ("b - a b", "a", "b - a", "back, once it is done"),
            ("b - a b", "c", "b - a", "on, once it is done"),
            ("b - a -", "c", "b c -", "on"),
        ] {
            assert_eq!(towards(from, node, true), to, "{why}: from {from} to {node}");
        }
    }

    #[test]
    fn from_a_dead_node_a_router_goes_at_once() {
        for from in ["a - - -", "a c - -", "a b - b", "a - d a"] {
            assert_eq!(towards(from, "b", false), "b - -", "from {from}");
        }
    }
}

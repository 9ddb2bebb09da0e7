//! What a client that plugs is told by a node of a cluster.

use std::sync::Arc;
use std::time::Duration;

use super::claims::{binding, migration};
use super::world::World;
use crate::agent::Error;
use crate::agent::node::Node;
use crate::agent::plugs::{Ports, Step};
use crate::agent::protocol::Answer;
use crate::api::{Binding, Port};
use crate::model::{Id, Key, Kind, NodeView};

impl<N: Node> Ports for World<N> {
    type Node = N;

    fn port(&self, key: &Key) -> Option<Arc<Port>> {
        self.mirror.snapshot().ports.get(key).cloned()
    }

    fn view(&self) -> &NodeView {
        &self.view
    }

    fn is_wired(&self, key: &Key) -> bool {
        let fails = self.report.faults.contains_key(&Id::new(Kind::Port, key.clone()));
        self.walked && !fails && !self.unwired.contains(key)
    }

    fn node(&self) -> &N {
        &self.node
    }

    fn node_mut(&mut self) -> &mut N {
        &mut self.node
    }

    fn advice(&self) -> &'static str {
        "create it with kubectl"
    }

    fn may_plug(&mut self, key: &Key, port: &Port, force: bool) -> Result<(), String> {
        self.fresh.insert(key.clone());
        self.unwired.insert(key.clone());
        let node = &self.myself.node;
        if let Some(only) = port.spec.node_name.as_deref().filter(|only| only != node) {
            return Err(format!("Port {key} is for node {only} only (spec.nodeName): plug it there"));
        }
        let holder = port.status.as_ref().and_then(|s| s.binding.as_ref()).filter(|b| b.node_name != *node);
        let Some(holder) = holder else { return Ok(()) };
        let plugged = format!("Port {key} is plugged into {} on node {}", holder.device, holder.node_name);
        // The API server lets no agent take a port from another on its own word: whoever may edit the port says so.
        match (port.spec.node_name.is_some(), force) {
            (true, true) => {
                self.claims.force(key);
                Ok(())
            }
            (true, false) => Err(format!("{plugged}: unplug it there first, or take it over with --force")),
            (false, _) => Err(format!(
                "{plugged}: unplug it there first; if that node is gone for good, set the port's spec.nodeName to {node}, \
                 then take it over with --force"
            )),
        }
    }

    fn may_migrate(&mut self, key: &Key, port: &Port, step: Step) -> Result<(), String> {
        let node = &self.myself.node;
        let at = |binding: Option<&Binding>| binding.is_some_and(|b| b.node_name == *node);
        if step == Step::Switch {
            if at(migration(port)) {
                self.unwired.insert(key.clone());
                self.claims.switch(key);
            } else if !at(binding(port)) {
                return Err(format!("Port {key} is not prepared on this node: plug it here with --prepare first"));
            }
            return Ok(());
        }
        self.fresh.insert(key.clone());
        self.unwired.insert(key.clone());
        if at(binding(port)) {
            return Err(format!("Port {key} is plugged on this node: prepare it on the one that it moves to"));
        }
        if let Some(only) = port.spec.node_name.as_deref().filter(|only| only != node) {
            return Err(format!("Port {key} is for node {only} only (spec.nodeName): take that away before it moves"));
        }
        if port.spec.migration_node_name.as_deref() != Some(node) {
            return Err(format!(
                "Port {key} is not said to move here: whoever may edit it sets spec.migrationNodeName to {node}"
            ));
        }
        if let Some(other) = migration(port).filter(|other| other.node_name != *node) {
            return Err(format!("Port {key} is prepared on node {}: unplug it there first", other.node_name));
        }
        self.claims.prepare(key);
        Ok(())
    }

    fn migrated(&self, key: &Key, step: Step) -> Result<(), String> {
        self.migrated(key, step)
    }

    /// A port that was just unplugged on another node can be plugged here, without anybody waiting for the news in between.
    fn grace(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn served(&mut self, passed: Option<Duration>) {
        self.figures.served(passed);
    }

    fn check(&mut self, key: &Key) -> Result<(), Error> {
        self.node.check(key, &self.view)
    }

    fn confirm(&mut self) -> Answer {
        Answer::Failed("nothing is ever held back in a cluster: `tenet confirm` is for `tenet local`".into())
    }
}

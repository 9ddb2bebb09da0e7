//! What a client that plugs is told by a node of a cluster.

use std::sync::Arc;
use std::time::Duration;

use super::world::World;
use crate::agent::Error;
use crate::agent::node::Node;
use crate::agent::plugs::Ports;
use crate::agent::protocol::Answer;
use crate::api::Port;
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

    /// A port that was just unplugged on another node can be plugged here, without anybody waiting for the news in between.
    fn grace(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn check(&mut self, key: &Key) -> Result<(), Error> {
        self.node.check(key, &self.view)
    }

    fn confirm(&mut self) -> Answer {
        Answer::Failed("nothing is ever held back in a cluster: `tenet confirm` is for `tenet local`".into())
    }
}

//! Calls about pods that are answered from the node's own record: what was plugged for one is found by its container.

use super::node::Node as _;
use super::plugs::Ports;
use super::protocol::Answer;
use crate::dataplane::attachment::Sandbox;
use crate::model::Key;

/// Takes away what was plugged for pods whose sandboxes `goes` says yes to.
pub fn unplug(world: &mut impl Ports, goes: impl Fn(&Sandbox) -> bool) -> Answer {
    let mut done = Vec::new();
    for port in recorded(world, goes) {
        if let Err(error) = world.node_mut().detach(&port) {
            return Answer::Failed(error.to_string());
        }
        done.push(format!("Port {port} unplugged"));
    }
    Answer::Done(done)
}

/// Whether what was plugged by one call is still as it was made; a line for each port.
pub fn check(world: &mut impl Ports, of: impl Fn(&Sandbox) -> bool) -> Answer {
    let ports = recorded(world, of);
    match ports.iter().try_for_each(|port| world.check(port)) {
        Ok(()) => Answer::Done(ports.iter().map(|port| format!("Port {port} is plugged")).collect()),
        Err(error) => Answer::Failed(error.to_string()),
    }
}

fn recorded(world: &impl Ports, of: impl Fn(&Sandbox) -> bool) -> Vec<Key> {
    let all = world.node().attachments().iter();
    all.filter(|(_, attachment)| attachment.pod.as_ref().is_some_and(&of)).map(|(key, _)| key.clone()).collect()
}

//! Pods: their interfaces are given addresses and routes from outside, for a pod runs no DHCP client.

use std::collections::BTreeMap;
use std::io;

use super::{Agent, Error};
use crate::api::Reason;
use crate::dataplane::attachment::{Attachment, Attachments, Target};
use crate::dataplane::given::Given;
use crate::dataplane::kernel::guest;
use crate::dataplane::plan::Plan;
use crate::dataplane::state::Make;
use crate::model::view::{NetworkView, PortView};
use crate::model::{Id, Key, Kind, NodeView, Remark};

/// What pods were given by this process, and where.
pub type Pods = BTreeMap<Key, (Attachment, Given)>;

impl Agent {
    /// Gives pods' interfaces what they are to have, where that is something else than they were given last. A process that
    /// has just begun looks at all. Ports that are in `failed` have no interface; what fails now is returned.
    pub(super) fn give(&mut self, view: &NodeView, failed: &BTreeMap<Id, Remark>) -> BTreeMap<Id, Remark> {
        let mut faults = BTreeMap::new();
        let plugged = self.record.attachments();
        self.given.retain(|key, (attachment, _)| plugged.get(key) == Some(attachment));
        for (key, attachment, port) in pods(view, plugged) {
            let id = Id::new(Kind::Port, key.clone());
            let default_route = attachment.pod.as_ref().is_some_and(|pod| pod.default_route);
            let wanted = Given::of(port, default_route);
            let Target::Netns { path, inode, device } = &attachment.target else { continue };
            if failed.contains_key(&id) || self.given.get(key).is_some_and(|(_, given)| *given == wanted) {
                continue;
            }
            match guest::give(path, *inode, device, &wanted) {
                Ok(()) => drop(self.given.insert(key.clone(), (attachment.clone(), wanted))),
                Err(error) => {
                    self.given.remove(key);
                    // The link is gone with it, and what becomes of that is known at the next look.
                    if error.kind() != io::ErrorKind::NotFound {
                        let message = format!("{} cannot be given its addresses: {error}", attachment.target);
                        faults.insert(id, Remark { reason: Reason::KernelError, message });
                    }
                }
            }
        }
        faults
    }

    /// Interfaces that were made anew have nothing yet.
    pub(super) fn forget_given(&mut self, plan: &Plan) {
        for change in plan.0.iter().filter(|change| matches!(change.make, Some(Make::Guest { .. }))) {
            if let Some(owner) = &change.owner {
                self.given.remove(&owner.key);
            }
        }
    }

    /// Whether a pod's interface has what it was given.
    ///
    /// # Errors
    /// What is different, or the kernel's.
    pub fn check(&mut self, port: &Key, view: &NodeView) -> Result<(), Error> {
        let found = pods(view, self.record.attachments()).find(|(key, ..)| *key == port);
        let Some((_, attachment, here)) = found else {
            return Err(Error(format!("Port {port} is not on this node: delete the pod, so that it is made anew")));
        };
        let wanted = Given::of(here, attachment.pod.as_ref().is_some_and(|pod| pod.default_route));
        let Target::Netns { path, inode, device } = &attachment.target else { return Ok(()) };
        match guest::differs(path, *inode, device, here.mac, &wanted)? {
            None => Ok(()),
            Some(what) => Err(Error(format!("Port {port}: {what}"))),
        }
    }
}

/// Ports that pods are plugged into.
fn pods<'a>(
    view: &'a NodeView,
    plugged: &'a Attachments,
) -> impl Iterator<Item = (&'a Key, &'a Attachment, &'a PortView)> {
    let ports = |network: &'a NetworkView| network.ports.iter();
    let here = view.networks.values().flat_map(ports);
    here.filter_map(|(key, port)| {
        let attachment = plugged.get(key).filter(|a| a.port == port.uid && a.pod.is_some())?;
        Some((key, attachment, port))
    })
}

//! Clients that wait for a port to be plugged: until it exists, is accepted, and packets pass, or until they lose patience.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::node::Node;
use super::protocol::{Address, Answer, Plugged};
use super::server::ClientId;
use crate::api::ConditionType::{Accepted, Programmed, ResolvedRefs};
use crate::api::{Condition, Port};
use crate::dataplane::attachment::Target;
use crate::model::{Id, Key, Kind, NodeView, Uid};

/// What is done to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is plugged.
    Plug,
    /// It is prepared, to be plugged later by one write; another node has it until then.
    Prepare,
    /// It was prepared, and is plugged by that write.
    Switch,
}

/// What plugging has to know.
pub trait Ports {
    /// The node.
    type Node: Node;
    /// A port, if it exists.
    fn port(&self, key: &Key) -> Option<Arc<Port>>;
    /// What the node realises now.
    fn view(&self) -> &NodeView;
    /// Whether what is plugged into a port was wired since it was plugged: what is said of it may be older.
    fn is_wired(&self, _key: &Key) -> bool {
        true
    }
    /// The node.
    fn node(&self) -> &Self::Node;
    /// The node, to change what is plugged.
    fn node_mut(&mut self) -> &mut Self::Node;
    /// Where a port that does not exist is to be declared.
    fn advice(&self) -> &'static str;
    /// Why a port cannot be plugged here though it exists.
    ///
    /// # Errors
    /// A sentence that says what to do.
    fn may_plug(&mut self, key: &Key, port: &Port, force: bool) -> Result<(), String>;
    /// Why a port cannot be prepared here, or taken over, though it exists.
    ///
    /// # Errors
    /// A sentence that says what to do.
    fn may_migrate(&mut self, _key: &Key, _port: &Port, _step: Step) -> Result<(), String> {
        Err("there is no other node that a port could move from: this is for clusters".into())
    }
    /// Whether such a step is done, apart from wires.
    ///
    /// # Errors
    /// How far it is.
    fn migrated(&self, _key: &Key, _step: Step) -> Result<(), String> {
        Ok(())
    }
    /// How long to wait before a plug is refused for what is known of the port: it may be a moment behind.
    fn grace(&self) -> Duration {
        Duration::ZERO
    }
    /// Lets go of removals that were held back.
    fn confirm(&mut self) -> Answer;
}

/// One client that waits.
#[derive(Debug)]
pub struct Plug {
    /// Who asked.
    pub client: ClientId,
    /// Which port.
    pub port: Key,
    /// For which guest.
    pub target: Target,
    /// Whether to take the port over.
    pub force: bool,
    /// What is done.
    pub step: Step,
    /// When to give up.
    pub deadline: Instant,
    /// When it was asked.
    since: Instant,
    /// Why it cannot be plugged, as far as is known.
    held: Option<String>,
    /// What the client was told last.
    said: String,
    /// Whether the guest was plugged by this very request, so that giving up unplugs it.
    ours: bool,
}

impl Plug {
    /// A request that nothing was done for yet.
    #[must_use]
    pub fn new(client: ClientId, port: Key, target: Target, force: bool, now: Instant, patience: Duration) -> Self {
        let deadline = now + patience;
        let (step, held, said, ours) = (Step::Plug, None, String::new(), false);
        Self { client, port, target, force, step, deadline, since: now, held, said, ours }
    }

    /// The same for another step.
    #[must_use]
    pub fn with(self, step: Step) -> Self {
        Self { step, ..self }
    }

    /// When the client is to be told something, whatever happens. `grace`: as [`Ports::grace`] says.
    #[must_use]
    pub fn due(&self, grace: Duration) -> Instant {
        if self.held.is_some() { self.deadline.min(self.since + grace) } else { self.deadline }
    }

    /// Plugs the guest as soon as the port exists. `Ok(true)`: the node is to converge.
    ///
    /// # Errors
    /// Why the guest can never be plugged.
    pub fn attach(&mut self, world: &mut impl Ports) -> Result<bool, String> {
        let Some(port) = world.port(&self.port) else { return Ok(false) };
        let (Some(uid), None) = (port.metadata.uid.as_deref().map(Uid::parse), &port.metadata.deletion_timestamp)
        else {
            return Ok(false);
        };
        if self.step == Step::Switch {
            self.held = world.may_migrate(&self.port, &port, self.step).err();
            return Ok(self.held.is_none());
        }
        let is_there =
            world.node().attachments().get(&self.port).is_some_and(|a| a.port == uid && a.target == self.target);
        if is_there {
            return Ok(false);
        }
        self.held = match self.step {
            Step::Plug => world.may_plug(&self.port, &port, self.force).err(),
            step => world.may_migrate(&self.port, &port, step).err(),
        };
        if self.held.is_some() {
            return Ok(false);
        }
        world.node_mut().attach(&self.port, uid, self.target.clone(), self.force).map_err(|e| e.to_string())?;
        self.ours = true;
        Ok(true)
    }

    /// What there is to tell the client, after a convergence.
    pub fn answer(&mut self, world: &impl Ports, now: Instant) -> Option<Answer> {
        let why = match (&self.held, self.progress(world)) {
            (Some(why), _) if self.since + world.grace() <= now => return Some(Answer::Failed(why.clone())),
            (Some(why), _) => why.clone(),
            (None, Ok(plugged)) => return Some(Answer::Plugged(plugged)),
            (None, Err(why)) => why,
        };
        if self.deadline <= now {
            return Some(Answer::Failed(format!("Port {} was not plugged in time: {why}", self.port)));
        }
        (self.said != why).then(|| {
            self.said.clone_from(&why);
            Answer::Progress(why)
        })
    }

    fn progress(&self, world: &impl Ports) -> Result<Plugged, String> {
        let id = Id::new(Kind::Port, self.port.clone());
        let Some(port) = world.port(&self.port) else {
            return Err(format!("{id} does not exist; {}", world.advice()));
        };
        if self.step != Step::Plug {
            world.migrated(&self.port, self.step)?;
        }
        let generation = port.metadata.generation;
        let conditions: &[Condition] = port.status.as_ref().map_or(&[], |status| &status.conditions);
        let holds = |c: &Condition| c.status == "True" && c.observed_generation == generation;
        // A port whose security group is missing is on its network, and works with what resolves.
        let done = Programmed.find(conditions).is_some_and(holds);
        let needed =
            if done || self.step == Step::Prepare { &[Accepted][..] } else { &[Accepted, ResolvedRefs, Programmed] };
        for aspect in needed {
            match aspect.find(conditions) {
                Some(c) if holds(c) => {}
                Some(c) => return Err(format!("{id} is not {aspect}: {}: {}", c.reason, c.message)),
                None => return Err(format!("{id} is not {aspect} yet")),
            }
        }
        let prepared = self.step == Step::Prepare;
        let found = world.view().networks.values().find_map(|n| {
            let ports = if prepared { &n.prepared } else { &n.ports };
            Some((n.mtu, ports.get(&self.port)?))
        });
        let Some((mtu, port)) = found.filter(|_| world.is_wired(&self.port)) else {
            return Err(format!("{id} is not on this node yet"));
        };
        let address = |(ip, subnet): &(_, std::sync::Arc<crate::model::view::SubnetView>)| Address {
            ip: *ip,
            prefix_length: subnet.cidr.prefix_len(),
            gateway_ip: subnet.gateway,
        };
        Ok(Plugged {
            namespace: self.port.namespace.to_string(),
            name: self.port.name.to_string(),
            device: self.target.device().to_owned(),
            mac_address: port.mac,
            mtu,
            addresses: port.addresses.iter().map(address).collect(),
        })
    }

    /// Undoes what the request did, because it failed or its client is gone. Whether the node is to converge.
    pub fn give_up(&self, world: &mut impl Ports) -> bool {
        if !self.ours || world.node().attachments().get(&self.port).is_none_or(|a| a.target != self.target) {
            return false;
        }
        if let Err(error) = world.node_mut().detach(&self.port) {
            tracing::warn!(object = %Id::new(Kind::Port, self.port.clone()), %error, "could not be unplugged");
        }
        true
    }
}

//! Clients that wait for a port to be plugged: until it exists, is accepted, and packets pass, or until they lose patience.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Error;
use super::node::Node;
use super::protocol::{Address, Answer, Plugged, PodPort};
use crate::api::ConditionType::{Accepted, Programmed, ResolvedRefs};
use crate::api::{Condition, Port};
use crate::dataplane::attachment::{Attachment, Sandbox, Target};
use crate::dataplane::given::Given;
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
    /// Counts a request to plug a guest that is over: after how long packets passed, if they ever did.
    fn served(&mut self, _passed: Option<Duration>) {}
    /// Whether a pod's interface is as it was made.
    ///
    /// # Errors
    /// What is different.
    fn check(&mut self, key: &Key) -> Result<(), Error>;
    /// Lets go of removals that were held back.
    fn confirm(&mut self) -> Answer;
}

/// What a client wants plugged.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Which port.
    pub port: Key,
    /// For which guest.
    pub target: Target,
    /// Whether to take the port over.
    pub force: bool,
    /// What is done.
    pub step: Step,
    /// The pod that the guest is. It waits for whoever has the port to go, and whatever may yet be put right.
    pub pod: Option<Sandbox>,
    /// UID of the pod that the port is to belong to; none: it may be anybody's.
    pub owner: Option<String>,
}

impl Wanted {
    /// What somebody asks for by hand.
    #[must_use]
    pub fn by_hand(port: Key, target: Target, step: Step) -> Self {
        Self { port, target, force: false, step, pod: None, owner: None }
    }
}

impl From<PodPort> for Wanted {
    fn from(PodPort { namespace, name, owner, target, pod }: PodPort) -> Self {
        Self { pod: Some(pod), owner, ..Self::by_hand(Key::new(&namespace, &name), target, Step::Plug) }
    }
}

/// One port that a client waits for.
#[derive(Debug)]
pub struct Plug {
    /// For what.
    pub wanted: Wanted,
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
    pub fn new(wanted: Wanted, now: Instant, patience: Duration) -> Self {
        let deadline = now + patience;
        Self { wanted, deadline, since: now, held: None, said: String::new(), ours: false }
    }

    /// Whether the guest was plugged by this very request.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.ours
    }

    /// When the client is to be told something, whatever happens. `grace`: as [`Ports::grace`] says.
    #[must_use]
    pub fn due(&self, grace: Duration) -> Instant {
        if self.held.is_some() { self.deadline.min(self.refusal(grace)) } else { self.deadline }
    }

    /// When what keeps the guest from being plugged is believed.
    fn refusal(&self, grace: Duration) -> Instant {
        if self.wanted.pod.is_some() { self.deadline } else { self.since + grace }
    }

    /// Plugs the guest as soon as the port exists. `Ok(true)`: the node is to converge.
    ///
    /// # Errors
    /// Why the guest can never be plugged.
    pub fn attach(&mut self, world: &mut impl Ports) -> Result<bool, String> {
        let Wanted { port: key, target, force, step, pod, owner } = &self.wanted;
        let Some(port) = world.port(key).filter(|port| belongs(port, owner.as_deref())) else { return Ok(false) };
        let (Some(uid), None) = (port.metadata.uid.as_deref().map(Uid::parse), &port.metadata.deletion_timestamp)
        else {
            return Ok(false);
        };
        if *step == Step::Switch {
            self.held = world.may_migrate(key, &port, *step).err();
            return Ok(self.held.is_none());
        }
        let attachment = Attachment { port: uid, target: target.clone(), pod: pod.clone() };
        if world.node().attachments().get(key) == Some(&attachment) {
            return Ok(false);
        }
        self.held = match step {
            Step::Plug => world.may_plug(key, &port, *force).err(),
            step => world.may_migrate(key, &port, *step).err(),
        };
        if self.held.is_some() {
            return Ok(false);
        }
        match world.node_mut().attach(key, attachment, *force) {
            Ok(()) => self.ours = true,
            Err(why) if pod.is_some() => self.held = Some(why.to_string()),
            Err(why) => return Err(why.to_string()),
        }
        Ok(self.ours)
    }

    /// What there is to tell the client, after a convergence.
    pub fn answer(&mut self, world: &impl Ports, now: Instant) -> Option<Answer> {
        let why = match (&self.held, self.progress(world)) {
            (Some(why), _) if self.refusal(world.grace()) <= now => return Some(Answer::Failed(why.clone())),
            (Some(why), _) => why.clone(),
            (None, Ok(plugged)) => return Some(Answer::Plugged(plugged)),
            (None, Err(why)) => why,
        };
        if self.deadline <= now {
            return Some(Answer::Failed(format!("Port {} was not plugged in time: {why}", self.wanted.port)));
        }
        (self.said != why).then(|| {
            self.said.clone_from(&why);
            Answer::Progress(why)
        })
    }

    fn progress(&self, world: &impl Ports) -> Result<Plugged, String> {
        let Wanted { port: key, target, step, pod, owner, .. } = &self.wanted;
        let id = Id::new(Kind::Port, key.clone());
        let Some(port) = world.port(key) else {
            return Err(match owner {
                Some(_) => format!("{id} does not exist yet: the controller makes it for the pod"),
                None => format!("{id} does not exist; {}", world.advice()),
            });
        };
        if !belongs(&port, owner.as_deref()) {
            return Err(format!("{id} is not this pod's: one of an older pod of that name goes with that pod"));
        }
        if *step != Step::Plug {
            world.migrated(key, *step)?;
        }
        let generation = port.metadata.generation;
        let conditions: &[Condition] = port.status.as_ref().map_or(&[], |status| &status.conditions);
        let holds = |c: &Condition| c.status == "True" && c.observed_generation == generation;
        // A port whose security group is missing is on its network, and works with what resolves.
        let done = Programmed.find(conditions).is_some_and(holds);
        let needed =
            if done || *step == Step::Prepare { &[Accepted][..] } else { &[Accepted, ResolvedRefs, Programmed] };
        for aspect in needed {
            match aspect.find(conditions) {
                Some(c) if holds(c) => {}
                Some(c) => return Err(format!("{id} is not {aspect}: {}: {}", c.reason, c.message)),
                None => return Err(format!("{id} is not {aspect} yet")),
            }
        }
        let found = world.view().networks.values().find_map(|n| {
            let ports = if *step == Step::Prepare { &n.prepared } else { &n.ports };
            Some((n.mtu, ports.get(key)?))
        });
        let Some((mtu, port)) = found.filter(|_| world.is_wired(key)) else {
            return Err(format!("{id} is not on this node yet"));
        };
        let address = |(ip, subnet): &(_, std::sync::Arc<crate::model::view::SubnetView>)| Address {
            ip: *ip,
            prefix_length: subnet.cidr.prefix_len(),
            gateway_ip: subnet.gateway,
        };
        let routes = pod.as_ref().map(|pod| Given::of(port, pod.default_route).routes);
        Ok(Plugged {
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            device: target.device().to_owned(),
            mac_address: port.mac,
            mtu,
            addresses: port.addresses.iter().map(address).collect(),
            routes: routes.unwrap_or_default(),
        })
    }

    /// Undoes what the request did, because it failed or its client is gone. Whether the node is to converge.
    pub fn give_up(&self, world: &mut impl Ports) -> bool {
        let Wanted { port, target, .. } = &self.wanted;
        if !self.ours || world.node().attachments().get(port).is_none_or(|a| a.target != *target) {
            return false;
        }
        if let Err(error) = world.node_mut().detach(port) {
            tracing::warn!(object = %Id::new(Kind::Port, port.clone()), %error, "could not be unplugged");
        }
        true
    }
}

/// Whether a port is the pod's of this UID.
fn belongs(port: &Port, pod: Option<&str>) -> bool {
    let owners = port.metadata.owner_references.as_deref().unwrap_or_default();
    pod.is_none_or(|uid| owners.iter().any(|owner| owner.kind == "Pod" && owner.uid == uid))
}

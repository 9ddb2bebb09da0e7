//! The node side: converges one node to its view and reports.

pub mod connections;
pub mod durable;

mod calls;
pub mod desk;
pub mod ears;
pub mod node;
pub mod pace;
mod passes;
pub mod plugs;
mod pods;
pub mod protocol;
mod record;
mod routed;
pub mod server;
pub mod sleep;
mod visit;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::api::{AgentKernel, Reason};
use crate::dataplane::attachment::{Attachment, Attachments, Target};
use crate::dataplane::dhcp::Table;
use crate::dataplane::filter::Filtering;
use crate::dataplane::kernel::{Feature, Kernel, dhcp::Server, guest_netns, netns};
use crate::dataplane::plan::{self, Plan};
use crate::dataplane::router_rules;
use crate::dataplane::state::State;
use crate::model::active::Announcement;
use crate::model::{Id, Key, Kind, NodeView, Remark, Report};
pub use record::FILE as RECORD;
use record::Record;
use routed::Routed;

/// Where an agent keeps things.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory of the control socket; our namespaces are pinned below it.
    pub run_dir: PathBuf,
    /// State directory; the record of what is plugged is kept there.
    pub state_dir: PathBuf,
    /// Name of the node.
    pub node: String,
    /// How its ports are filtered.
    pub filtering: Filtering,
}

/// What an agent cannot go on from. Each message says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// One node.
pub struct Agent {
    options: Options,
    kernel: Kernel,
    record: Record,
    routed: Routed,
    rules: router_rules::Memory,
    given: pods::Pods,
    /// Whether the filters were asked for.
    prepared: bool,
    /// The responder, with the inode of the namespace that it answers in.
    dhcp: Option<(u64, Server)>,
}

/// What a convergence did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// For the conditions.
    pub report: Report,
    /// Changes made to the kernel.
    pub changes: usize,
    /// Ports whose guest is gone (its namespace, or the tap was closed): they are unplugged now.
    pub vanished: Vec<Key>,
}

impl Agent {
    /// Checks rights and kernel features, opens the kernel, reads what is plugged. Changes nothing.
    ///
    /// # Errors
    /// What is missing, with what to do.
    pub fn open(options: &Options) -> Result<Self, Error> {
        let kernel = Kernel::open(&options.run_dir, options.filtering)?;
        let record = Record::open(&options.state_dir)?;
        let routed = Routed::open(&options.run_dir);
        let rules = router_rules::Memory::default();
        let given = pods::Pods::default();
        Ok(Self { options: options.clone(), kernel, record, routed, rules, given, prepared: false, dhcp: None })
    }

    /// MTU of the way to other nodes, bytes: of the link that carries `address`.
    ///
    /// # Errors
    /// No link of this host carries it.
    pub fn mtu(&mut self, address: IpAddr) -> Result<u32, Error> {
        Ok(self.kernel.mtu(address)?)
    }

    /// The way to the connections of routers here, also from other threads.
    #[must_use]
    pub fn connections(&self) -> connections::Connections {
        connections::Connections::new(self.options.run_dir.clone(), self.options.filtering)
    }

    /// The kernel, for people.
    #[must_use]
    pub fn kernel(&self) -> AgentKernel {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let (found, missing): (Vec<&Feature>, Vec<&Feature>) = self.kernel.features().iter().partition(|f| f.found);
        for (name, without) in missing.iter().filter_map(|f| Some((f.name, f.without?))) {
            tracing::warn!("this kernel has no {name}: {without} will not work on this node");
        }
        let names = |list: Vec<&Feature>| list.into_iter().map(|feature| feature.name.to_owned()).collect();
        AgentKernel { release: release.trim().into(), features: names(found), missing: names(missing) }
    }

    /// What is plugged here.
    #[must_use]
    pub fn attachments(&self) -> &Attachments {
        self.record.attachments()
    }

    /// Routers and floating IPs that this host may hold: those that were noted last, be it by the agent before.
    #[must_use]
    pub fn routed(&self) -> &BTreeSet<Id> {
        self.routed.ids()
    }

    /// Notes which routers and floating IPs the next [`Agent::converge`] makes, for the agent after this one.
    pub fn note_routed(&mut self, ids: BTreeSet<Id>) {
        self.routed.note(ids);
    }

    /// Plugs a guest into `port`; the next [`Agent::converge`] records that durably, then wires it.
    /// The same target again changes nothing.
    ///
    /// # Errors
    /// Another target, which is still there, holds the port and `force` is not set (the message names it); the target cannot be
    /// used.
    pub fn attach(&mut self, port: &Key, attachment: Attachment, force: bool) -> Result<(), Error> {
        match self.attachments().get(port) {
            Some(held) if *held == attachment => return Ok(()),
            Some(held) if held.port == attachment.port && !force && !is_gone(&held.target) => {
                let advice = "unplug it first, or take it over with --force";
                return Err(Error(format!("Port {port} is plugged into {}: {advice}", held.target)));
            }
            _ => {}
        }
        let same = |(key, held): &(&Key, &Attachment)| *key != port && held.target == attachment.target;
        if let Some((other, held)) = self.attachments().iter().find(same) {
            return Err(Error(format!("{} holds Port {other} already: choose another --ifname", held.target)));
        }
        match &attachment.target {
            Target::Netns { path, inode, .. } => drop(guest_netns(path, *inode)?),
            Target::Tap { name } => self.kernel.check_tap(name)?,
        }
        self.record.insert(port.clone(), attachment);
        Ok(())
    }

    /// Forgets what is plugged into `port`; the next [`Agent::converge`] records that durably and takes the link away.
    ///
    /// # Errors
    /// None today; a node that keeps its record elsewhere may have some.
    pub fn detach(&mut self, port: &Key) -> Result<(), Error> {
        self.record.forget(port);
        Ok(())
    }

    /// Render, observe, diff, apply, observe again, at most three times.
    pub fn converge(&mut self, view: &NodeView) -> Outcome {
        let mut outcome = Outcome::default();
        self.prepare();
        outcome.report.node.clone_from(&self.options.node);
        let unrecorded = self.write_record();
        let rendered = match self.kernel.sweep().and_then(|()| self.passes(view, &mut outcome)) {
            Ok(rendered) => rendered,
            Err(error) => {
                tracing::error!(%error, "this node cannot be changed now");
                let remark = Remark { reason: Reason::KernelError, message: error.to_string() };
                outcome.report.faults = everything(view).map(|id| (id, remark.clone())).collect();
                return outcome;
            }
        };
        outcome.report.faults.extend(rendered.faults);
        outcome.report.faults.extend(unrecorded);
        outcome.report.remarks = rendered.remarks;
        let ungiven = self.give(view, &outcome.report.faults);
        outcome.report.faults.extend(ungiven);
        if let Err(error) = self.serve(rendered.dhcp) {
            tracing::error!(%error, "DHCP is not answered");
        }
        outcome
    }

    /// Loads the packet filters before anybody waits for them. That they cannot be loaded is said at each port that needs them.
    fn prepare(&mut self) {
        if !std::mem::replace(&mut self.prepared, true)
            && let Err(error) = self.kernel.load_filters()
        {
            tracing::error!(%error, "no port can be opened on this node");
        }
    }

    /// Brings to disk what is plugged. Ports of which the disk takes no record are not wired, for they would be nobody's after
    /// a crash; those it has go on.
    fn write_record(&mut self) -> BTreeMap<Id, Remark> {
        let Err(error) = self.record.flush() else { return BTreeMap::new() };
        tracing::error!(%error, "what is plugged cannot be recorded");
        let message = format!("What is plugged cannot be recorded in {}: {error}", self.options.state_dir.display());
        let remark = Remark { reason: Reason::KernelError, message };
        self.record.fresh().iter().map(|key| (Id::new(Kind::Port, key.clone()), remark.clone())).collect()
    }

    /// Answers DHCP from `table` from now on.
    fn serve(&mut self, table: Table) -> io::Result<()> {
        let Some(vswitch) = self.kernel.vswitch() else {
            self.dhcp = None;
            return Ok(());
        };
        let inode = netns::inode(vswitch)?;
        if self.dhcp.as_ref().is_none_or(|(there, _)| *there != inode) {
            self.dhcp = Some((inode, Server::start(vswitch)?));
        }
        let Some((_, server)) = &self.dhcp else { return Ok(()) };
        server.update(Arc::new(table), self.kernel.bridges(), self.kernel.routers())
    }

    /// What [`Agent::converge`] would do first. Changes nothing.
    ///
    /// # Errors
    /// The kernel could not be observed.
    pub fn plan(&mut self, view: &NodeView) -> Result<Plan, Error> {
        self.kernel.observe()?;
        Ok(plan::diff(&self.render(view)?.state, self.kernel.observed()))
    }

    /// Takes away everything of ours on this host; returns what it took away.
    ///
    /// # Errors
    /// What is left and why.
    pub fn clean(&mut self) -> Result<Plan, Error> {
        self.dhcp = None;
        self.kernel.sweep()?;
        let mut done = Plan::default();
        for _ in 0..=passes::PASSES {
            self.kernel.observe()?;
            let plan = plan::diff(&State::default(), self.kernel.observed());
            if plan.0.is_empty() {
                self.kernel.forget_filters()?;
                self.record.remove()?;
                self.routed.remove()?;
                return Ok(done);
            }
            let failed = self.kernel.apply(&plan);
            if let Some((at, error)) = failed.iter().next() {
                let item = plan.0.get(*at).map(|change| change.item.to_string()).unwrap_or_default();
                return Err(Error(format!("{item} cannot be taken away: {error}")));
            }
            done.0.extend(plan.0);
        }
        Err(Error("something makes our objects again while they are taken away: is another instance running?".into()))
    }

    /// Descriptors that become readable when the kernel changed under us.
    #[must_use]
    pub fn watched(&self) -> Vec<BorrowedFd<'_>> {
        self.kernel.watched()
    }

    /// When something is to be done that waits for a moment of rest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.kernel.deadline()
    }

    /// Does the next such thing: a port's packets get a shorter way.
    pub fn hasten(&mut self) {
        self.kernel.hasten();
    }

    /// How often the kernel could not tell all its news since the program began; all is looked at again then.
    #[must_use]
    pub fn notifications_lost(&self) -> u64 {
        self.kernel.notifications_lost()
    }

    /// What guests have announced since it was asked last, of ports with allowed address pairs; the newest last. Also this wakes.
    pub fn announced(&mut self) -> Vec<Announcement> {
        self.kernel.announced()
    }

    /// Empties the watched descriptors. Whether anything that concerns us may have changed since the last convergence.
    pub fn disturbed(&mut self) -> bool {
        self.kernel.disturbed()
    }
}

/// Whether a guest's namespace is gone, as all are after a reboot: who comes in its place takes nothing from anybody.
fn is_gone(target: &Target) -> bool {
    let Target::Netns { path, inode, .. } = target else { return false };
    guest_netns(path, *inode).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// All that a view asks a node for.
fn everything(view: &NodeView) -> impl Iterator<Item = Id> {
    let of = |kind| move |key: &Key| Id::new(kind, key.clone());
    let ports = view.networks.values().flat_map(|n| n.ports.keys()).map(of(Kind::Port));
    let external = view.routers.values().filter_map(|r| r.external.as_ref());
    let floating =
        external.flat_map(|e| e.floating.values().map(|f| &f.key).chain(e.forwarding.values().map(|f| &f.key)));
    view.networks
        .keys()
        .map(of(Kind::Network))
        .chain(ports)
        .chain(view.routers.keys().map(of(Kind::Router)))
        .chain(floating.map(of(Kind::FloatingIP)))
}

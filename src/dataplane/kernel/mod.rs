//! The hands: the only code that touches a node.
//!
//! [`Kernel`] observes what the node holds of ours as a [`State`], and applies a [`Plan`]. It looks only where something
//! changed since it last looked, so that a world at rest costs nothing and a small change costs little.

mod announce;
mod apply;
mod connections;
mod features;
mod link;
mod links;
mod neighbour;
mod netlink;
mod news;
mod observe;
mod packet;
mod probe;
mod route;
mod rule;
mod space;
mod sysctl;
mod way;

pub mod conntrack;
pub mod dhcp;
pub mod filter;
pub mod guest;
pub mod netfilter;
pub mod netns;
pub mod nft;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use netlink_packet_route::link::InfoKind;

pub use apply::Failures;
pub use features::Feature;
use filter::Filters;
pub use links::guest_netns;
pub use probe::Probe;
use space::Space;

use crate::dataplane::facts::Facts;
use crate::dataplane::filter::Filtering;
use crate::dataplane::names::{self, Prefix};
use crate::dataplane::plan::Plan;
use crate::dataplane::state::{IfName, Netns, State};
use crate::model::Key;
use crate::model::active::Announcement;
use crate::model::view::PhysicalView;

/// One node's kernel, as far as it concerns us.
pub struct Kernel {
    run_dir: PathBuf,
    probe: Probe,
    filters: Filters,
    spaces: BTreeMap<Netns, Space>,
    /// What all of them were seen to hold.
    observed: State,
    /// Pins that nothing was mounted on: left over from before a reboot, or of a process that died making or taking away
    /// a namespace.
    empty: Vec<PathBuf>,
}

impl Kernel {
    /// Opens the host (the calling thread's namespace) and the namespaces pinned in `run_dir`. Changes nothing.
    ///
    /// # Errors
    /// What is missing, with what to do.
    pub fn open(run_dir: &Path, filtering: Filtering) -> io::Result<Self> {
        let probe = Probe::new()?;
        let (mut spaces, mut empty) = (BTreeMap::new(), Vec::new());
        spaces.insert(Netns::Host, Space::open(Netns::Host, netns::current()?)?);
        for netns in pins(run_dir)? {
            let Some(pin) = names::pin(&netns).map(|file| run_dir.join(&*file)) else { continue };
            if netns::is_pinned(&pin) {
                spaces.insert(netns.clone(), Space::open(netns, netns::open(&pin)?)?);
            } else {
                empty.push(pin);
            }
        }
        let (filters, observed) = (Filters::open(run_dir, filtering), State::default());
        Ok(Self { run_dir: run_dir.to_owned(), probe, filters, spaces, observed, empty })
    }

    /// Takes away pins that were found empty when the kernel was opened.
    ///
    /// # Errors
    /// The directory's.
    pub fn sweep(&mut self) -> io::Result<()> {
        let pins = std::mem::take(&mut self.empty);
        pins.iter().filter(|pin| !netns::is_pinned(pin)).try_for_each(|pin| netns::remove(pin))
    }

    /// What the node has for those who touch these wires, as it was last looked at.
    ///
    /// # Errors
    /// The kernel could not be read.
    pub fn facts(&mut self, wires: &BTreeMap<Key, PhysicalView>) -> io::Result<Facts> {
        let mut facts = self.probe.facts();
        facts.filtering = self.filters.filtering();
        if !wires.is_empty() {
            probe::host(self.space(&Netns::Host)?, wires, &mut facts)?;
            probe::moved_in(&self.observed, &mut facts);
        }
        Ok(facts)
    }

    /// MTU of the link of the host that carries an address, bytes.
    ///
    /// # Errors
    /// None carries it (`NotFound`); the kernel could not be read.
    pub fn mtu(&mut self, address: IpAddr) -> io::Result<u32> {
        way::mtu(self.space(&Netns::Host)?, address)
    }

    /// Features that a node may lack.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.probe.features
    }

    /// Looks at all that the node holds of ours, where it may have changed.
    ///
    /// # Errors
    /// The kernel could not be read.
    pub fn observe(&mut self) -> io::Result<()> {
        let sysctls = &self.probe.sysctls;
        for (netns, space) in &mut self.spaces {
            if let Some(file) = names::pin(netns) {
                netns::repin(space.as_fd(), &self.run_dir.join(&*file))?;
            }
            space.observe(
                if *netns == Netns::Vswitch { &sysctls.vswitch } else { &sysctls.router },
                self.filters.tables(),
                &mut self.observed,
            )?;
        }
        let vswitch = self.spaces.get(&Netns::Vswitch);
        self.filters.observe(vswitch.iter().flat_map(|space| &space.indices), &mut self.observed)
    }

    /// When the next port is to be given the short way to its filters; none: all have it that can.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.filters.deadline().filter(|_| self.has(features::TCX))
    }

    /// Gives it to the next. It takes some 20 ms, in which nothing else is done.
    pub fn hasten(&mut self) {
        let Some(vswitch) = self.spaces.get(&Netns::Vswitch) else { return };
        let done = netns::within(vswitch.as_fd(), || self.filters.hasten()).flatten();
        if let Err(error) = done {
            tracing::warn!(%error, "packets of a port take the longer way to their filters");
        }
    }

    fn has(&self, feature: &str) -> bool {
        self.features().iter().any(|known| known.name == feature && known.found)
    }

    /// Loads the packet filters, if they are not there.
    ///
    /// # Errors
    /// The kernel does not take them.
    pub fn load_filters(&mut self) -> io::Result<()> {
        self.filters.ready().map(drop)
    }

    /// Takes away what the filters went by, when nothing goes by it any more.
    ///
    /// # Errors
    /// It cannot be taken away.
    pub fn forget_filters(&mut self) -> io::Result<()> {
        self.filters.remove()
    }

    /// All that the node holds of ours, as it was last looked at.
    #[must_use]
    pub fn observed(&self) -> &State {
        &self.observed
    }

    /// Makes a plan; what failed.
    pub fn apply(&mut self, plan: &Plan) -> Failures {
        apply::plan(self, plan)
    }

    /// Descriptors that become readable when something changed.
    #[must_use]
    pub fn watched(&self) -> Vec<BorrowedFd<'_>> {
        self.spaces.values().flat_map(Space::watched).chain(self.filters.watched()).collect()
    }

    /// How often notifications were lost, since the program began.
    #[must_use]
    pub fn notifications_lost(&self) -> u64 {
        netlink::lost()
    }

    /// Reads all notifications. Whether one concerns us.
    pub fn disturbed(&mut self) -> bool {
        let (state, tables) = (&mut self.observed, self.filters.tables());
        self.spaces.values_mut().filter_map(|space| space.disturbed(tables, state).then_some(())).count() > 0
    }

    /// What guests have announced since, of ports with allowed address pairs; the newest last.
    pub fn announced(&mut self) -> Vec<Announcement> {
        self.filters.announced()
    }

    /// The namespace of all bridges, if there is one.
    #[must_use]
    pub fn vswitch(&self) -> Option<BorrowedFd<'_>> {
        self.spaces.get(&Netns::Vswitch).map(Space::as_fd)
    }

    /// Namespaces of routers.
    pub fn routers(&self) -> impl Iterator<Item = (Netns, BorrowedFd<'_>)> {
        self.spaces.iter().filter(|(n, _)| matches!(n, Netns::Router(_))).map(|(n, space)| (n.clone(), space.as_fd()))
    }

    /// Our bridges by interface index.
    #[must_use]
    pub fn bridges(&self) -> BTreeMap<u32, IfName> {
        let all = self.spaces.get(&Netns::Vswitch).map(|space| &space.indices);
        let bridge = |name: &&IfName| Prefix::of(name) == Some(Prefix::Bridge);
        all.into_iter().flatten().filter(|(name, _)| bridge(name)).map(|(name, index)| (*index, name.clone())).collect()
    }

    /// Checks that the host has a tap of that name.
    ///
    /// # Errors
    /// It has none, or what it has is no tap; the message says what to do.
    pub fn check_tap(&mut self, name: &str) -> io::Result<()> {
        match self.space(&Netns::Host)?.look(link::named(name))? {
            Some(seen) if seen.kind == Some(InfoKind::Tun) => Ok(()),
            Some(_) => Err(io::Error::other(format!("{name} is no tap: name the one that the hypervisor holds open"))),
            None => {
                Err(io::Error::other(format!("this host has no tap {name}: start the hypervisor that opens it first")))
            }
        }
    }

    fn space(&mut self, netns: &Netns) -> io::Result<&mut Space> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("there is no namespace {netns}"));
        self.spaces.get_mut(netns).ok_or_else(missing)
    }

    fn add(&mut self, netns: &Netns) -> io::Result<()> {
        let Some(file) = names::pin(netns) else { return Ok(()) };
        let pin = self.run_dir.join(&*file);
        netns::remove(&pin)?;
        let space = Space::open(netns.clone(), netns::create(&pin)?)?;
        self.spaces.insert(netns.clone(), space);
        Ok(())
    }

    fn remove(&mut self, netns: &Netns) -> io::Result<()> {
        self.spaces.remove(netns);
        self.observed.0.retain(|item, _| item.netns() != Some(netns));
        names::pin(netns).map_or(Ok(()), |file| netns::remove(&self.run_dir.join(&*file)))
    }
}

/// Namespaces that have a pin in `run_dir`.
fn pins(run_dir: &Path) -> io::Result<Vec<Netns>> {
    let entries = match std::fs::read_dir(run_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let name = |entry: io::Result<std::fs::DirEntry>| names::pinned(entry.ok()?.file_name().to_str()?);
    Ok(entries.filter_map(name).collect())
}

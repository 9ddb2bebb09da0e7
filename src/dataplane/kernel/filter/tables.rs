//! The filters' tables in the kernel.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use aya::Pod;
use aya::maps::{Array, HashMap, Map, MapData, MapError};

use super::tcx::Short;
use crate::dataplane::filter::layout::{self, FLOW, FRAGMENT, GROUP, MEMBER, PORT, STATION};
use crate::dataplane::filter::{Policy, Wire};
use crate::dataplane::state::{Item, Spec, State};
use crate::model::security::{Member, Number, RuleView};

/// Names of all tables: of the pins, and in the program.
pub const NAMES: [&str; 9] =
    ["wires", "stations", "groups", "members", "epoch", "flows", "shares", "pending", "fragments"];

/// `BPF_NOEXIST`: write only what is missing.
const MISSING: u64 = 1;

/// What keeps numbers apart from anything else in the kernel.
type Key = [u8; 8];

/// Open tables.
pub struct Tables {
    pub(super) wires: HashMap<MapData, u32, [u8; PORT]>,
    pub(super) stations: HashMap<MapData, [u8; STATION], [u8; PORT]>,
    pub(super) groups: HashMap<MapData, Key, [u8; GROUP]>,
    pub(super) members: HashMap<MapData, [u8; MEMBER], u8>,
    epoch: Array<MapData, u32>,
    pub(super) shares: HashMap<MapData, Key, u32>,
    pub(super) flows: HashMap<MapData, [u8; FLOW.0], [u8; FLOW.1]>,
    pub(super) pending: HashMap<MapData, [u8; FLOW.0], [u8; FLOW.1]>,
    pub(super) fragments: HashMap<MapData, [u8; FRAGMENT.0], [u8; FRAGMENT.1]>,
    /// What ports are judged by; in the kernel it stands with the interface, as soon as there is one.
    pub(super) policies: BTreeMap<Number, Policy>,
    /// Interfaces by their ports: of an interface that vanishes with its guest nobody tells us by its port.
    pub(super) behind: BTreeMap<(Number, u32), Wire>,
    /// The short way to the programs, of each interface.
    pub(super) short: Short,
}

impl Tables {
    /// Opens the tables that are pinned in `dir`.
    ///
    /// # Errors
    /// One is missing (`NotFound`), or is of another shape.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let pinned = |name: &str| MapData::from_pin(dir.join(name)).map_err(error);
        let mut tables = Self {
            wires: hash(Map::HashMap(pinned("wires")?))?,
            stations: hash(Map::HashMap(pinned("stations")?))?,
            groups: hash(Map::HashMap(pinned("groups")?))?,
            members: hash(Map::HashMap(pinned("members")?))?,
            epoch: Array::try_from(Map::Array(pinned("epoch")?)).map_err(error)?,
            shares: hash(Map::HashMap(pinned("shares")?))?,
            flows: hash(Map::LruHashMap(pinned("flows")?))?,
            pending: hash(Map::LruHashMap(pinned("pending")?))?,
            fragments: hash(Map::LruHashMap(pinned("fragments")?))?,
            short: Short::below(dir),
            policies: BTreeMap::new(),
            behind: BTreeMap::new(),
        };
        let all: Vec<_> = tables.wires.iter().collect::<Result<_, _>>().map_err(error)?;
        for (index, bytes) in all {
            let (policy, wire, _) = layout::port_of(&bytes);
            tables.policies.insert(wire.port, policy);
            tables.behind.insert((wire.port, index), tables.handed(index, wire));
        }
        Ok(tables)
    }

    /// All that the filters go by, as items.
    ///
    /// # Errors
    /// The tables could not be read.
    pub fn observe(&self, state: &mut State) -> io::Result<()> {
        for entry in &self.groups {
            let (group, bytes) = entry.map_err(error)?;
            state.found(Item::Group(number(group)), Spec::Group(layout::group_of(&bytes)), None);
        }
        for member in self.members.keys() {
            let member = layout::member_of(&member.map_err(error)?);
            state.found(Item::Member(member), Spec::Member, None);
        }
        for (port, policy) in &self.policies {
            state.found(Item::Policy(*port), Spec::Policy(policy.clone()), None);
        }
        Ok(())
    }

    /// Says what a port's packets are judged by, or that there is no such port.
    ///
    /// # Errors
    /// There is no room.
    pub fn set_port(&mut self, port: Number, policy: Option<&Policy>) -> io::Result<()> {
        let interfaces = self.interfaces(port);
        let Some(policy) = policy else {
            self.policies.remove(&port);
            set(&mut self.shares, key(port), None)?;
            return interfaces.into_iter().try_for_each(|index| self.forget_wire(port, index));
        };
        self.policies.insert(port, policy.clone());
        interfaces.into_iter().try_for_each(|index| self.write(port, index))
    }

    /// Gives a group its rules, or takes it away.
    ///
    /// # Errors
    /// There is no room.
    pub fn set_group(&mut self, group: Number, rules: Option<&Arc<[RuleView]>>) -> io::Result<()> {
        set(&mut self.groups, key(group), rules.map(|rules| *layout::group(rules)))
    }

    /// Adds or takes away a member.
    ///
    /// # Errors
    /// There is no room.
    pub fn set_member(&mut self, member: &Member, there: bool) -> io::Result<()> {
        layout::member(member).map_or(Ok(()), |key| set(&mut self.members, key, there.then_some(1)))
    }

    /// What is behind an interface, by its index; none: its packets are dropped. So are those of a port without a policy, until it
    /// has one.
    #[must_use]
    pub fn wire(&self, index: u32) -> Option<Wire> {
        let Ok(entry) = self.wires.get(&index, 0) else {
            return self.behind.iter().find(|((_, at), _)| *at == index).map(|(_, wire)| *wire);
        };
        let (_, wire, _) = layout::port_of(&entry);
        Some(self.handed(index, wire))
    }

    /// The same, handed packets if its station is there.
    fn handed(&self, index: u32, wire: Wire) -> Wire {
        let station = self.stations.get(&layout::station(&wire), 0).ok().map(|bytes| layout::port_of(&bytes));
        Wire { handed: station.filter(|(.., at)| *at == index).and(wire.handed), ..wire }
    }

    /// Says what is behind an interface; its port is behind no other any more.
    ///
    /// # Errors
    /// There is no room.
    pub fn set_wire(&mut self, index: u32, wire: &Wire) -> io::Result<()> {
        let mut others = self.interfaces(wire.port).into_iter().filter(|other| *other != index);
        others.try_for_each(|other| self.forget_wire(wire.port, other))?;
        // What stays the same is not taken away for a moment: packets are on their way.
        if let Some(before) = self.wire(index).filter(|before| before != wire) {
            if before.handed.is_some() {
                set(&mut self.stations, layout::station(&before), None)?;
            }
            self.behind.remove(&(before.port, index));
        }
        self.behind.insert((wire.port, index), *wire);
        self.write(wire.port, index)
    }

    /// Writes what packets at an interface are judged by. Until that is known they are dropped.
    fn write(&mut self, port: Number, index: u32) -> io::Result<()> {
        let (Some(policy), Some(wire)) = (self.policies.get(&port), self.behind.get(&(port, index))) else {
            return set(&mut self.wires, index, None);
        };
        let entry = layout::port(policy, wire, index);
        set(&mut self.wires, index, Some(entry))?;
        if wire.handed.is_some() {
            set(&mut self.stations, layout::station(wire), Some(entry))?;
        }
        Ok(())
    }

    /// Interfaces that a port is behind, by their indices.
    fn interfaces(&self, port: Number) -> Vec<u32> {
        self.behind.range((port, 0)..=(port, u32::MAX)).map(|((_, index), _)| *index).collect()
    }

    fn forget_wire(&mut self, port: Number, index: u32) -> io::Result<()> {
        if let Some(wire) = self.wire(index).filter(|wire| wire.port == port) {
            if wire.handed.is_some() {
                set(&mut self.stations, layout::station(&wire), None)?;
            }
            set(&mut self.wires, index, None)?;
            self.short.forget(index);
        }
        self.behind.remove(&(port, index));
        Ok(())
    }

    /// Forgets flows that nobody has used for longer than they last, and counts those of each port, if a port has half its share
    /// or more; how many were forgotten.
    ///
    /// # Errors
    /// The tables cannot be read or written.
    pub fn sweep(&mut self, now: u64, share: u32) -> io::Result<usize> {
        let counts: BTreeMap<Key, u32> = self.shares.iter().collect::<Result<_, _>>().map_err(error)?;
        if counts.values().all(|count| *count < share / 2) {
            return Ok(0);
        }
        self.count(now)
    }

    /// The same, whatever the ports have.
    pub(super) fn count(&mut self, now: u64) -> io::Result<usize> {
        let (mut old, mut live) = (Vec::new(), BTreeMap::new());
        for entry in &self.flows {
            let (key, value) = entry.map_err(error)?;
            let flow = layout::flow_of(&key, &value);
            if flow.is_old(now) {
                old.push(key);
            } else {
                *live.entry(self::key(flow.port)).or_insert(0) += 1;
            }
        }
        old.iter().try_for_each(|key| set(&mut self.flows, *key, None))?;
        for port in self.shares.keys().collect::<Result<Vec<_>, _>>().map_err(error)? {
            live.entry(port).or_insert(0);
        }
        live.into_iter().try_for_each(|(port, count)| set(&mut self.shares, port, Some(count).filter(|c| *c > 0)))?;
        Ok(old.len())
    }

    /// Remembers the flows that tables of another version remember, in `former`, but for those that are known here; how many.
    ///
    /// # Errors
    /// They are of another shape, or cannot be read.
    pub fn inherit(&mut self, former: &Path, now: u64) -> io::Result<usize> {
        let open =
            |name| MapData::from_pin(former.join(name)).map_err(error).and_then(|map| hash(Map::LruHashMap(map)));
        let (flows, pending) = (open("flows")?, open("pending")?);
        let inherited = take_over(&flows, &mut self.flows)? + take_over(&pending, &mut self.pending)?;
        self.count(now)?;
        Ok(inherited)
    }

    /// What flows are judged under.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn epoch(&self) -> io::Result<u32> {
        self.epoch.get(&0, 0).map_err(error)
    }

    /// Makes every flow be judged anew: something may be forbidden that was allowed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn bump(&mut self) -> io::Result<()> {
        let epoch = self.epoch()?;
        self.epoch.set(0, epoch.wrapping_add(1), 0).map_err(error)
    }
}

/// Copies entries that are missing.
fn take_over<K: Pod, V: Pod>(from: &HashMap<MapData, K, V>, to: &mut HashMap<MapData, K, V>) -> io::Result<usize> {
    let mut taken = 0;
    for entry in from {
        let (key, value) = entry.map_err(error)?;
        match to.insert(key, value, MISSING).map_err(error) {
            Ok(()) => taken += 1,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

/// Writes or removes an entry; that there is none to remove is no failure.
///
/// # Errors
/// There is no room.
pub fn set<K: Pod, V: Pod>(map: &mut HashMap<MapData, K, V>, key: K, value: Option<V>) -> io::Result<()> {
    match value {
        Some(value) => map.insert(key, value, 0).map_err(error),
        None => match map.remove(&key) {
            Err(MapError::KeyNotFound) | Ok(()) => Ok(()),
            Err(other) => {
                let other = error(other);
                if other.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(other) }
            }
        },
    }
}

fn hash<K: Pod, V: Pod>(map: Map) -> io::Result<HashMap<MapData, K, V>> {
    HashMap::try_from(map).map_err(error)
}

fn key(number: Number) -> Key {
    number.0.to_ne_bytes()
}

fn number(key: Key) -> Number {
    Number(u64::from_ne_bytes(key))
}

/// The kernel's error, if it is one.
#[must_use]
#[allow(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
pub fn error(error: MapError) -> io::Error {
    match &error {
        MapError::SyscallError(call) => {
            io::Error::from_raw_os_error(call.io_error.raw_os_error().unwrap_or(nix::libc::EIO))
        }
        _ => io::Error::other(error.to_string()),
    }
}

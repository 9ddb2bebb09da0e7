//! What is read of a port once and stays until the object changes.
//!
//! There are far more ports than anything else, and most of them are as they were: a walk over their objects would wait for
//! memory at every string, so what linking needs of them stands side by side.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use crate::api::{IpAllocation, MacAddr, Port};
use crate::model::group::{DEFAULT, Lead};
use crate::model::id::{Key, Uid};
use crate::model::link::Rank;
use crate::model::report::Remark;
use crate::model::status::Settled;
use crate::model::valid::Valid as _;

/// A port, read.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct PortEntry {
    /// Its key.
    pub key: Key,
    /// The object.
    pub object: Arc<Port>,
    /// What it says wrong by itself.
    pub invalid: Option<Box<Remark>>,
    /// Whether somebody has deleted it.
    pub deleted: bool,
    /// Its UID.
    pub uid: Uid,
    /// Who comes first; without its position.
    pub rank: Rank,
    /// Whether it leaves its addresses and its MAC address to us.
    pub plain: bool,
    /// Whether it is plugged.
    pub bound: bool,
    /// Whether it is prepared on a node.
    pub prepared: bool,
    /// Of which healthy port its conditions already speak.
    pub settled: Settled,
    /// What its status says.
    pub recorded: Recorded,
    /// Where its reference to a network led the last time.
    pub network: Option<usize>,
    /// Whether it has port security; none: as its network says.
    pub guarded: Option<bool>,
    /// Whether it has allowed address pairs, or had some that are active.
    pub announces: bool,
    /// Where its references to groups led the last time; without any, to `default`.
    pub leads: Few<Lead>,
}

/// What the status of a port says beside conditions.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Subnets and addresses.
    pub addresses: Few<(Key, IpAddr)>,
    /// MAC address.
    pub mac: Option<MacAddr>,
    /// MTU, bytes.
    pub mtu: Option<u32>,
    /// UID of the network.
    pub network_uid: Option<Uid>,
}

impl PortEntry {
    /// Reads a port. `known` gives the key of a subnet as the topology has it: comparing it again costs nothing then.
    pub fn read(key: &Key, object: &Arc<Port>, known: impl Fn(&str, &str) -> Option<Key>) -> Self {
        let spec = &object.spec;
        let conditions = object.status.as_ref().map(|s| &s.conditions);
        let paired = !spec.allowed_address_pairs.is_empty();
        let named = spec.security_group_refs.is_some() || paired;
        Self {
            key: key.clone(),
            object: object.clone(),
            invalid: object.valid().err().map(Box::new),
            deleted: object.metadata.deletion_timestamp.is_some(),
            uid: Uid::parse(object.metadata.uid.as_deref().unwrap_or_default()),
            rank: Rank::of(&object.metadata, conditions, 0),
            plain: spec.addresses.is_none()
                && spec.mac_address.is_none()
                && spec.ip_allocation != Some(IpAllocation::None),
            bound: object.status.as_ref().is_some_and(|s| s.binding.is_some()),
            prepared: object.status.as_ref().is_some_and(|s| s.migration.is_some()),
            settled: Settled::of(object.metadata.generation, conditions.map_or(&[], Vec::as_slice)),
            recorded: Recorded::of(key, object, known),
            network: None,
            guarded: spec.port_security.or(named.then_some(true)),
            announces: paired || object.status.as_ref().is_some_and(|s| !s.active_pairs.is_empty()),
            leads: Few::None,
        }
    }
}

impl PortEntry {
    /// How it calls one of its groups, by position in `leads`.
    pub fn group_key(&self, place: usize) -> Key {
        let reference = self.object.spec.security_group_refs.as_ref().and_then(|all| all.get(place));
        reference.map_or_else(|| Key::new(&self.key.namespace, DEFAULT), |reference| self.key.referred(reference))
    }
}

impl Recorded {
    fn of(key: &Key, object: &Port, known: impl Fn(&str, &str) -> Option<Key>) -> Self {
        let status = object.status.as_ref();
        let addresses = status.into_iter().flat_map(|s| &s.addresses).map(|address| {
            let namespace = key.namespace_of(&address.subnet_ref);
            let name = &address.subnet_ref.name;
            (known(namespace, name).unwrap_or_else(|| Key::new(namespace, name)), address.ip)
        });
        Self {
            addresses: addresses.collect(),
            mac: status.and_then(|s| s.mac_address),
            mtu: status.and_then(|s| s.mtu),
            network_uid: status.and_then(|s| s.network_uid.as_deref()).map(Uid::parse),
        }
    }
}

/// A list of seldom more than one: one element needs no memory of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Few<T> {
    /// Nothing.
    #[default]
    None,
    /// One element.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut all = all.into_iter();
        match (all.next(), all.next()) {
            (None, _) => Self::None,
            (Some(one), None) => Self::One(one),
            (Some(one), Some(two)) => Self::Many([one, two].into_iter().chain(all).collect()),
        }
    }
}

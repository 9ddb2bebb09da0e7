//! All objects at one moment: specs as users wrote them, with metadata and the status recorded so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{Agent, FloatingIP, Network, PhysicalNetwork, Port, ReferenceGrant, Router, SecurityGroup, Subnet};
use crate::model::allocation::Allocations;
use crate::model::id::Key;
use crate::model::pod::Pods;

/// Objects of one kind.
pub type Objects<T> = BTreeMap<Key, Arc<T>>;

/// All objects at one moment. Every object has `metadata.name`, `uid`, `creationTimestamp` and `generation`;
/// one with a `deletionTimestamp` waits until nothing depends on it.
/// `status` is what was decided before: it is how decisions are kept over restarts.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Networks.
    pub networks: Objects<Network>,
    /// Subnets.
    pub subnets: Objects<Subnet>,
    /// Ports.
    pub ports: Objects<Port>,
    /// Routers.
    pub routers: Objects<Router>,
    /// Floating IPs.
    pub floating_ips: Objects<FloatingIP>,
    /// Security groups.
    pub security_groups: Objects<SecurityGroup>,
    /// Physical networks.
    pub physical_networks: Objects<PhysicalNetwork>,
    /// Reference grants.
    pub reference_grants: Objects<ReferenceGrant>,
    /// Agents: none in local mode.
    pub agents: Objects<Agent>,
    /// Values that are given away: none in local mode, and none where nothing is given away.
    pub allocations: Allocations,
    /// Pods that ask for interfaces: none in local mode.
    pub pods: Pods,
}

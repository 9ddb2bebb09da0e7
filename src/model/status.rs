//! From a topology and what the node reports to the statuses of all objects.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;

use crate::api::{FloatingIPStatus, NetworkStatus, PhysicalNetworkStatus, PortStatus, RouterStatus, SubnetStatus};
use crate::model::id::Key;
use crate::model::report::Report;
use crate::model::snapshot::Snapshot;
use crate::model::topology::{Problems, Topology};

/// Statuses that differ from what the snapshot records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statuses {
    /// Networks.
    pub networks: BTreeMap<Key, NetworkStatus>,
    /// Subnets.
    pub subnets: BTreeMap<Key, SubnetStatus>,
    /// Ports.
    pub ports: BTreeMap<Key, PortStatus>,
    /// Routers.
    pub routers: BTreeMap<Key, RouterStatus>,
    /// Floating IPs.
    pub floating_ips: BTreeMap<Key, FloatingIPStatus>,
    /// Physical networks.
    pub physical_networks: BTreeMap<Key, PhysicalNetworkStatus>,
}

/// The statuses that have to change. With no report, `Programmed` of what a node realises is `Unknown`/`Pending` where it was
/// not recorded before, and stays as recorded where it was. A condition keeps its `lastTransitionTime` while its status stays.
#[must_use]
pub fn statuses(
    _snapshot: &Snapshot,
    _topology: &Topology,
    _problems: &Problems,
    _report: Option<&Report>,
    _now: Timestamp,
) -> Statuses {
    Statuses::default()
}

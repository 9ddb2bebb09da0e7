//! From a topology and what the node reports to the statuses of all objects.

mod conditions;
mod each;
mod kinds;
mod port;
pub mod voice;

use std::collections::BTreeMap;
use std::iter::Peekable;

use k8s_openapi::jiff::Timestamp;

use crate::api::{
    ConditionType, FloatingIPStatus, NetworkStatus, PhysicalNetworkStatus, PortStatus, RouterStatus,
    SecurityGroupStatus, SubnetStatus,
};
use crate::model::id::{Id, Key, Kind};
use crate::model::link::Role;
use crate::model::report::{Remark, Report};
use crate::model::snapshot::Snapshot;
use crate::model::topology::{Problem, Problems, Standing, Topology};

use conditions::{Known, Progress};
pub(super) use port::Settled;

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
    /// Security groups.
    pub security_groups: BTreeMap<Key, SecurityGroupStatus>,
    /// Physical networks.
    pub physical_networks: BTreeMap<Key, PhysicalNetworkStatus>,
}

/// The statuses that have to change. With no report, `Programmed` of what a node realises is `Unknown`/`Pending` where it was
/// not recorded before, and stays as recorded where it was. A condition keeps its `lastTransitionTime` while its status stays.
/// What is released gets none: it is about to go.
///
/// `topology` and `problems` are what [`link`](crate::model::link) made of `snapshot`, or of the same objects before statuses
/// were written to them.
#[must_use]
pub fn statuses(
    snapshot: &Snapshot,
    topology: &Topology,
    problems: &Problems,
    report: Option<&Report>,
    now: Timestamp,
) -> Statuses {
    Judge { snapshot, topology, problems, report, only_told: false, now }.all()
}

/// As [`statuses`], where `snapshot` has already what they are without a report: what only a report can change.
#[must_use]
pub fn told(
    snapshot: &Snapshot,
    topology: &Topology,
    problems: &Problems,
    report: &Report,
    now: Timestamp,
) -> Statuses {
    Judge { snapshot, topology, problems, report: Some(report), only_told: true, now }.all()
}

/// As [`statuses`], of security groups alone.
#[must_use]
pub fn of_groups(
    snapshot: &Snapshot,
    topology: &Topology,
    problems: &Problems,
    report: &Report,
    now: Timestamp,
) -> Statuses {
    let judge = Judge { snapshot, topology, problems, report: Some(report), only_told: false, now };
    Statuses { security_groups: judge.security_groups(), ..Statuses::default() }
}

/// What all statuses are made of.
struct Judge<'a> {
    snapshot: &'a Snapshot,
    topology: &'a Topology,
    problems: &'a Problems,
    report: Option<&'a Report>,
    /// Whether all that needs no report is recorded already.
    only_told: bool,
    now: Timestamp,
}

/// What is said of the objects of one kind, asked for in the order of their keys.
struct Sayings<'a> {
    refers: bool,
    heard: bool,
    problems: Along<'a, Vec<Problem>>,
    faults: Along<'a, Remark>,
    waiting: Along<'a, Remark>,
    remarks: Along<'a, Remark>,
    in_use: Along<'a, String>,
}

impl<'a> Judge<'a> {
    fn all(&self) -> Statuses {
        Statuses {
            networks: self.networks(),
            subnets: self.subnets(),
            ports: self.ports(),
            routers: self.routers(),
            floating_ips: self.floating_ips(),
            security_groups: self.security_groups(),
            physical_networks: self.physical_networks(),
        }
    }

    fn sayings(&self, kind: Kind) -> Sayings<'a> {
        Sayings {
            refers: kind != Kind::PhysicalNetwork,
            heard: self.report.is_some(),
            problems: Along::new(Some(self.problems), kind),
            faults: Along::new(self.report.map(|r| &r.faults), kind),
            waiting: Along::new(Some(&self.topology.waiting), kind),
            remarks: Along::new(self.report.map(|r| &r.remarks), kind),
            in_use: Along::new(Some(&self.topology.in_use), kind),
        }
    }

    /// The node that translates: the one that was chosen; on a host of its own, the one that reports.
    fn chosen<'n>(&self, chosen: Option<&'n str>, recorded: Option<&'n str>) -> Option<&'n str>
    where
        'a: 'n,
    {
        if self.topology.role == Role::Host { self.node().or(recorded) } else { chosen }
    }

    /// Whether, before a controller, a node speaks of the object that it realises.
    fn is_others(&self, node: Option<&str>) -> bool {
        self.topology.role == Role::Controller && node.is_some()
    }

    /// The name of the node that reports.
    fn node(&self) -> Option<&'a str> {
        self.report.map(|r| r.node.as_str())
    }
}

impl<'a> Sayings<'a> {
    /// Whether nobody says anything of the object.
    fn silent(&mut self, key: &Key) -> bool {
        self.problems.at(key).is_none()
            && self.faults.at(key).is_none()
            && self.waiting.at(key).is_none()
            && self.remarks.at(key).is_none()
            && self.in_use.at(key).is_none()
    }

    fn of(&mut self, key: &Key, generation: Option<i64>, standing: Standing) -> Known<'a> {
        let problems = self.problems.at(key).map_or(&[][..], Vec::as_slice);
        let find = |condition| problems.iter().find(|p| p.condition == condition).map(|p| &p.remark);
        let (fault, remark) = (self.waiting.at(key).or(self.faults.at(key)), self.remarks.at(key));
        let progress = match (standing, fault, remark) {
            (Standing::Unjudged | Standing::Refused | Standing::Released, ..) => Progress::Nothing,
            (Standing::InForce, Some(fault), _) => Progress::Fault(fault),
            (Standing::InForce, None, Some(remark)) => Progress::Remarked(remark),
            (Standing::InForce, None, None) if self.heard => Progress::Done,
            (Standing::InForce, None, None) => Progress::Unheard,
        };
        Known {
            generation,
            judged: standing != Standing::Unjudged,
            refers: self.refers,
            refused: find(ConditionType::Accepted),
            unresolved: find(ConditionType::ResolvedRefs),
            in_use: self.in_use.at(key).map(String::as_str),
            progress,
        }
    }
}

/// Walks a map beside the objects of one kind: both are in the order of keys, so nothing is looked up.
struct Along<'a, T> {
    entries: Peekable<Box<dyn Iterator<Item = (&'a Key, &'a T)> + 'a>>,
}

impl<'a, T> Along<'a, T> {
    fn new(map: Option<&'a BTreeMap<Id, T>>, kind: Kind) -> Self {
        let first = Id::new(kind, Key::new("", ""));
        let entries = map.into_iter().flat_map(move |map| map.range(first.clone()..));
        let of_kind = entries.take_while(move |(id, _)| id.kind == kind).map(|(id, said)| (&id.key, said));
        let boxed: Box<dyn Iterator<Item = (&'a Key, &'a T)> + 'a> = Box::new(of_kind);
        Self { entries: boxed.peekable() }
    }

    fn at(&mut self, key: &Key) -> Option<&'a T> {
        while let Some((other, said)) = self.entries.peek().copied() {
            match other.cmp(key) {
                std::cmp::Ordering::Less => self.entries.next(),
                std::cmp::Ordering::Equal => return Some(said),
                std::cmp::Ordering::Greater => return None,
            };
        }
        None
    }
}

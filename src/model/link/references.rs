//! References: where they lead, and whether they may.
//!
//! A reference into another namespace needs a `ReferenceGrant` there. Without one the answer is the same whether or not the
//! target exists, so that nobody learns another tenant's names by trying.

use std::collections::HashMap;
use std::sync::Arc;

use crate::api::{GrantKind, Port, Reason, Reference, ReferenceGrant, ReferenceGrantSpec};
use crate::model::group::{DEFAULT, Lead, default_number};
use crate::model::id::{Key, Kind};
use crate::model::report::Remark;
use crate::model::snapshot::{Objects, Snapshot};
use crate::model::topology::{Index, Topology};
use crate::model::valid::Valid as _;

/// Objects by namespace and name, in this order, and where they stand among those of their kind. They come in order and are
/// needed for a moment: a table would need twice the memory, and hash all to find a few.
#[derive(Default)]
struct Positions<'a>(Vec<((&'a str, &'a str), Index)>);

impl<'a> Positions<'a> {
    fn of<T>(objects: &'a Objects<T>) -> Self {
        Self(objects.keys().enumerate().map(|(index, key)| ((&*key.namespace, &*key.name), index)).collect())
    }

    /// Some of `nodes`, as far as they are there.
    fn some<T>(nodes: &[T], places: impl IntoIterator<Item = (&'a str, &'a str)>, key: impl Fn(&T) -> &Key) -> Self {
        let find = |place| {
            let found = nodes.binary_search_by(|node| (&*key(node).namespace, &*key(node).name).cmp(&place));
            Some((place, found.ok()?))
        };
        let mut found: Vec<_> = places.into_iter().filter_map(find).collect();
        found.sort_unstable();
        Self(found)
    }

    fn get(&self, place: (&str, &str)) -> Option<Index> {
        self.0.binary_search_by(|(known, _)| known.cmp(&place)).ok().map(|found| self.0[found].1)
    }
}

/// Where every reference leads.
#[derive(Default)]
pub struct References<'a> {
    networks: Positions<'a>,
    subnets: Positions<'a>,
    groups: Positions<'a>,
    grants: HashMap<&'a str, Vec<&'a ReferenceGrantSpec>>,
}

/// Grants that count.
fn by_namespace<'a>(
    all: impl Iterator<Item = (&'a Key, &'a Arc<ReferenceGrant>)>,
) -> HashMap<&'a str, Vec<&'a ReferenceGrantSpec>> {
    let mut grants: HashMap<&str, Vec<&ReferenceGrantSpec>> = HashMap::new();
    for (key, grant) in all {
        if grant.metadata.deletion_timestamp.is_none() && grant.valid().is_ok() {
            grants.entry(&key.namespace).or_default().push(&grant.spec);
        }
    }
    grants
}

impl<'a> References<'a> {
    /// Indexes what can be referred to.
    pub fn of(snapshot: &'a Snapshot) -> Self {
        Self {
            networks: Positions::of(&snapshot.networks),
            subnets: Positions::of(&snapshot.subnets),
            groups: Positions::of(&snapshot.security_groups),
            grants: by_namespace(snapshot.reference_grants.iter()),
        }
    }

    /// As [`References::of`], of no more than one port refers to; of a topology of the same networks, subnets and groups.
    pub fn of_port(snapshot: &'a Snapshot, topology: &Topology, key: &'a Key, port: &'a Port) -> Self {
        let mut found = Self::default();
        let (spec, own) = (&port.spec, (&*key.namespace, DEFAULT));
        let place = |reference: &'a Reference| (key.namespace_of(reference), &*reference.name);
        let addresses = spec.addresses.iter().flatten().filter_map(|address| address.subnet_ref.as_ref());
        let (network, subnets) = (place(&spec.network_ref), addresses.map(place).collect::<Vec<_>>());
        let groups: Vec<_> = spec.security_group_refs.iter().flatten().map(place).chain([own]).collect();
        let namespaces = [network].into_iter().chain(subnets.iter().copied()).chain(groups.iter().copied());
        for (namespace, _) in namespaces.filter(|(namespace, _)| *namespace != own.0) {
            let first = Key::new(namespace, "");
            let there = snapshot.reference_grants.range(first..).take_while(|(key, _)| &*key.namespace == namespace);
            found.grants.extend(by_namespace(there));
        }
        let Topology { networks: all, subnets: ranges, security_groups, .. } = topology;
        found.networks = Positions::some(all, [network], |node| &node.key);
        found.subnets = Positions::some(ranges, subnets, |node| &node.key);
        found.groups = Positions::some(security_groups, groups, |node| &node.key);
        found
    }

    /// Where a reference to a network leads.
    pub fn network(&self, from: &Key, reference: &Reference) -> Result<Index, Remark> {
        let place = self.permitted(GrantKind::Network, from, reference)?;
        self.networks.get(place).ok_or_else(|| not_found(Kind::Network, place))
    }

    /// Where a reference to a subnet leads.
    pub fn subnet(&self, from: &Key, reference: &Reference) -> Result<Index, Remark> {
        let place = self.permitted(GrantKind::Subnet, from, reference)?;
        self.subnets.get(place).ok_or_else(|| not_found(Kind::Subnet, place))
    }

    /// Where a reference to a security group leads. Every namespace has a group `default`.
    pub fn group(&self, from: &Key, reference: &Reference) -> Result<Lead, Remark> {
        let place = self.permitted(GrantKind::SecurityGroup, from, reference)?;
        self.lead(place).ok_or_else(|| not_found(Kind::SecurityGroup, place))
    }

    /// Where a port without references to groups belongs.
    pub fn own_group(&self, namespace: &str) -> Lead {
        self.lead((namespace, DEFAULT)).unwrap_or(Lead::Nowhere)
    }

    fn lead(&self, place: (&str, &str)) -> Option<Lead> {
        let implied = || (place.1 == DEFAULT).then(|| Lead::Implied(default_number(place.0)));
        self.groups.get(place).map(Lead::Object).or_else(implied)
    }

    /// Namespace and name that a reference leads to, if it may.
    pub fn permitted<'r>(
        &self,
        kind: GrantKind,
        from: &'r Key,
        reference: &'r Reference,
    ) -> Result<(&'r str, &'r str), Remark> {
        let namespace = from.namespace_of(reference);
        let granted = || self.grants.get(namespace).is_some_and(|g| g.iter().any(|g| grants(g, kind, from, reference)));
        if namespace == &*from.namespace || granted() {
            return Ok((namespace, &reference.name));
        }
        let message = format!(
            "Namespace {namespace} does not let namespace {} refer to {kind:?} {}: ask its owner for a ReferenceGrant \
             there, from namespace {}, to kind {kind:?}.",
            from.namespace, reference.name, from.namespace
        );
        Err(Remark { reason: Reason::RefNotPermitted, message })
    }
}

fn grants(grant: &ReferenceGrantSpec, kind: GrantKind, from: &Key, reference: &Reference) -> bool {
    let from_fits = |namespace: &str| namespace == "*" || namespace == &*from.namespace;
    grant.from.iter().any(|f| from_fits(&f.namespace))
        && grant.to.iter().any(|to| to.kind == kind && to.name.as_ref().is_none_or(|name| *name == reference.name))
}

/// Nothing is where a reference leads.
pub fn not_found(kind: Kind, (namespace, name): (&str, &str)) -> Remark {
    let message = format!("{kind} {} does not exist: create it, or correct the reference.", Key::new(namespace, name));
    Remark { reason: Reason::NotFound, message }
}

//! How objects are named inside Tenet.

use std::fmt;
use std::sync::Arc;

use crate::api::{MacAddr, Reference};

/// Every kind, in the order in which a reader meets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `networks`
    Network,
    /// `subnets`
    Subnet,
    /// `ports`
    Port,
    /// `routers`
    Router,
    /// `floatingips`
    FloatingIP,
    /// `securitygroups`
    SecurityGroup,
    /// `physicalnetworks`, the cluster's
    PhysicalNetwork,
    /// `referencegrants`
    ReferenceGrant,
    /// `agents`, the cluster's
    Agent,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Network,
        Self::Subnet,
        Self::Port,
        Self::Router,
        Self::FloatingIP,
        Self::SecurityGroup,
        Self::PhysicalNetwork,
        Self::ReferenceGrant,
        Self::Agent,
    ];

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.to_string() == name)
    }

    /// Whether objects of the kind live in a namespace.
    #[must_use]
    pub fn namespaced(self) -> bool {
        !matches!(self, Self::PhysicalNetwork | Self::Agent)
    }

    /// Whether users declare objects of the kind; the others are written by Tenet itself.
    #[must_use]
    pub fn declared(self) -> bool {
        self != Self::Agent
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Namespace and name; the namespace of a cluster-scoped object is empty.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Namespace, or empty.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

impl Key {
    /// A key from its two parts.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The namespace that a reference of an object of this key leads to: its own, unless the reference names another.
    #[must_use]
    pub fn namespace_of<'r>(&'r self, reference: &'r Reference) -> &'r str {
        reference.namespace.as_deref().unwrap_or(&self.namespace)
    }

    /// What a reference of an object of this key leads to.
    #[must_use]
    pub fn referred(&self, reference: &Reference) -> Self {
        Self::new(self.namespace_of(reference), &reference.name)
    }

    /// As `==`, and at once where the two share their text, as clones do: `==` would read it.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let alike = |a: &Arc<str>, b: &Arc<str>| Arc::ptr_eq(a, b) || a == b;
        alike(&self.name, &other.name) && alike(&self.namespace, &other.namespace)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One object: its kind and key.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// Kind.
    pub kind: Kind,
    /// Namespace and name.
    pub key: Key,
}

impl Id {
    /// An id from its parts.
    #[must_use]
    pub fn new(kind: Kind, key: Key) -> Self {
        Self { kind, key }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.key)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The UID of an object as a number: what device names and MAC addresses derive from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(pub u128);

impl Uid {
    /// Reads `metadata.uid`. What is not a UUID (the API does not promise one) is hashed into one.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let uuid = uuid::Uuid::parse_str(text)
            .unwrap_or_else(|_| uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, text.as_bytes()));
        Self(uuid.as_u128())
    }

    /// The UID of something that belongs to `self`: the same for the same part, whatever the order of events.
    #[must_use]
    pub fn part(self, part: &str) -> Self {
        let space = uuid::Uuid::from_u128(self.0);
        Self(uuid::Uuid::new_v5(&space, part.as_bytes()).as_u128())
    }

    /// A locally administered unicast address (IEEE 802) made of it.
    #[must_use]
    pub fn mac(self) -> MacAddr {
        let mut mac = [0x02; 6];
        mac[1..].copy_from_slice(&self.0.to_be_bytes()[..5]);
        MacAddr(mac)
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_u128(self.0).fmt(f)
    }
}

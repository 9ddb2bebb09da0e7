//! What all kinds have in common: one declared or stored object, whatever its kind.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{
    Agent, Condition, Conditions, FloatingIP, Network, PhysicalNetwork, Port, ReferenceGrant, Router, SecurityGroup,
    Subnet,
};
use crate::model::valid::Valid as _;
use crate::model::{Id, Key, Kind, Remark, Snapshot};

macro_rules! kinds {
    ($($kind:ident $field:ident,)+) => {
        /// An object of any kind. Cloning shares it.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Object { $(#[doc = stringify!($kind)] $kind(Arc<$kind>),)+ }

        impl Object {
            /// Its metadata.
            #[must_use]
            pub fn meta(&self) -> &ObjectMeta {
                match self { $(Self::$kind(o) => o.meta(),)+ }
            }

            /// Its metadata, to change them; copies the object when somebody else holds it.
            pub fn meta_mut(&mut self) -> &mut ObjectMeta {
                match self { $(Self::$kind(o) => Arc::make_mut(o).meta_mut(),)+ }
            }

            /// Its kind.
            #[must_use]
            pub fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)+ }
            }

            /// Whether both are of one kind with the same spec.
            #[must_use]
            pub fn same_spec(&self, other: &Self) -> bool {
                match (self, other) { $((Self::$kind(a), Self::$kind(b)) => a.spec == b.spec,)+ _ => false }
            }

            /// Whether both are one and the same in memory.
            #[must_use]
            pub fn is(&self, other: &Self) -> bool {
                match (self, other) { $((Self::$kind(a), Self::$kind(b)) => Arc::ptr_eq(a, b),)+ _ => false }
            }

            /// Takes over the spec of `other`, an object of the same kind.
            pub fn take_spec(&mut self, other: &Self) {
                match (self, other) {
                    $((Self::$kind(a), Self::$kind(b)) => Arc::make_mut(a).spec = b.spec.clone(),)+
                    _ => {}
                }
            }

            /// Judges the edit that makes `self` of `old`.
            ///
            /// # Errors
            /// The immutable field that it changes, with what to do.
            pub fn edit(&self, old: &Self) -> Result<(), Remark> {
                match (self, old) { $((Self::$kind(a), Self::$kind(b)) => a.edit(b),)+ _ => Ok(()) }
            }

            /// The object as it stands in a snapshot.
            #[must_use]
            pub fn find(snapshot: &Snapshot, id: &Id) -> Option<Self> {
                match id.kind { $(Kind::$kind => snapshot.$field.get(&id.key).cloned().map(Self::$kind),)+ }
            }

            /// The key under which an object stands in a snapshot, to share its text.
            #[must_use]
            pub fn key_in(snapshot: &Snapshot, id: &Id) -> Option<Key> {
                match id.kind { $(Kind::$kind => snapshot.$field.get_key_value(&id.key).map(|(key, _)| key.clone()),)+ }
            }

            /// Keys of all objects of one kind, in order.
            #[must_use]
            pub fn keys(snapshot: &Snapshot, kind: Kind) -> Vec<Key> {
                match kind { $(Kind::$kind => snapshot.$field.keys().cloned().collect(),)+ }
            }

            /// How many objects of one kind there are.
            #[must_use]
            pub fn count(snapshot: &Snapshot, kind: Kind) -> usize {
                match kind { $(Kind::$kind => snapshot.$field.len(),)+ }
            }

            /// Puts the object into a snapshot.
            pub fn put(self, snapshot: &mut Snapshot) {
                let key = key(self.meta());
                self.put_as(key, snapshot);
            }

            /// Puts the object into a snapshot, under its key.
            pub fn put_as(self, key: Key, snapshot: &mut Snapshot) {
                match self { $(Self::$kind(o) => { snapshot.$field.insert(key, o); })+ }
            }

            /// Takes an object out of a snapshot.
            pub fn take(snapshot: &mut Snapshot, id: &Id) -> Option<Self> {
                match id.kind { $(Kind::$kind => snapshot.$field.remove(&id.key).map(Self::$kind),)+ }
            }

            /// Reads an object of `kind` from its JSON form.
            ///
            /// # Errors
            /// What serde says of the first thing that does not fit, and where that is.
            pub fn read(kind: Kind, json: &Value) -> Result<Self, serde_path_to_error::Error<serde_json::Error>> {
                // Keeping track of the place costs time, so only a failure is read so.
                match kind {
                    $(Kind::$kind => $kind::deserialize(json)
                        .or_else(|_| serde_path_to_error::deserialize(json))
                        .map(|o| Self::$kind(Arc::new(o))),)+
                }
            }

            /// Its JSON form, as the API server would show it.
            ///
            /// # Errors
            /// Never for the kinds of this API.
            pub fn json(&self) -> Result<Value, serde_json::Error> {
                match self { $(Self::$kind(o) => serde_json::to_value(o.as_ref()),)+ }
            }

            /// All objects of one kind, in order of their keys.
            #[must_use]
            pub fn all(snapshot: &Snapshot, kind: Kind) -> Vec<Self> {
                match kind { $(Kind::$kind => snapshot.$field.values().cloned().map(Self::$kind).collect(),)+ }
            }
        }
    };
}

kinds! {
    Network networks,
    Subnet subnets,
    Port ports,
    Router routers,
    FloatingIP floating_ips,
    SecurityGroup security_groups,
    PhysicalNetwork physical_networks,
    ReferenceGrant reference_grants,
    Agent agents,
}

impl Object {
    /// Kind and key.
    #[must_use]
    pub fn id(&self) -> Id {
        Id::new(self.kind(), key(self.meta()))
    }

    /// Its conditions; none for a kind without status.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        let conditions = match self {
            Self::Network(o) => o.status.as_ref().map(|s| &s.conditions),
            Self::Subnet(o) => o.status.as_ref().map(|s| &s.conditions),
            Self::Port(o) => o.status.as_ref().map(|s| &s.conditions),
            Self::Router(o) => o.status.as_ref().map(|s| &s.conditions),
            Self::FloatingIP(o) => o.status.as_ref().map(|s| &s.conditions),
            Self::SecurityGroup(o) => o.status.as_ref().map(|s| &s.conditions),
            Self::PhysicalNetwork(o) => o.status.as_ref().map(|s| &s.conditions),
            Self::Agent(o) => o.status.as_ref().map(|s| &s.conditions),
            Self::ReferenceGrant(_) => None,
        };
        conditions.map_or(&[], Vec::as_slice)
    }

    /// Its conditions, to change them; none for a kind without status. Copies the object when somebody else holds it.
    pub fn conditions_mut(&mut self) -> Option<&mut Conditions> {
        macro_rules! of {
            ($($kind:ident)+) => {
                match self {
                    $(Self::$kind(o) => Some(&mut Arc::make_mut(o).status.get_or_insert_default().conditions),)+
                    Self::ReferenceGrant(_) => None,
                }
            };
        }
        of!(Network Subnet Port Router FloatingIP SecurityGroup PhysicalNetwork Agent)
    }

    /// Whether both are of one kind with the same status.
    #[must_use]
    pub fn same_status(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Network(a), Self::Network(b)) => a.status == b.status,
            (Self::Subnet(a), Self::Subnet(b)) => a.status == b.status,
            (Self::Port(a), Self::Port(b)) => a.status == b.status,
            (Self::Router(a), Self::Router(b)) => a.status == b.status,
            (Self::FloatingIP(a), Self::FloatingIP(b)) => a.status == b.status,
            (Self::SecurityGroup(a), Self::SecurityGroup(b)) => a.status == b.status,
            (Self::PhysicalNetwork(a), Self::PhysicalNetwork(b)) => a.status == b.status,
            (Self::Agent(a), Self::Agent(b)) => a.status == b.status,
            (Self::ReferenceGrant(_), Self::ReferenceGrant(_)) => true,
            _ => false,
        }
    }

    /// Whether its status says that it holds a value: an address, or a VNI.
    #[must_use]
    pub fn has(&self, value: &str) -> bool {
        let is = |ip: &std::net::IpAddr| ip.to_string() == value;
        let vni = |vni: Option<u32>| vni.is_some_and(|vni| vni.to_string() == value);
        match self {
            Self::Network(o) => o.status.as_ref().is_some_and(|s| vni(s.vni)),
            Self::Port(o) => o.status.as_ref().is_some_and(|s| s.addresses.iter().any(|a| is(&a.ip))),
            Self::Router(o) => o.status.as_ref().is_some_and(|s| {
                vni(s.vni) || s.interfaces.iter().any(|i| is(&i.ip)) || s.external_addresses.iter().any(is)
            }),
            Self::FloatingIP(o) => o.status.as_ref().is_some_and(|s| s.ip.as_ref().is_some_and(is)),
            Self::Subnet(_)
            | Self::SecurityGroup(_)
            | Self::PhysicalNetwork(_)
            | Self::Agent(_)
            | Self::ReferenceGrant(_) => false,
        }
    }

    /// Its condition of one type.
    #[must_use]
    pub fn condition(&self, type_: crate::api::ConditionType) -> Option<&Condition> {
        type_.find(self.conditions())
    }
}

/// Namespace and name as metadata have them.
#[must_use]
pub fn key(meta: &ObjectMeta) -> Key {
    Key::new(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}

//! Condition types and reasons: the only copies of these words.

use std::borrow::Cow;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition as MetaCondition;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// One condition of an object, as Kubernetes defines it.
pub type Condition = MetaCondition;
/// The conditions of an object, at most one of each type.
pub type Conditions = Vec<Condition>;

/// What is said of an object before anybody has looked at it.
pub const UNJUDGED: &str = "Nobody has judged it yet: is a controller leading?";

/// The schema of a condition: Kubernetes' own bounds, which its Rust type does not carry.
pub(super) enum ConditionText {}

impl JsonSchema for ConditionText {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "One condition of the object.",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "type": "string", "maxLength": 316,
                    "description": "What it speaks about: Accepted, ResolvedRefs, Programmed, Ready, Reconciling or Stalled.",
                },
                "status": {
                    "type": "string", "enum": ["True", "False", "Unknown"],
                    "description": "Whether it holds: True, False or Unknown.",
                },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "metadata.generation of the spec that was judged.",
                },
                "lastTransitionTime": {
                    "type": "string", "format": "date-time",
                    "description": "When status last changed (RFC 3339).",
                },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "description": "Why, in one word of a closed list.",
                },
                "message": {
                    "type": "string", "maxLength": 32768,
                    "description": "Why, in a sentence that says what to do.",
                },
            },
        })
    }
}

/// What a condition speaks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConditionType {
    /// The object makes sense by itself and beside its neighbours.
    Accepted,
    /// All it names exists and is granted.
    ResolvedRefs,
    /// Nodes do it: a packet passes.
    Programmed,
    /// All that can be done is done.
    Ready,
    /// Work is under way (kstatus).
    Reconciling,
    /// Work cannot go on without a change (kstatus).
    Stalled,
}

impl ConditionType {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::ResolvedRefs => "ResolvedRefs",
            Self::Programmed => "Programmed",
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
        }
    }

    /// The condition of this type.
    #[must_use]
    pub fn find(self, conditions: &[Condition]) -> Option<&Condition> {
        conditions.iter().find(|condition| condition.type_ == self.as_str())
    }

    /// Whether the condition of this type is there and `True`.
    #[must_use]
    pub fn holds(self, conditions: &[Condition]) -> bool {
        self.find(conditions).is_some_and(|condition| condition.status == "True")
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Why a condition is as it is: a closed list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in the order of this file.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// What the reason means, for people.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc,)+),)+ }
            }
        }
    };
}

reasons! {
    /// The object is valid and clashes with no other.
    Accepted,
    /// Every reference leads to an object that exists and is granted.
    ResolvedRefs,
    /// All nodes concerned carry it.
    Programmed,
    /// All that can be done is done.
    Ready,
    /// Nobody has plugged the port yet; it is ready to be plugged.
    Unbound,
    /// A field is wrong by itself or contradicts another field of the same object, or objects that it names contradict each other.
    Invalid,
    /// The feature is not supported yet or not by this kernel.
    Unsupported,
    /// The subnet overlaps another subnet of its network.
    SubnetOverlap,
    /// The address is outside its subnet, or is its network or broadcast address, or its gateway.
    AddressOutOfRange,
    /// Another object already holds the address.
    AddressInUse,
    /// No free address is left in the pools.
    AddressesExhausted,
    /// Another port of the network already has this MAC address.
    MacAddressInUse,
    /// The MTU is above what the path carries or below what its addresses need.
    InvalidMTU,
    /// Subnets of one router, its external network included, overlap.
    RouterSubnetOverlap,
    /// A static route's next hop is not in a connected subnet, or is the router itself.
    InvalidNextHop,
    /// The network is not external, so no gateway or floating IP can be taken there.
    NotExternal,
    /// The floating IP has no way to its port: no router with a gateway on its network reaches it.
    NoRoute,
    /// The fixed address already has a floating IP.
    FixedAddressInUse,
    /// Two port forwardings claim the same port, or the same target.
    ForwardingConflict,
    /// The port has no single address to translate to; `fixedIP` must choose one.
    AmbiguousFixedIP,
    /// The segment is taken by another network.
    SegmentInUse,
    /// An object that is to be made is there already, and is somebody else's.
    NameInUse,
    /// A referenced object does not exist.
    NotFound,
    /// A referenced object lies in another namespace that does not grant the reference.
    RefNotPermitted,
    /// A referenced object exists but is itself not accepted or not ready.
    DependencyNotReady,
    /// Others depend on the object, so its removal waits.
    InUse,
    /// No node can attach the physical network.
    NoAttachment,
    /// The interface is not taken: it carries an address or a default route of the host, or is another physical network's.
    InterfaceInUse,
    /// The host's iptables see the frames of this bridge.
    BridgeFiltered,
    /// The host cannot reach addresses on a shared interface.
    SharedInterface,
    /// Nothing was heard of the node for longer than its heartbeat promises.
    Silent,
    /// The node's tunnel address does not answer.
    Unreachable,
    /// The kernel refused a change; the message has its words.
    KernelError,
    /// The change is being made.
    Pending,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

//! What users write: the kinds of `tenet.network/v1alpha1`, their schema and columns.
//!
//! No behaviour and no client lives here. Conventions are Kubernetes' own, meaning is Neutron's.
//! The Rust types are the only source of `crds/`; [`all`] lists every CRD. The rules of one object stand in its schema as
//! CEL, for the API server, and once more in `model::valid`, for where there is none.

mod agent;
mod allocation;
mod cel;
mod columns;
mod condition;
mod crd;
pub mod dhcp_type;
mod floating_ip;
pub mod multus;
mod network;
mod physical_network;
pub mod pod;
mod port;
mod reference;
mod reference_grant;
mod router;
mod security_group;
mod subnet;
mod subnet_rules;
pub mod text;
mod values;

pub use agent::{Agent, AgentFailure, AgentKernel, AgentSpec, AgentStatus};
pub use allocation::{Allocation, AllocationParty, AllocationSpec};
pub use condition::{Condition, ConditionType, Conditions, Reason, UNJUDGED};
pub use crd::{OBSERVED, all, crd_yaml, crds_yaml};
pub use floating_ip::{FloatingIP, FloatingIPSpec, FloatingIPStatus, PortForwarding, Protocol};
pub use network::{Network, NetworkSpec, NetworkStatus, Provider, ProviderType};
pub use physical_network::{
    Attachment, AttachmentMode, NodeSelector, PhysicalNetwork, PhysicalNetworkSpec, PhysicalNetworkStatus,
};
pub use port::{
    ActivePair, AddressPair, Binding, BoundPod, DhcpOption, IpAllocation, Port, PortAddress, PortSpec, PortStatus,
    StatusAddress,
};
pub use reference::Reference;
pub use reference_grant::{GrantFrom, GrantKind, GrantTo, ReferenceGrant, ReferenceGrantSpec};
pub use router::{
    ExternalAddress, ExternalGateway, Router, RouterInterface, RouterSpec, RouterStatus, StaticRoute, StatusInterface,
};
pub use security_group::{
    IpFamily, IpProtocol, RuleDirection, RuleRemote, SecurityGroup, SecurityGroupRule, SecurityGroupSpec,
    SecurityGroupStatus,
};
pub use subnet::{AllocationPool, HostRoute, Subnet, SubnetSpec, SubnetStatus};
pub use values::{AddressRange, GatewayIP, MacAddr};

/// The API group of every kind.
pub const GROUP: &str = "tenet.network";
/// The only version served so far.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` as it stands in YAML.
pub const API_VERSION: &str = "tenet.network/v1alpha1";

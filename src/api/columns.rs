//! The tables of `kubectl get` and `tenet get`: what tells an object's story in one line.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;

#[derive(Clone, Copy)]
struct Column {
    name: &'static str,
    type_: &'static str,
    path: &'static str,
    wide: bool,
}

impl Column {
    /// Only in `-o wide`.
    const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }
}

const fn column(name: &'static str, type_: &'static str, path: &'static str) -> Column {
    Column { name, type_, path, wide: false }
}

const fn text(name: &'static str, path: &'static str) -> Column {
    column(name, "string", path)
}

const fn number(name: &'static str, path: &'static str) -> Column {
    column(name, "integer", path)
}

const fn flag(name: &'static str, path: &'static str) -> Column {
    column(name, "boolean", path)
}

/// The columns that only this kind has.
fn own(kind: &str) -> Vec<Column> {
    match kind {
        "Network" => vec![
            number("MTU", ".status.mtu"),
            flag("External", ".spec.external"),
            text("Physical", ".spec.provider.physicalNetwork"),
            number("VLAN", ".spec.provider.vlan").wide(),
        ],
        "Subnet" => vec![
            text("Network", ".spec.networkRef.name"),
            text("CIDR", ".spec.cidr"),
            text("Gateway", ".status.gatewayIP"),
            number("Free", ".status.free"),
            number("Total", ".status.total").wide(),
            flag("DHCP", ".spec.dhcp").wide(),
        ],
        "Port" => vec![
            text("Network", ".spec.networkRef.name"),
            text("Address", ".status.addresses[*].ip"),
            text("MAC", ".status.macAddress"),
            text("Node", ".status.binding.nodeName"),
            text("Device", ".status.binding.device").wide(),
            number("MTU", ".status.mtu").wide(),
            text("Groups", ".spec.securityGroupRefs[*].name").wide(),
        ],
        "Router" => vec![
            text("External", ".status.externalAddresses[*]"),
            text("Network", ".spec.externalGateway.networkRef.name"),
            text("Node", ".status.gatewayNode"),
            text("Interfaces", ".status.interfaces[*].ip").wide(),
            flag("SNAT", ".spec.externalGateway.snat").wide(),
        ],
        "FloatingIP" => vec![
            text("Address", ".status.ip"),
            text("Port", ".spec.portRef.name"),
            text("Network", ".spec.networkRef.name"),
            text("Fixed", ".spec.fixedIP").wide(),
            text("Router", ".status.routerRef.name").wide(),
            text("Node", ".status.nodeName").wide(),
        ],
        "SecurityGroup" => {
            vec![flag("Stateful", ".spec.stateful"), number("Rules", ".status.rules"), number("Ports", ".status.ports")]
        }
        "PhysicalNetwork" => vec![
            text("Interface", ".spec.attachments[*].interface"),
            text("Mode", ".spec.attachments[*].mode"),
            number("MTU", ".spec.mtu"),
            text("Nodes", ".status.nodes").wide(),
        ],
        "ReferenceGrant" => vec![
            text("From", ".spec.from[*].namespace"),
            text("To", ".spec.to[*].kind"),
            text("Name", ".spec.to[*].name").wide(),
        ],
        "Agent" => vec![
            text("Tunnel", ".status.tunnelAddress"),
            number("Ports", ".status.ports"),
            flag("Gateway", ".spec.gateway"),
            flag("Drain", ".spec.drain"),
            text("Physical", ".status.physicalNetworks").wide(),
            text("Kernel", ".status.kernel.release").wide(),
            text("Version", ".status.version").wide(),
        ],
        "Allocation" => vec![
            text("Value", ".spec.value"),
            text("Pool", ".spec.pool.name"),
            text("Kind", ".spec.owner.kind"),
            text("Namespace", ".spec.owner.namespace"),
            text("Owner", ".spec.owner.name"),
        ],
        _ => vec![],
    }
}

/// How an object is: after its own columns, for kinds that have a status.
const READY: &[Column] = &[
    text("Ready", r#".status.conditions[?(@.type=="Ready")].status"#),
    text("Reason", r#".status.conditions[?(@.type=="Ready")].reason"#),
];
const AGE: &[Column] = &[column("Age", "date", ".metadata.creationTimestamp")];
const MESSAGE: &[Column] = &[text("Message", r#".status.conditions[?(@.type=="Ready")].message"#).wide()];

/// The columns of a kind, in order. A path with `[*]` shows the first element in `kubectl`.
pub(super) fn columns(kind: &str, has_status: bool) -> Vec<CustomResourceColumnDefinition> {
    let (ready, message) = if has_status { (READY, MESSAGE) } else { (&[][..], &[][..]) };
    let own = own(kind);
    let all = own.iter().chain(ready).chain(AGE).chain(message);
    all.map(|column| CustomResourceColumnDefinition {
        name: column.name.into(),
        type_: column.type_.into(),
        json_path: column.path.into(),
        priority: column.wide.then_some(1),
        ..CustomResourceColumnDefinition::default()
    })
    .collect()
}

//! Worlds, as users write them.

use std::fmt::Write as _;

/// One object.
pub fn object(kind: &str, name: &str, spec: &str) -> String {
    format!("---\napiVersion: tenet.network/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
}

/// The outside, on a bridge of the host: range and pool.
pub fn outside(bridge: &str, cidr: &str, pool: (&str, &str)) -> String {
    let pools = format!("allocationPools: [{{start: {}, end: {}}}]", pool.0, pool.1);
    object("PhysicalNetwork", "public", &format!("attachments: [{{interface: {bridge}}}]"))
        + &object("Network", "public", "external: true, provider: {physicalNetwork: public, type: Flat}")
        + &object("Subnet", "public", &format!("networkRef: {{name: public}}, cidr: {cidr}, dhcp: false, {pools}"))
}

/// A network with a subnet of the same name.
pub fn network(name: &str, cidr: &str) -> String {
    object("Network", name, "") + &object("Subnet", name, &format!("networkRef: {{name: {name}}}, cidr: {cidr}"))
}

/// A port.
pub fn port(name: &str, network: &str) -> String {
    object("Port", name, &format!("networkRef: {{name: {network}}}"))
}

/// A router between subnets and the outside.
pub fn router(name: &str, subnets: &[String]) -> String {
    let interfaces: Vec<_> = subnets.iter().map(|s| format!("{{subnetRef: {{name: {s}}}}}")).collect();
    let interfaces = interfaces.join(", ");
    object("Router", name, &format!("interfaces: [{interfaces}], externalGateway: {{networkRef: {{name: public}}}}"))
}

/// A floating IP.
pub fn floating(name: &str, ip: &str, port: &str) -> String {
    object("FloatingIP", name, &format!("networkRef: {{name: public}}, ip: {ip}, portRef: {{name: {port}}}"))
}

/// A world of `networks` networks on `routers` routers with gateways, without ports.
pub fn world(networks: usize, routers: usize) -> String {
    let mut text = outside("br-ext", "203.0.113.0/24", ("203.0.113.10", "203.0.113.250"));
    (0..networks).for_each(|n| text += &network(&format!("n{n}"), &format!("10.{n}.0.0/24")));
    for r in 0..routers {
        let subnets: Vec<_> = (r..networks).step_by(routers).map(|n| format!("n{n}")).collect();
        let _ = write!(text, "{}", router(&format!("r{r}"), &subnets));
    }
    text
}

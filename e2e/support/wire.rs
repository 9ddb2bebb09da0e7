//! The wires of a cluster: the underlay that its nodes are on, and one to the outside that some share.

use super::{Guest, ip};

/// Makes a node's network namespace, on the bridge `underlay` of the calling thread's.
pub fn node(number: usize, name: &str, address: &str) {
    ip(&format!(
        "netns add {name}
         link add u{number} type veth peer name eth0 netns {name}
         link set u{number} master underlay up
         -n {name} link set lo up
         -n {name} addr add {address}/24 dev eth0
         -n {name} link set eth0 up"
    ));
}

/// Joins nodes, which are network namespaces by these names, to one wire by a bridge `br-ext` each. The outside host there
/// has 203.0.113.1.
pub fn wire<'a>(nodes: impl IntoIterator<Item = &'a str>) -> Guest {
    ip("link add wire type bridge
        link set wire up
        netns add outside
        link add o0 type veth peer name eth0 netns outside
        link set o0 master wire up
        -n outside link set lo up
        -n outside link set eth0 up
        -n outside addr add 203.0.113.1/24 dev eth0");
    for (number, name) in nodes.into_iter().enumerate() {
        ip(&format!(
            "link add w{number} type veth peer name ext0 netns {name}
             link set w{number} master wire up
             -n {name} link add br-ext type bridge
             -n {name} link set ext0 master br-ext up
             -n {name} link set br-ext up"
        ));
        Guest::named(name).run("sysctl -qw net.bridge.bridge-nf-call-iptables=0");
    }
    Guest::named("outside")
}

/// Makes the bridges of the calling thread's namespace what they stand for, switches: iptables do not see their frames. Where the
/// kernel has no filter for bridges, they are that anyway.
pub fn switch() {
    let _ = std::fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "0");
}

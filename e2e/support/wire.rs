//! A wire to the outside that some nodes of a cluster share.

use super::{Guest, ip};

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

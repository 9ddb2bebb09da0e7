//! What a pod's interface is given from outside, because a pod runs no DHCP client: addresses and routes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::model::view::PortView;

/// Addresses and routes of one interface of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Addresses, each with the prefix of its subnet.
    pub addresses: BTreeSet<IpNet>,
    /// Next hops by destination. Only with the default route of a family are those of other interfaces taken away.
    pub routes: BTreeMap<IpNet, IpAddr>,
}

impl Given {
    /// What a port's interface is to have: the subnets' own routes, and a default route for each family only if it is asked
    /// for, because a pod has one already.
    #[must_use]
    pub fn of(port: &PortView, default_route: bool) -> Self {
        let mut given = Self::default();
        for (ip, subnet) in &port.addresses {
            given.addresses.extend(IpNet::new(*ip, subnet.cidr.prefix_len()));
            let told = subnet.host_routes.iter().copied().filter(|(to, _)| default_route || to.prefix_len() > 0);
            for (to, via) in told.filter(|(_, via)| via != ip) {
                given.routes.entry(to.trunc()).or_insert(via);
            }
        }
        for gateway in port.addresses.iter().filter_map(|(_, subnet)| subnet.gateway).filter(|_| default_route) {
            given.routes.entry(default(gateway)).or_insert(gateway);
        }
        given
    }
}

/// Where everything of an address's family is.
fn default(of: IpAddr) -> IpNet {
    if of.is_ipv4() { Ipv4Net::default().into() } else { Ipv6Net::default().into() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::fixtures::{key, plug, settle, view, world};

    #[test]
    fn a_pod_gets_the_routes_of_its_subnet_and_a_default_route_only_if_it_asks_for_one() {
        let mut snapshot = world(
            "Network blue
             Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24, hostRoutes: [{destination: 172.16.0.0/12, nextHop: 10.0.0.9}]}
             Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.5}]}",
        );
        plug(&mut snapshot, "a");
        settle(&mut snapshot);
        let view = view(&snapshot);
        let port = &view.networks[&key("blue")].ports[&key("a")];
        let route = |to: &str, via: &str| (to.parse::<IpNet>().unwrap(), via.parse::<IpAddr>().unwrap());
        let told = route("172.16.0.0/12", "10.0.0.9");
        let plain = Given::of(port, false);
        assert_eq!(plain.addresses, ["10.0.0.5/24".parse().unwrap()].into());
        assert_eq!(plain.routes, [told].into());
        assert_eq!(Given::of(port, true).routes, [told, route("0.0.0.0/0", "10.0.0.1")].into());
    }
}

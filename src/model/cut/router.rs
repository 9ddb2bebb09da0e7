//! A router as one node has it: its legs here, and what is reached through its gateway node.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::node::{Cut, Seat};
use crate::api::MacAddr;
use crate::model::id::Uid;
use crate::model::ipam::{Holder, address};
use crate::model::topology::{ExternalLeg, Index, Leg, RouterNode, Standing, Topology};
use crate::model::view::{
    ExternalView, FarEnd, FloatingView, ForwardingView, InterfaceView, Part, RouterView, TransitView,
};

impl Cut<'_> {
    /// A router.
    pub fn router(&self, index: Index) -> RouterView {
        let node = &self.topology.routers[index];
        let interfaces: Vec<_> = node.legs.iter().filter_map(|leg| self.interface(index, leg)).collect();
        let floating = self.floating.get(&index).map_or(&[][..], Vec::as_slice);
        let here = self.part(node).is_some() || self.floating.contains_key(&index);
        let external = node.external.as_ref().filter(|_| here).map(|leg| self.external(node, leg, floating));
        let (routes, far) = self.routes(node);
        let transit = self.transit(node, far);
        RouterView { uid: node.uid, interfaces, external, routes, transit }
    }

    fn interface(&self, router: Index, leg: &Leg) -> Option<InterfaceView> {
        let Topology { networks, subnets, routers, .. } = self.topology;
        let subnet = &subnets[leg.subnet];
        let network = &networks[subnet.network?];
        let ports = self.stations.get(&leg.subnet).into_iter().flatten().copied();
        let others = subnet.ledger.iter().filter_map(|(number, holder)| {
            let mac = self.station(router, leg.subnet, holder)?;
            Some((address(number), mac))
        });
        Some(InterfaceView {
            uid: leg.uid,
            mac: leg.mac,
            network: network.key.clone(),
            ip: leg.ip,
            cidr: subnet.range.cidr,
            mtu: network.mtu,
            provider: network.physical.is_some(),
            distant: network.physical.is_some() && !self.is_gateway(&routers[router]),
            peers: ports.chain(others).collect(),
            askers: self.askers(leg.subnet),
        })
    }

    /// The MAC address behind an address of a subnet, as a router sees it; none: nobody answers, or it is the router itself,
    /// or a port, of which [`Cut::stations`] tells.
    fn station(&self, router: Index, subnet: Index, holder: Holder) -> Option<MacAddr> {
        let Topology { routers, floating_ips, .. } = self.topology;
        let outside = |r: Index, node: Option<&str>| {
            let leg = routers[r].external.as_ref()?;
            if self.alone() { Some(leg.mac) } else { Some(leg.uid.part(node?).mac()) }
        };
        // Whom another takes over from translates until that is done.
        let gateway = |r: Index| routers[r].former_node.as_deref().or(routers[r].gateway_node.as_deref());
        match holder {
            Holder::Interface(r) | Holder::External(r) if r == router => None,
            Holder::Interface(r) => routers[r].legs.iter().find(|l| l.subnet == subnet).map(|l| l.mac),
            Holder::External(r) => outside(r, gateway(r)),
            Holder::FloatingIP(f) => floating_ips[f].router.and_then(|r| {
                let ip = &floating_ips[f];
                outside(r, if ip.along { gateway(r) } else { ip.node.as_deref() })
            }),
            Holder::Port(_) | Holder::Leaving => None,
        }
    }

    fn external(&self, router: &RouterNode, leg: &ExternalLeg, floating: &[(Index, Seat)]) -> ExternalView {
        let Topology { networks, subnets, floating_ips, .. } = self.topology;
        let network = &networks[leg.network];
        let prefix = |(subnet, ip): &(Index, IpAddr)| {
            let whole = IpNet::new(*ip, subnets[*subnet].range.cidr.prefix_len()).ok();
            whole.filter(|_| self.alone()).unwrap_or((*ip).into())
        };
        let gateway = leg.addresses.first().and_then(|(subnet, _)| subnets[*subnet].range.gateway);
        let snat = router.object.spec.external_gateway.as_ref().and_then(|g| g.snat).unwrap_or(true);
        let in_force = network.subnets.iter().filter(|s| subnets[**s].standing == Standing::InForce);
        let part = self.part(router).unwrap_or(Part::Floating);
        let is_part = part != Part::Floating;
        let own = leg.addresses.iter().filter(|_| is_part);
        let cidrs: Vec<IpNet> = in_force.map(|s| subnets[*s].range.cidr).collect();
        let outward = |hops: &[IpAddr]| hops.iter().all(|hop| cidrs.iter().any(|cidr| cidr.contains(hop)));
        let leaving = router.routes.iter().filter(|(_, hops)| is_part && outward(hops));
        let shared = leg.addresses.iter().map(|(_, ip)| *ip).find(IpAddr::is_ipv4);
        let mut view = ExternalView {
            uid: leg.uid,
            // Others on the wire learn where it is, so each node has one of its own.
            mac: if self.alone() { leg.mac } else { leg.uid.part(self.node.name).mac() },
            network: network.key.clone(),
            mtu: network.mtu,
            part,
            settled: self.is_settled(router),
            addresses: own.map(prefix).collect(),
            mute: self.node.cut_off,
            shared: shared.or(leg.addresses.first().map(|(_, ip)| *ip)).unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
            routes: leaving.map(|(to, hops)| (*to, hops.clone())).collect(),
            cidrs,
            gateway: gateway.map(address),
            snat,
            floating: BTreeMap::new(),
            forwarding: BTreeMap::new(),
        };
        for (node, seat) in floating.iter().map(|(f, seat)| (&floating_ips[*f], *seat)) {
            let (Some(ip), key) = (node.ip, node.key.clone()) else { continue };
            if let Some(fixed) = node.fixed {
                let (home, answers) = (seat != Seat::Along, seat == Seat::Home);
                view.floating.insert(ip, FloatingView { key, fixed, home, answers });
            } else {
                view.forwarding.insert(ip, ForwardingView { key, ports: node.forwardings.clone() });
            }
        }
        view
    }

    /// Static routes through legs that are here, and destinations that are reached through the gateway node.
    fn routes(&self, router: &RouterNode) -> (BTreeMap<IpNet, Vec<IpAddr>>, BTreeSet<IpNet>) {
        if self.is_settled(router) {
            return (router.routes.clone(), BTreeSet::new());
        }
        let Topology { networks, subnets, .. } = self.topology;
        let distant = !self.is_gateway(router);
        let on_wire =
            |leg: &&Leg| distant && subnets[leg.subnet].network.is_some_and(|n| networks[n].physical.is_some());
        let cidr = |leg: &Leg| subnets[leg.subnet].range.cidr;
        let mut far: BTreeSet<IpNet> = router.legs.iter().filter(on_wire).map(cidr).collect();
        far.extend(router.external.iter().map(|_| IpNet::V4(Ipv4Net::default())));
        let is_near = |ip: &IpAddr| router.legs.iter().any(|leg| !on_wire(&leg) && cidr(leg).contains(ip));
        let mut ways = BTreeMap::new();
        for (to, hops) in &router.routes {
            let near: Vec<IpAddr> = hops.iter().copied().filter(is_near).collect();
            if near.is_empty() {
                far.insert(*to);
            } else {
                ways.insert(*to, near);
            }
        }
        (ways, far)
    }

    /// Whether nothing goes on to another gateway node from here. While this node takes over, packets that came before its rules
    /// changed are on their way still, and go on as they would have.
    fn is_settled(&self, router: &RouterNode) -> bool {
        self.is_gateway(router) && (self.alone() || router.former_node.is_none())
    }

    /// The way between a router's nodes.
    fn transit(&self, router: &RouterNode, far: BTreeSet<IpNet>) -> Option<TransitView> {
        let uid = router.uid.part("transit");
        let (vni, _own, gateway) = (router.vni?, self.own()?, router.gateway_node.as_deref()?);
        let end = |node: &str| -> MacAddr { Uid::part(uid, node).mac() };
        // Until it has taken over, the new gateway node sends on to the former.
        let gateway = router.former_node.as_deref().filter(|_| gateway == self.node.name).unwrap_or(gateway);
        let gateway = if self.is_settled(router) {
            None
        } else {
            Some(FarEnd { mac: end(gateway), node: self.topology.tunnels.get(gateway)?.address })
        };
        Some(TransitView { uid, vni, mac: end(self.node.name), gateway, routes: far })
    }
}

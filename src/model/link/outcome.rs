//! What comes of a claim: an object with its addresses, or one that is refused.

use std::net::IpAddr;

use super::World;
use super::claims::{Claim, Mac};
use crate::model::id::{Id, Kind, Uid};
use crate::model::ipam::{Holder, address};
use crate::model::report::Remark;
use crate::model::topology::{ExternalLeg, Index, Leg, Standing};

/// Gives the object what it claimed.
pub fn grant(world: &mut World, claim: &Claim) {
    let addresses: Vec<(Index, IpAddr)> =
        claim.wishes.iter().filter_map(|w| w.got).map(|(subnet, number)| (subnet, address(number))).collect();
    let mac = if let Mac::Settled(mac) = claim.mac { mac } else { None };
    match claim.holder {
        Holder::Port(port) => {
            let node = &mut world.topology.ports[port];
            (node.addresses, node.mac, node.standing) = (addresses.into_iter().collect(), mac, Standing::InForce);
        }
        Holder::Interface(router) => {
            let (Some((subnet, ip)), Some(mac)) = (addresses.first().copied(), mac) else { return };
            let node = &mut world.topology.routers[router];
            let uid = leg_uid(node.uid, world.topology.subnets[subnet].object.metadata.uid.as_deref());
            node.legs.push(Leg { part: claim.part, subnet, ip, uid, mac });
        }
        Holder::External(router) => {
            let Some(mac) = mac else { return };
            let network = addresses.first().and_then(|(subnet, _)| world.topology.subnets[*subnet].network);
            let Some(network) = network else { return };
            let node = &mut world.topology.routers[router];
            node.external = Some(ExternalLeg { network, addresses, uid: external_uid(node.uid), mac });
        }
        Holder::Leaving => {}
        Holder::FloatingIP(floating) => {
            let node = &mut world.topology.floating_ips[floating];
            (node.ip, node.standing) = (addresses.first().map(|(_, ip)| *ip), Standing::InForce);
        }
    }
}

/// Refuses the object; of a router only the leg that the claim is for.
pub fn deny(world: &mut World, claim: &Claim, remark: Remark) {
    match claim.holder {
        Holder::Port(port) => {
            world.topology.ports[port].standing = Standing::Refused;
            let key = world.port_key(port).clone();
            world.refuse(Kind::Port, &key, remark);
        }
        Holder::Interface(router) => {
            let key = world.topology.routers[router].key.clone();
            let remark = left_out(&interface(world, router, claim.part), &remark);
            world.refuse(Kind::Router, &key, remark);
        }
        Holder::External(router) => {
            let key = world.topology.routers[router].key.clone();
            world.refuse(Kind::Router, &key, left_out(super::external::WAY, &remark));
        }
        Holder::Leaving => {}
        Holder::FloatingIP(floating) => {
            let node = &mut world.topology.floating_ips[floating];
            node.standing = Standing::Refused;
            let key = node.key.clone();
            world.refuse(Kind::FloatingIP, &key, remark);
        }
    }
}

/// How an interface of a router is called.
pub fn interface(world: &World, router: Index, part: usize) -> String {
    let node = &world.topology.routers[router];
    let reference = node.object.spec.interfaces.get(part).map(|i| &i.subnet_ref);
    let key = reference.map(|r| node.key.referred(r));
    key.map_or_else(|| "An interface".to_owned(), |key| format!("The interface to {}", Id::new(Kind::Subnet, key)))
}

/// One part of an object cannot be; the rest goes on.
pub fn left_out(part: &str, remark: &Remark) -> Remark {
    Remark { reason: remark.reason, message: format!("{part} is left out: {}", remark.message) }
}

/// UID of a router's leg into a subnet.
pub fn leg_uid(router: Uid, subnet: Option<&str>) -> Uid {
    router.part(&format!("interface {}", subnet.unwrap_or_default()))
}

/// UID of a router's leg to the outside.
pub fn external_uid(router: Uid) -> Uid {
    router.part("external")
}

//! Where the tunnels of nodes begin: what their agents say.

use std::net::IpAddr;

use super::{Role, World};
use crate::model::topology::Tunnel;

/// MTU of the way to other nodes where an agent says nothing, bytes (Ethernet).
const WIRE_MTU: u32 = 1500;

/// Reads what agents say. A host of its own has no tunnels.
pub fn link(world: &mut World) {
    if world.topology.role == Role::Host {
        return;
    }
    for (key, agent) in &world.snapshot.agents {
        let Some(status) = &agent.status else { continue };
        if let Some(IpAddr::V4(address)) = status.tunnel_address {
            let tunnel = Tunnel { address, mtu: status.tunnel_mtu.unwrap_or(WIRE_MTU) };
            world.topology.tunnels.insert(key.name.clone(), tunnel);
        }
    }
}

//! A `FloatingIP` by itself.

use super::{Valid, Verdict, address, double, immutable, name, require, size, within};
use crate::api::{FloatingIP, PortForwarding, Reason};

impl Valid for FloatingIP {
    fn valid(&self) -> Verdict {
        name::object(&self.metadata)?;
        let spec = &self.spec;
        name::reference("networkRef", &spec.network_ref)?;
        spec.ip.map_or(Ok(()), |ip| address::host("ip", ip))?;
        spec.port_ref.as_ref().map_or(Ok(()), |port| name::reference("portRef", port))?;
        spec.fixed_ip.map_or(Ok(()), |ip| address::host("fixedIP", ip))?;
        require(spec.port_ref.is_none() || spec.port_forwardings.is_empty(), Reason::Invalid, || {
            "portRef contradicts portForwardings: remove one of the two".into()
        })?;
        require(spec.port_ref.is_some() || spec.fixed_ip.is_none(), Reason::Invalid, || {
            "fixedIP needs portRef: name the port that has the address, or remove fixedIP".into()
        })?;
        forwardings(&spec.port_forwardings)
    }

    fn edit(&self, old: &Self) -> Verdict {
        immutable("FloatingIP", "networkRef", &self.spec.network_ref, &old.spec.network_ref)
    }
}

fn forwardings(forwardings: &[PortForwarding]) -> Verdict {
    size("portForwardings", forwardings.len(), 0, 64)?;
    for forwarding in forwardings {
        within("portForwardings.port", forwarding.port, 1, u16::MAX)?;
        within("portForwardings.targetPort", forwarding.target_port, 1, u16::MAX)?;
        name::reference("portForwardings.portRef", &forwarding.port_ref)?;
        forwarding.fixed_ip.map_or(Ok(()), |ip| address::host("portForwardings.fixedIP", ip))?;
    }
    double(forwardings, |a, b| (a.protocol, a.port) == (b.protocol, b.port)).map_or(Ok(()), |double| {
        require(false, Reason::ForwardingConflict, || {
            let PortForwarding { protocol, port, .. } = double;
            format!("portForwardings claim a port of one protocol twice, {protocol:?} {port}: remove one")
        })
    })
}

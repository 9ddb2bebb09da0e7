//! A Router by itself.

use super::{Valid, Verdict, address, double, name, port, require, same, size};
use crate::api::{ExternalAddress, Reason, Router};

impl Valid for Router {
    fn valid(&self) -> Verdict {
        name::object(&self.metadata)?;
        let spec = &self.spec;
        size("interfaces", spec.interfaces.len(), 0, 64)?;
        for interface in &spec.interfaces {
            name::reference("interfaces.subnetRef", &interface.subnet_ref)?;
            interface.ip.map_or(Ok(()), |ip| address::host("interfaces.ip", ip))?;
        }
        let here = self.metadata.namespace.as_deref();
        double(&spec.interfaces, |a, b| same(&a.subnet_ref, &b.subnet_ref, here)).map_or(Ok(()), |interface| {
            require(false, Reason::Invalid, || {
                let subnet = &interface.subnet_ref.name;
                format!("interfaces name a subnet twice, {subnet}: a router has one interface on a subnet; remove one")
            })
        })?;
        if let Some(gateway) = &spec.external_gateway {
            name::reference("externalGateway.networkRef", &gateway.network_ref)?;
            if let Some(addresses) = &gateway.addresses {
                size("externalGateway.addresses", addresses.len(), 1, 4)?;
                port::wishes(addresses.iter().map(|ExternalAddress { subnet_ref, ip }| (subnet_ref.as_ref(), *ip)))?;
            }
        }
        size("routes", spec.routes.len(), 0, 30)?;
        let routes: Vec<_> = spec.routes.iter().map(|r| (r.destination, r.next_hop)).collect();
        routes.iter().try_for_each(|(_, next_hop)| address::host("routes.nextHop", *next_hop))?;
        address::routes("routes", &routes)
    }
}

//! A Port by itself.

use std::net::IpAddr;

use super::{Valid, Verdict, address, dhcp_option, double, immutable, name, require, same, size};
use crate::api::{AddressPair, IpAllocation, MacAddr, Port, PortAddress, PortSpec, Reason, Reference};

impl Valid for Port {
    fn valid(&self) -> Verdict {
        name::object(&self.metadata)?;
        name::reference("networkRef", &self.spec.network_ref)?;
        addresses(&self.spec)?;
        if let Some(mac) = self.spec.mac_address {
            unicast("macAddress", mac)?;
        }
        self.spec.hostname.as_deref().map_or(Ok(()), |hostname| name::hostname("hostname", hostname))?;
        self.spec.node_name.as_deref().map_or(Ok(()), |node| name::object_name("nodeName", node))?;
        let options = &self.spec.dhcp_options;
        size("dhcpOptions", options.len(), 0, 20)?;
        options.iter().try_for_each(dhcp_option::valid)?;
        double(options, |a, b| a.code == b.code).map_or(Ok(()), |option| {
            require(false, Reason::Invalid, || format!("dhcpOptions set a code twice, {}: remove one", option.code))
        })?;
        groups(&self.spec, self.metadata.namespace.as_deref())?;
        pairs(&self.spec)
    }

    fn edit(&self, old: &Self) -> Verdict {
        immutable("Port", "networkRef", &self.spec.network_ref, &old.spec.network_ref)
    }
}

fn unicast(field: &str, mac: MacAddr) -> Verdict {
    require(mac.is_unicast(), Reason::Invalid, || {
        format!("{field} {mac} must be a unicast MAC address: the second digit even, not all zero")
    })
}

fn groups(spec: &PortSpec, here: Option<&str>) -> Verdict {
    let Some(groups) = &spec.security_group_refs else { return Ok(()) };
    size("securityGroupRefs", groups.len(), 1, 16)?;
    require(spec.port_security != Some(false), Reason::Invalid, || {
        "securityGroupRefs contradict portSecurity false: remove one of the two".into()
    })?;
    groups.iter().try_for_each(|group| name::reference("securityGroupRefs", group))?;
    double(groups, |a, b| same(a, b, here)).map_or(Ok(()), |group| {
        require(false, Reason::Invalid, || format!("securityGroupRefs name a group twice, {}: remove one", group.name))
    })
}

fn pairs(spec: &PortSpec) -> Verdict {
    let pairs = &spec.allowed_address_pairs;
    size("allowedAddressPairs", pairs.len(), 0, 10)?;
    require(spec.port_security != Some(false) || pairs.is_empty(), Reason::Invalid, || {
        "allowedAddressPairs contradict portSecurity false: remove one of the two".into()
    })?;
    for AddressPair { ip, mac_address } in pairs {
        address::stations("allowedAddressPairs.ip", ip.0)?;
        mac_address.map_or(Ok(()), |mac| unicast("allowedAddressPairs.macAddress", mac))?;
    }
    double(pairs, |a, b| a == b).map_or(Ok(()), |pair| {
        require(false, Reason::Invalid, || format!("allowedAddressPairs have a pair twice, {}: remove one", pair.ip))
    })
}

fn addresses(spec: &PortSpec) -> Verdict {
    let Some(addresses) = &spec.addresses else { return Ok(()) };
    require(spec.ip_allocation != Some(IpAllocation::None), Reason::Invalid, || {
        "addresses contradict ipAllocation None: remove one of the two".into()
    })?;
    size("addresses", addresses.len(), 1, 16)?;
    wishes(addresses.iter().map(|PortAddress { subnet_ref, ip }| (subnet_ref.as_ref(), *ip)))
}

/// Wishes for addresses: each has a subnet, an address, or both, and no address stands twice.
pub(super) fn wishes<'a>(wishes: impl Iterator<Item = (Option<&'a Reference>, Option<IpAddr>)>) -> Verdict {
    let mut ips = Vec::new();
    for (subnet_ref, ip) in wishes {
        require(subnet_ref.is_some() || ip.is_some(), Reason::Invalid, || {
            "an entry of addresses is empty: write subnetRef, ip, or both".into()
        })?;
        subnet_ref.map_or(Ok(()), |subnet| name::reference("addresses.subnetRef", subnet))?;
        ip.map_or(Ok(()), |ip| address::host("addresses.ip", ip))?;
        ips.extend(ip);
    }
    address::unique("addresses", &ips)
}

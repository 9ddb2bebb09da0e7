//! A `SecurityGroup` by itself.

use super::{Valid, Verdict, address, double, name, require, size, within};
use crate::api::{IpFamily, IpProtocol, Reason, RuleRemote, SecurityGroup, SecurityGroupRule};

impl Valid for SecurityGroup {
    fn valid(&self) -> Verdict {
        name::object(&self.metadata)?;
        let rules = &self.spec.rules;
        size("rules", rules.len(), 0, 200)?;
        rules.iter().try_for_each(rule)?;
        require(double(rules, |a, b| a == b).is_none(), Reason::Invalid, || {
            "rules have a rule twice: remove one".into()
        })
    }
}

fn rule(rule: &SecurityGroupRule) -> Verdict {
    use IpProtocol::{Icmp, IcmpV6, Sctp, Tcp, Udp};
    let of = |protocols: &[IpProtocol]| rule.protocol.is_some_and(|protocol| protocols.contains(&protocol));
    if let Some(port) = rule.port {
        within("rules.port", port, 1, u16::MAX)?;
        require(of(&[Tcp, Udp, Sctp]), Reason::Invalid, || {
            "rules: port needs a protocol that has ports: write protocol TCP, UDP or SCTP, or remove port".into()
        })?;
    }
    if let Some(end) = rule.end_port {
        within("rules.endPort", end, 1, u16::MAX)?;
        require(rule.port.is_some(), Reason::Invalid, || {
            "rules: endPort needs port: write the first port of the range, too".into()
        })?;
        require(rule.port.is_none_or(|port| port <= end), Reason::Invalid, || {
            format!("rules: endPort is less than port: exchange the two, {end} and the one that is more")
        })?;
    }
    require(rule.icmp_type.is_none() || of(&[Icmp, IcmpV6]), Reason::Invalid, || {
        "rules: icmpType needs a protocol that has types: write protocol ICMP or ICMPv6, or remove icmpType".into()
    })?;
    require(rule.icmp_code.is_none() || rule.icmp_type.is_some(), Reason::Invalid, || {
        "rules: icmpCode needs icmpType: a code has a meaning only beside a type".into()
    })?;
    rule.description.as_ref().map_or(Ok(()), |text| size("rules.description", text.chars().count(), 0, 255))?;
    rule.remote.as_ref().map_or(Ok(()), remote)?;
    families(rule)
}

fn remote(remote: &RuleRemote) -> Verdict {
    require(remote.cidr.is_some() != remote.group_ref.is_some(), Reason::Invalid, || {
        "rules: remote needs cidr or groupRef, one of the two".into()
    })?;
    remote.cidr.map_or(Ok(()), |cidr| address::plain("rules.remote.cidr", "a range", cidr))?;
    remote.group_ref.as_ref().map_or(Ok(()), |group| name::reference("rules.remote.groupRef", group))
}

/// Family, protocol and range are of one family.
fn families(rule: &SecurityGroupRule) -> Verdict {
    let by_protocol = match rule.protocol {
        Some(IpProtocol::Icmp) => Some(IpFamily::IPv4),
        Some(IpProtocol::IcmpV6) => Some(IpFamily::IPv6),
        _ => None,
    };
    let by_range = rule
        .remote
        .as_ref()
        .and_then(|remote| remote.cidr)
        .map(|cidr| if cidr.addr().is_ipv4() { IpFamily::IPv4 } else { IpFamily::IPv6 });
    let alike = |a: Option<IpFamily>, b: Option<IpFamily>| a.zip(b).is_none_or(|(a, b)| a == b);
    require(alike(rule.family, by_protocol), Reason::Invalid, || {
        "rules: protocol contradicts family: ICMP is IPv4's, ICMPv6 is IPv6's".into()
    })?;
    require(alike(rule.family, by_range), Reason::Invalid, || {
        "rules: remote.cidr contradicts family: remove family, or write a range of that family".into()
    })?;
    require(alike(by_protocol, by_range), Reason::Invalid, || {
        "rules: remote.cidr contradicts protocol: ICMP is IPv4's, ICMPv6 is IPv6's".into()
    })
}

//! Addresses of one subnet: which there are, and who has them.
//!
//! An address is a number here, IPv4 as IPv4-mapped IPv6 (RFC 4291, 2.5.5.2), so that both families count alike.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;

use super::cold::Since;
use crate::api::{GatewayIP, SubnetSpec};

/// An address as a number.
#[must_use]
pub fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The address that a number stands for.
#[must_use]
pub fn address(number: u128) -> IpAddr {
    Ipv6Addr::from_bits(number).to_canonical()
}

/// First and last address of a range.
#[must_use]
pub fn span(cidr: IpNet) -> (u128, u128) {
    (number(cidr.network()), number(cidr.broadcast()))
}

/// The addresses of a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The range.
    pub cidr: IpNet,
    /// First and last address that a station may have.
    pub hosts: (u128, u128),
    /// The gateway in force.
    pub gateway: Option<u128>,
    /// What automatic addresses are taken from: disjoint, ascending, without the gateway.
    pub pools: Vec<(u128, u128)>,
}

impl Range {
    /// Fills in Neutron's defaults: the gateway is the first host, the pools are all hosts but the gateway. A subnet of a
    /// single address (/32) has no gateway unless it names one: it would leave no address for anybody else.
    #[must_use]
    pub fn of(spec: &SubnetSpec) -> Self {
        let (first, last) = span(spec.cidr);
        // Point-to-point links use every address (RFC 3021, RFC 6164). Else IPv4 has a network and a broadcast address;
        // the first IPv6 address means any router of the subnet (RFC 4291, 2.6.1).
        let hosts = match spec.cidr {
            _ if last - first <= 1 => (first, last),
            IpNet::V4(_) => (first + 1, last - 1),
            IpNet::V6(_) => (first + 1, last),
        };
        let gateway = match spec.gateway_ip {
            Some(GatewayIP::None) => None,
            Some(GatewayIP::Address(ip)) => Some(number(ip)),
            None => (first < last).then_some(hosts.0),
        };
        let given = spec.allocation_pools.as_deref().map(|pools| {
            pools.iter().map(|p| (number(p.start).max(hosts.0), number(p.end).min(hosts.1))).collect::<Vec<_>>()
        });
        let mut pools: Vec<_> =
            given.unwrap_or_else(|| vec![hosts]).into_iter().flat_map(|pool| without(pool, gateway)).collect();
        pools.sort_unstable();
        // Most have one, and there are many subnets.
        pools.shrink_to_fit();
        Self { cidr: spec.cidr, hosts, gateway, pools }
    }

    /// Whether a station may have the address.
    #[must_use]
    pub fn is_host(&self, number: u128) -> bool {
        self.hosts.0 <= number && number <= self.hosts.1
    }

    /// Whether the address is in a pool.
    #[must_use]
    pub fn in_pools(&self, number: u128) -> bool {
        self.pools.iter().any(|(start, end)| *start <= number && number <= *end)
    }

    /// How many addresses the pools have.
    #[must_use]
    pub fn total(&self) -> u128 {
        self.pools.iter().map(|(start, end)| (end - start).saturating_add(1)).fold(0, u128::saturating_add)
    }
}

/// A pool less one address: at most two pools.
fn without((start, end): (u128, u128), hole: Option<u128>) -> impl Iterator<Item = (u128, u128)> {
    let hole = hole.filter(|h| start <= *h && *h <= end);
    let whole = (hole.is_none() && start <= end).then_some((start, end));
    let below = hole.filter(|h| start < *h).map(|h| (start, h - 1));
    let above = hole.filter(|h| *h < end).map(|h| (h + 1, end));
    [whole, below, above].into_iter().flatten()
}

/// Who has an address; the number is the object's position among those of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// An interface of a router.
    Interface(usize),
    /// The external leg of a router.
    External(usize),
    /// A floating IP.
    FloatingIP(usize),
    /// A port.
    Port(usize),
    /// Nobody who is there: the address is locked until whoever held it is known to be gone.
    Leaving,
}

/// Neighbouring addresses stand side by side, a page of them together: subnets are filled from their lowest address on.
const PAGE: usize = 32;

/// Who has which address of a subnet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    pages: BTreeMap<u128, Box<[Option<Holder>; PAGE]>>,
    from_pools: u64,
    /// No address of the pools below this one is free and warm.
    searched: u128,
    /// Cold addresses of the pools, the one that has been so the longest last; none: nobody needed one yet.
    thaw: Option<Vec<(Duration, u128)>>,
}

impl Ledger {
    /// Gives an address to somebody.
    ///
    /// # Errors
    /// Who has it.
    pub fn take(&mut self, range: &Range, number: u128, holder: Holder) -> Result<(), Holder> {
        let (page, place) = place(number);
        let held = &mut self.pages.entry(page).or_insert_with(|| Box::new([None; PAGE]))[place];
        if let Some(other) = *held {
            return Err(other);
        }
        *held = Some(holder);
        self.from_pools += u64::from(range.in_pools(number));
        Ok(())
    }

    /// Takes an address back from whoever has it.
    pub fn give_back(&mut self, range: &Range, number: u128) {
        let (page, place) = place(number);
        let Some(held) = self.pages.get_mut(&page) else { return };
        if held[place].take().is_some() {
            self.from_pools -= u64::from(range.in_pools(number));
            self.searched = self.searched.min(number);
        }
        if held.iter().all(Option::is_none) {
            self.pages.remove(&page);
        }
    }

    /// Counts ports anew of which one has come, or has gone, at a position: it is another's from there on.
    pub fn count_anew(&mut self, renumber: impl Fn(usize) -> usize) {
        for holder in self.pages.values_mut().flat_map(|page| page.iter_mut()).flatten() {
            if let Holder::Port(port) = holder {
                *port = renumber(*port);
            }
        }
    }

    /// Gives the lowest address of the pools that is free, and not cold, to somebody; none: there is none. `cold` is the same
    /// for all of a ledger's life.
    pub fn take_lowest(&mut self, range: &Range, cold: &Since, holder: Holder) -> Option<u128> {
        let free = |(start, end): &(u128, u128)| self.lowest_free((*start).max(self.searched), *end, cold);
        let free = range.pools.iter().find_map(free);
        self.searched = free.map_or(u128::MAX, |free| free.saturating_add(1));
        let free = free?;
        self.take(range, free, holder).ok().map(|()| free)
    }

    fn lowest_free(&self, mut next: u128, end: u128, cold: &Since) -> Option<u128> {
        while next <= end && (self.holder(next).is_some() || cold.contains_key(&next)) {
            next = next.checked_add(1)?;
        }
        (next <= end).then_some(next)
    }

    /// The free address of the pools that has been cold the longest: since when, and which. `cold` is the same for all of a
    /// ledger's life.
    pub fn coldest(&mut self, range: &Range, cold: &Since) -> Option<(Duration, u128)> {
        let mut thaw = self.thaw.take().unwrap_or_else(|| {
            let of_pools = cold.iter().filter(|(number, _)| range.in_pools(**number));
            let mut all: Vec<_> = of_pools.map(|(number, since)| (*since, *number)).collect();
            all.sort_unstable_by(|a, b| b.cmp(a));
            all
        });
        while thaw.pop_if(|(_, number)| self.holder(*number).is_some()).is_some() {}
        let coldest = thaw.last().copied();
        self.thaw = Some(thaw);
        coldest
    }

    /// Who has an address.
    #[must_use]
    pub fn holder(&self, number: u128) -> Option<Holder> {
        let (page, place) = place(number);
        self.pages.get(&page).and_then(|page| page[place])
    }

    /// Everybody, by address.
    pub fn iter(&self) -> impl Iterator<Item = (u128, Holder)> {
        self.pages.iter().flat_map(|(page, held)| {
            let first = page * PAGE as u128;
            held.iter().zip(0..).filter_map(move |(holder, place)| Some((first + place, (*holder)?)))
        })
    }

    /// How many addresses of the pools are taken.
    #[must_use]
    pub fn from_pools(&self) -> u64 {
        self.from_pools
    }
}

/// Page of an address, and its place there.
fn place(number: u128) -> (u128, usize) {
    (number / PAGE as u128, (number % PAGE as u128) as usize)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::api::{AllocationPool, Reference};

    fn spec(cidr: &str) -> SubnetSpec {
        SubnetSpec {
            network_ref: Reference { name: "blue".into(), namespace: None },
            cidr: cidr.parse().unwrap(),
            gateway_ip: None,
            allocation_pools: None,
            dhcp: None,
            dns_nameservers: Vec::new(),
            dns_domain: None,
            host_routes: Vec::new(),
        }
    }

    #[test]
    fn defaults_follow_the_size_of_the_subnet() {
        for (cidr, gateway, pools, total) in [
            ("10.0.0.0/24", Some("10.0.0.1"), vec![("10.0.0.2", "10.0.0.254")], 253),
            ("10.0.0.0/30", Some("10.0.0.1"), vec![("10.0.0.2", "10.0.0.2")], 1),
            ("10.0.0.0/31", Some("10.0.0.0"), vec![("10.0.0.1", "10.0.0.1")], 1),
            ("10.0.0.7/32", None, vec![("10.0.0.7", "10.0.0.7")], 1),
        ] {
            let range = Range::of(&spec(cidr));
            assert_eq!(range.gateway.map(|g| address(g).to_string()).as_deref(), gateway, "{cidr}");
            let text = |n: u128| address(n).to_string();
            let found: Vec<_> = range.pools.iter().map(|(a, b)| (text(*a), text(*b))).collect();
            assert_eq!(found, pools.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect::<Vec<_>>(), "{cidr}");
            assert_eq!(range.total(), total, "{cidr}");
        }
    }

    #[test]
    fn a_gateway_in_the_middle_splits_the_pool() {
        let mut spec = spec("10.0.0.0/29");
        spec.gateway_ip = Some(GatewayIP::Address("10.0.0.4".parse().unwrap()));
        assert_eq!(Range::of(&spec).total(), 5);
        spec.gateway_ip = Some(GatewayIP::None);
        assert_eq!(Range::of(&spec).total(), 6);
    }

    #[test]
    fn the_lowest_free_address_is_taken_and_never_twice() {
        let mut spec = spec("10.0.0.0/24");
        let pool = |start: &str, end: &str| AllocationPool { start: start.parse().unwrap(), end: end.parse().unwrap() };
        spec.allocation_pools = Some(vec![pool("10.0.0.20", "10.0.0.21"), pool("10.0.0.10", "10.0.0.11")]);
        let range = Range::of(&spec);
        let mut ledger = Ledger::default();
        let ip = |text: &str| number(text.parse().unwrap());
        ledger.take(&range, ip("10.0.0.10"), Holder::Port(0)).unwrap();
        ledger.take(&range, ip("10.0.0.99"), Holder::Port(1)).unwrap();
        assert_eq!(ledger.take(&range, ip("10.0.0.10"), Holder::Port(2)), Err(Holder::Port(0)));
        let taken: Vec<_> = (3..7).map_while(|i| ledger.take_lowest(&range, &Since::new(), Holder::Port(i))).collect();
        assert_eq!(taken, [ip("10.0.0.11"), ip("10.0.0.20"), ip("10.0.0.21")]);
        assert_eq!(ledger.from_pools(), 4, "the address outside the pools does not count");
        let held: Vec<_> = ledger.iter().map(|(number, holder)| (address(number).to_string(), holder)).collect();
        let port = |ip: &str, index| (ip.to_owned(), Holder::Port(index));
        let (low, high) = ([port("10.0.0.10", 0), port("10.0.0.11", 3)], [port("10.0.0.20", 4), port("10.0.0.21", 5)]);
        assert_eq!(held, [&low[..], &high[..], &[port("10.0.0.99", 1)]].concat(), "in order");
    }
}
